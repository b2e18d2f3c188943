//! Finds experts without a state: records from several peers, each with a proof of its node's slot.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, StreamExt, stream};
use nervure_ledger::{
    block::Header,
    subnet::Neuron,
    tree::{Fact, Key, Record},
};
use nervure_primitives::{Capability, Netuid, NodeId, Uid};
use nervure_protocol::{
    Registry, SignedRecord,
    bounds::MAX_LIGHT_SLOTS,
    light::{LightRequest, LightResponse},
};

use super::{LightHandle, source::PeerSource};
use crate::runtime::{catalog::ExpertCatalog, clock};

/// Peers that are asked for their expert records: one may leave some out, several rarely the same ones.
const ASKED_FOR_EXPERTS: usize = 3;

/// Pages that are read from one peer.
const MAX_PAGES: usize = 64;

/// Requests for slots in flight.
const MAX_PARALLEL_REQUESTS: usize = 4;

/// Any node may advertise; its slot is proven afterwards.
struct AnyNode;

impl Registry for AnyNode {
    fn may_advertise(&self, _: &NodeId, _: Netuid) -> bool {
        true
    }
}

type Slot = ((Netuid, NodeId), (Uid, Neuron));

impl LightHandle {
    /// Brings the records of a capability, or all, into the catalog. False when no peer answered, or nothing can be
    /// verified.
    pub(crate) async fn find(&self, catalog: &ExpertCatalog, capability: Option<&Capability>) -> bool {
        let head = match self.head().await {
            Ok(head) => head,
            Err(error) => {
                tracing::warn!(%error, "experts cannot be verified");
                return false;
            }
        };
        let peers = self.sources().await;
        let asked = peers.into_iter().take(ASKED_FOR_EXPERTS).map(|source| {
            let (this, capability) = (self.clone(), capability.cloned());
            async move { this.read_all(&source, capability.as_ref()).await }.boxed()
        });
        let answers: Vec<Vec<SignedRecord>> =
            futures::future::join_all(asked).await.into_iter().flatten().collect();
        let answered = !answers.is_empty();
        let found: Vec<SignedRecord> = answers.into_iter().flatten().collect();
        let mut wanted: BTreeSet<(Netuid, NodeId)> = self.slots().known().into_iter().collect();
        wanted.extend(found.iter().map(|signed| (signed.record().netuid, signed.record().node)));
        let proven = self.prove_slots(&head.header, wanted).await;
        self.slots().replace(head.header.height, proven);
        for signed in found {
            let (netuid, node) = (signed.record().netuid, signed.record().node);
            if self.slots().of(netuid, &node, |_| ()).is_some() {
                catalog.insert_verified(signed);
            }
        }
        answered
    }

    /// All records that a peer has; none when it does not answer. Their signatures are verified.
    async fn read_all(
        &self,
        source: &PeerSource,
        capability: Option<&Capability>,
    ) -> Option<Vec<SignedRecord>> {
        let (mut found, mut after) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let request = LightRequest::Experts(capability.cloned(), after);
            let answer = source.ask(&request).await;
            let (records, next) = match answer {
                Ok(LightResponse::Experts(records, next)) => (records, next),
                Ok(_) => return None,
                Err(error) => {
                    tracing::debug!(peer = source.name(), %error, "a peer names no experts");
                    return None;
                }
            };
            let (mesh, now) = (self.mesh(), clock::now());
            let verified = records.iter().map(|bytes| SignedRecord::verify(bytes, &mesh, now, &AnyNode));
            // An invalid record costs the others of the page nothing.
            found.extend(verified.flatten());
            after = next;
            if after.is_none() {
                break;
            }
        }
        Some(found)
    }

    /// The neurons of those nodes that have one; what one peer does not prove, others are asked for.
    async fn prove_slots(&self, header: &Header, wanted: BTreeSet<(Netuid, NodeId)>) -> Vec<Slot> {
        let mut left: Vec<(Netuid, NodeId)> = wanted.into_iter().collect();
        let mut proven: BTreeMap<(Netuid, NodeId), (Uid, Neuron)> = BTreeMap::new();
        for source in self.sources().await.iter().take(ASKED_FOR_EXPERTS) {
            let ask = |part: &[(Netuid, NodeId)]| {
                let (source, header, part) = (source.clone(), header.clone(), part.to_vec());
                async move { slots_from(&source, &header, part).await }.boxed()
            };
            let parts: Vec<_> = left.chunks(MAX_LIGHT_SLOTS).map(ask).collect();
            let found: Vec<Vec<Slot>> =
                stream::iter(parts).buffer_unordered(MAX_PARALLEL_REQUESTS).collect().await;
            proven.extend(found.into_iter().flatten());
            left.retain(|of| !proven.contains_key(of));
            if left.is_empty() {
                break;
            }
        }
        proven.into_iter().collect()
    }
}

/// The neurons that one peer proves.
async fn slots_from(source: &PeerSource, header: &Header, mut left: Vec<(Netuid, NodeId)>) -> Vec<Slot> {
    let mut proven = Vec::new();
    while !left.is_empty() {
        let answer = source.ask(&LightRequest::Slots(header.height, left.clone())).await;
        let Ok(LightResponse::Slots(Some(found))) = answer else { break };
        if found.is_empty() || found.len() > left.len() {
            break;
        }
        let answered = left.drain(..found.len()).zip(found);
        for ((netuid, node), slot) in answered {
            let checked =
                slot.and_then(|(uid, fact)| Some((uid, check(header, (netuid, node), uid, &fact)?)));
            proven.extend(checked.map(|slot| ((netuid, node), slot)));
        }
    }
    proven
}

/// The neuron in a fact, if it is proven and that of the node: the peer could name another node's slot.
fn check(header: &Header, (netuid, node): (Netuid, NodeId), uid: Uid, fact: &[u8]) -> Option<Neuron> {
    let fact = Fact::decode(fact).ok()?;
    match fact.check(&header.state, &Key::Neuron(netuid, uid)).ok()? {
        Some(Record::Neuron { neuron, .. }) if neuron.node == node => Some(*neuron.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use nervure_ledger::testing::{Chain, SUBNET};

    use super::*;

    #[test]
    fn a_slot_of_another_node_or_another_state_proves_nothing() {
        let mut chain = Chain::new(4);
        chain.grow(6);
        let (header, subnet) = (&chain.tip.header, &chain.tip.state.subnets()[&SUBNET]);
        let node = |uid| subnet.neuron(Uid(uid)).unwrap().node;
        let key = |uid| Key::Neuron(SUBNET, Uid(uid));
        let fact = |uid| chain.fact(&key(uid)).encode().unwrap();
        assert!(check(header, (SUBNET, node(0)), Uid(0), &fact(0)).is_some());
        assert!(check(header, (SUBNET, node(1)), Uid(0), &fact(0)).is_none(), "the slot of another node");
        assert!(check(header, (SUBNET, node(0)), Uid(1), &fact(0)).is_none(), "another slot");
        assert!(check(&chain.genesis.header, (SUBNET, node(0)), Uid(0), &fact(0)).is_none(), "another state");
        // Without the comparison of the node, the slot of another one would be taken for its own.
        let decoded = Fact::decode(&fact(0)).unwrap();
        assert!(decoded.check(&header.state, &key(0)).unwrap().is_some());
    }
}
