//! Single records of the newest state, each with a proof, and documents made from them.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, StreamExt, TryStreamExt, future::join_all, stream};
use nervure_ledger::{
    block::Header,
    chain::Tip,
    checkpoint::Checkpoint,
    state::LedgerState,
    subnet::Neuron,
    tree::{Fact, Key, Record},
};
use nervure_light::{VerifierError, VerifyError};
use nervure_primitives::{Netuid, Uid};
use nervure_protocol::{
    bounds::{MAX_LIGHT_HINTS, MAX_LIGHT_KEYS},
    light::KeysOf,
};

use super::{
    LightFailure, LightHandle, PeerFault,
    client::{ASKED_PEERS, Unproven},
    source::PeerSource,
};

/// Requests for records in flight.
const MAX_PARALLEL_REQUESTS: usize = 4;

/// Part of a state: its records are proven, and others are missing.
pub(crate) struct PartialState {
    /// The header, and the state of the proven records without neurons.
    pub(crate) tip: Tip,
    /// The proven neurons, which need all others of their subnet to be in a state.
    pub(crate) neurons: Vec<ProvenNeuron>,
}

/// A proven neuron and its slot.
pub(crate) struct ProvenNeuron {
    pub(crate) netuid: Netuid,
    pub(crate) uid: Uid,
    pub(crate) neuron: Neuron,
}

impl LightHandle {
    /// The records of `keys` in the state after a verified block, and their encoded facts; none where there is no record.
    pub(crate) async fn facts(
        &self,
        header: &Header,
        keys: &[Key],
    ) -> Result<Vec<(Fact, Option<Record>)>, LightFailure> {
        let prove = |part: &[Key]| {
            let (this, header, part) = (self.clone(), header.clone(), part.to_vec());
            async move { this.prove_part(&header, &part).await }.boxed()
        };
        let parts: Vec<_> = keys.chunks(MAX_LIGHT_KEYS).map(prove).collect();
        let parts: Vec<Vec<_>> = stream::iter(parts).buffered(MAX_PARALLEL_REQUESTS).try_collect().await?;
        Ok(parts.into_iter().flatten().collect())
    }

    /// One request's worth of facts. A peer whose fact does not verify is not asked again.
    async fn prove_part(
        &self,
        header: &Header,
        keys: &[Key],
    ) -> Result<Vec<(Fact, Option<Record>)>, LightFailure> {
        let (mut proven, mut failed) = (Vec::new(), LightFailure::NoPeer);
        for source in self.sources().await.into_iter().take(ASKED_PEERS) {
            while proven.len() < keys.len() {
                match checked_facts(&source, header, &keys[proven.len()..]).await {
                    Ok(found) => proven.extend(found),
                    Err(error) => {
                        let error = Box::new(error);
                        failed = LightFailure::Unverified { peer: source.name(), error };
                        break;
                    }
                }
            }
            if proven.len() == keys.len() {
                return Ok(proven);
            }
        }
        Err(failed)
    }

    /// The part of the newest state that concerns a subject, and the proven neurons of it: every record is proven, and peers
    /// may leave some out.
    pub(crate) async fn state(&self, of: KeysOf) -> Result<PartialState, LightFailure> {
        let head = self.head().await?;
        let sources = self.sources().await;
        let asked = sources.into_iter().take(2).map(|source| async move { source.keys(of).await }.boxed());
        let hints: Vec<Vec<Key>> = join_all(asked).await.into_iter().flatten().collect();
        if hints.is_empty() {
            return Err(LightFailure::NoPeer);
        }
        let mut failed = LightFailure::NoPeer;
        // All hints together; a peer that names records which do not fit spoils only that.
        let union = hints.iter().flatten().copied().collect::<Vec<Key>>();
        for keys in std::iter::once(&union).chain(&hints) {
            match self.assemble(&head, of, keys).await {
                Ok(state) => return Ok(state),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn assemble(
        &self,
        head: &Checkpoint,
        of: KeysOf,
        hints: &[Key],
    ) -> Result<PartialState, LightFailure> {
        let hinted = hints.iter().copied().take(MAX_LIGHT_HINTS.saturating_mul(2));
        let keys: BTreeSet<Key> = hinted.chain([Key::Chain, Key::Params]).collect();
        let keys: Vec<Key> = keys.into_iter().collect();
        let proven = self.facts(&head.header, &keys).await?;
        let (mut records, mut neurons) = (Vec::new(), Vec::new());
        for record in proven.into_iter().filter_map(|(_, record)| record) {
            match record {
                // Only a whole subnet has a place for its neurons.
                Record::Neuron { netuid, uid, neuron } if of != KeysOf::Subnet(netuid) => {
                    neurons.push(ProvenNeuron { netuid, uid, neuron: *neuron });
                }
                other => records.push(other),
            }
        }
        let state = LedgerState::from_records(&self.0.spec, records);
        let state = state.map_err(|error| LightFailure::Records(error.to_string()))?;
        Ok(PartialState { tip: Tip { header: head.header.clone(), state }, neurons })
    }

    /// How many neurons each subnet has: the last one is proven, and that there is no further one.
    pub(crate) async fn neuron_counts(
        &self,
        partial: &PartialState,
    ) -> Result<BTreeMap<Netuid, u32>, LightFailure> {
        let mut counts: BTreeMap<Netuid, u32> = BTreeMap::new();
        for ProvenNeuron { netuid, uid: Uid(uid), .. } in &partial.neurons {
            let count = counts.entry(*netuid).or_default();
            *count = (*count).max(u32::from(*uid).saturating_add(1));
        }
        let next = |netuid: &Netuid| {
            let count = counts.get(netuid).copied().unwrap_or(0);
            Key::Neuron(*netuid, Uid(u16::try_from(count).unwrap_or(u16::MAX)))
        };
        let next: Vec<Key> = partial.tip.state.subnets().keys().map(next).collect();
        let proven = self.facts(&partial.tip.header, &next).await?;
        match proven.iter().all(|(_, record)| record.is_none()) {
            true => Ok(counts),
            false => Err(LightFailure::Records("a peer names too few neurons of a subnet".into())),
        }
    }
}

/// Facts from one peer, each checked under the root.
async fn checked_facts(
    source: &PeerSource,
    header: &Header,
    keys: &[Key],
) -> Result<Vec<(Fact, Option<Record>)>, Unproven> {
    let received = source.facts(header.height, keys).await.map_err(VerifierError::Source)?;
    let mut checked = Vec::with_capacity(received.len());
    for (bytes, key) in received.iter().zip(keys) {
        let fact = Fact::decode(bytes).map_err(|_| VerifierError::Source(PeerFault::Malformed))?;
        let record = fact.check(&header.state, key);
        let record = record.map_err(|error| VerifyError::Fact { key: *key, error })?.cloned();
        checked.push((fact, record));
    }
    Ok(checked)
}
