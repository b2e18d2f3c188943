//! The stake behind a subnet, under a certified state.
//!
//! Validators, parameters, the subnet's owner, the validators' owners and their neurons are records under one root. The
//! source names the slots only: it can hide that a validator has one, so that less stands behind the subnet than is true,
//! and never more.

use nervure_ledger::{
    subnet::Backing,
    tree::{Key, Record},
};
use nervure_primitives::{BlockHeight, Netuid, NodeId};

use super::{Verified, Verifier, VerifierError, VerifyError};
use crate::source::Source;

impl<S: Source> Verifier<S> {
    /// The stake behind subnet `netuid` in the state after the block at `height`.
    ///
    /// # Errors
    /// As for [`Self::record`].
    pub async fn backing(&mut self, netuid: Netuid, height: BlockHeight) -> Verified<Backing, S> {
        let missing = |key| VerifierError::from(VerifyError::Missing { key, height });
        let Some(Record::Chain(chain)) = self.record(Key::Chain, height).await? else {
            return Err(missing(Key::Chain));
        };
        let Some(Record::Params { rules, .. }) = self.record(Key::Params, height).await? else {
            return Err(missing(Key::Params));
        };
        let Some(Record::Subnet { subnet, .. }) = self.record(Key::Subnet(netuid), height).await? else {
            return Err(missing(Key::Subnet(netuid)));
        };
        let mut backing = Backing::default();
        let members = chain.validators.map(|set| set.members().to_vec()).unwrap_or_default();
        for member in members {
            let owner = match self.record(Key::Node(member.node), height).await? {
                Some(Record::Node { owner, .. }) => Some(owner),
                _ => None,
            };
            if owner.is_some() && owner == subnet.owner {
                continue;
            }
            let stands = |permit, updated| subnet.is_validated_by(permit, updated, height.0, &rules.economy);
            let neuron = self.slot((netuid, member.node), height).await?;
            backing.count(member.power, neuron.is_some_and(|(permit, updated)| stands(permit, updated)));
        }
        Ok(backing)
    }

    /// Whether the neuron of `node` has a permit, and when it last set weights; none without a slot.
    async fn slot(
        &mut self,
        (netuid, node): (Netuid, NodeId),
        height: BlockHeight,
    ) -> Verified<Option<(bool, u64)>, S> {
        // A key that was swapped since the election is no node to the source: it stands behind nothing.
        let Ok(Some(uid)) = self.source.uid(netuid, node).await else { return Ok(None) };
        Ok(match self.record(Key::Neuron(netuid, uid), height).await? {
            Some(Record::Neuron { neuron, .. }) if neuron.node == node => {
                Some((neuron.permit, neuron.last_update))
            }
            _ => None,
        })
    }
}
