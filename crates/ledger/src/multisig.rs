//! Accounts of several owners, of which a threshold acts together.
//!
//! The id of such an account is a hash of its threshold and members, and has the form of an owner key. The account has
//! no private key: only a [`MultisigCall`](crate::transaction::MultisigCall) with enough approvals acts for it. What a
//! hostile member can do alone: nothing, except refuse. What an outsider can do: find an ed25519 key whose public half
//! is such a hash, which takes 2^128 hashes or key pairs, as much as finding the private key of any owner.
//!
//! An approval is a detached signature over the domain [`APPROVAL`], the mesh id, and the account, its nonce, the expiry
//! and the call: an approval of one call is worth nothing for another call, nonce, account or mesh.

use std::collections::BTreeSet;

use nervure_primitives::{
    BlockHeight, DetachedStatement, Domain, Hash, MeshId, NodeId, NodeKey, Signature, cbor,
};
use serde::{Deserialize, Serialize};

use crate::transaction::{Call, FormError};

/// What an approval is for.
pub const APPROVAL: Domain = Domain::new("nervure/multisig-approval/1");

/// What makes the id of an account differ from every other hash of the protocol.
const ACCOUNT: &str = "nervure/multisig/1";

/// Most members of an account: each approval is a signature that every node verifies.
pub const MAX_MEMBERS: usize = 16;

/// An account of several owners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultisigAccount {
    /// How many members act together.
    pub threshold: u8,
    /// The members' owner keys, ascending.
    pub members: Vec<NodeId>,
}

/// What members approve.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ApprovedCall<'a> {
    /// The account.
    pub account: NodeId,
    /// The account's nonce.
    pub nonce: u64,
    /// The last block at which the approvals hold.
    pub expiry: BlockHeight,
    /// What the account does.
    pub call: &'a Call,
}

/// A member's signature for a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Which member, by its place in [`MultisigAccount::members`].
    pub member: u8,
    /// Its signature over the [`ApprovedCall`].
    pub signature: Signature,
}

impl MultisigAccount {
    /// The account of these members, in whatever order they are named.
    ///
    /// # Errors
    /// When they are too few, too many or named twice, or the threshold is not one of 2 to their number.
    pub fn new(threshold: u8, mut members: Vec<NodeId>) -> Result<Self, FormError> {
        members.sort_unstable();
        let account = Self { threshold, members };
        account.check().map(|()| account)
    }

    /// Its id. Only an account that passes its check has one.
    pub fn id(&self) -> NodeId {
        let mut parts: Vec<&[u8]> = vec![std::slice::from_ref(&self.threshold)];
        parts.extend(self.members.iter().map(|member| member.as_bytes().as_slice()));
        NodeId::from_bytes(*Hash::of(ACCOUNT, &parts).as_bytes())
    }

    /// Refuses another form than the one that members and threshold have.
    pub(crate) fn check(&self) -> Result<(), FormError> {
        // A threshold of one is every member's own account with extra steps, and easily mistaken for more.
        let most = self.members.len();
        if !(2..=MAX_MEMBERS).contains(&most) || !(2..=most).contains(&usize::from(self.threshold)) {
            return Err(FormError::Threshold);
        }
        // One order, so that the same members have one account; strictly ascending, so that none counts twice.
        match self.members.is_sorted_by(|a, b| a < b) {
            true => Ok(()),
            false => Err(FormError::Members),
        }
    }

    /// Checks that `approvals` are exactly as many as the threshold, of different members, for `call` on `mesh`.
    ///
    /// # Errors
    /// When they are not.
    pub(crate) fn verify(
        &self,
        call: &ApprovedCall<'_>,
        approvals: &[Approval],
        mesh: &MeshId,
    ) -> Result<(), FormError> {
        // Not more either: each one is work for every node.
        if approvals.len() != usize::from(self.threshold) {
            return Err(FormError::Approvals { given: approvals.len(), needed: self.threshold });
        }
        if !approvals.is_sorted_by(|a, b| a.member < b.member) {
            return Err(FormError::ApprovalTwice);
        }
        let statement = call.statement(mesh)?;
        for Approval { member, signature } in approvals {
            let member = self.members.get(usize::from(*member)).ok_or(FormError::NoSuchMember)?;
            statement.verify(member, signature).map_err(|_| FormError::Approval { member: *member })?;
        }
        Ok(())
    }

    /// The approval of the member with `key`; none when it is no member.
    ///
    /// # Errors
    /// When the call has no canonical form.
    pub fn approve(
        &self,
        call: &ApprovedCall<'_>,
        key: &NodeKey,
        mesh: &MeshId,
    ) -> Result<Option<Approval>, FormError> {
        let signature = call.statement(mesh)?.sign(key);
        let member = self.members.iter().position(|member| *member == key.node_id());
        Ok(member.and_then(|at| u8::try_from(at).ok()).map(|member| Approval { member, signature }))
    }

    /// The members whose approval among `approvals` is valid, each once.
    ///
    /// # Errors
    /// When the call has no canonical form.
    pub fn approved_by(
        &self,
        call: &ApprovedCall<'_>,
        approvals: &[Approval],
        mesh: &MeshId,
    ) -> Result<BTreeSet<NodeId>, FormError> {
        let statement = call.statement(mesh)?;
        let valid = |Approval { member, signature }: &Approval| {
            let member = *self.members.get(usize::from(*member))?;
            statement.verify(&member, signature).ok().map(|()| member)
        };
        Ok(approvals.iter().filter_map(valid).collect())
    }
}

impl ApprovedCall<'_> {
    fn statement(&self, mesh: &MeshId) -> Result<DetachedStatement, FormError> {
        let body = cbor::encode(self).map_err(|_| FormError::Encoding)?;
        Ok(DetachedStatement::new(APPROVAL, mesh, &body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 32])
    }

    #[test]
    fn the_id_is_of_the_threshold_and_the_members_in_any_order() {
        let of = |threshold, members: &[u8]| {
            let members = members.iter().copied().map(id).collect();
            MultisigAccount::new(threshold, members).map(|account| account.id())
        };
        let ours = of(2, &[1, 2, 3]).unwrap();
        assert_eq!(of(2, &[3, 1, 2]), Ok(ours));
        for other in [of(3, &[1, 2, 3]), of(2, &[1, 2]), of(2, &[1, 2, 4])] {
            assert_ne!(other, Ok(ours));
        }
        assert_eq!(ours.to_string(), "12D3KooWLTrfWmE6kyPwps96UJSodXU768t3PaT9mBWo6i9Z9Zc4");
    }

    #[test]
    fn refuses_members_and_thresholds_that_mean_something_else() {
        let of = |threshold, members: Vec<NodeId>| MultisigAccount::new(threshold, members);
        let many = |count: u8| (1..=count).map(id).collect::<Vec<_>>();
        for (threshold, count) in [(0, 3), (1, 3), (4, 3), (1, 1), (2, 1), (2, 17), (0, 0)] {
            assert_eq!(of(threshold, many(count)), Err(FormError::Threshold), "{threshold} of {count}");
        }
        assert!(of(16, many(16)).is_ok());
        assert_eq!(of(2, vec![id(1), id(1), id(2)]), Err(FormError::Members));
        let unsorted = MultisigAccount { threshold: 2, members: vec![id(2), id(1)] };
        assert_eq!(unsorted.check(), Err(FormError::Members));
    }
}
