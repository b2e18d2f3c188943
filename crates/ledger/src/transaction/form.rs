//! What can be said of a call whatever the state is: its weight, what it may hold, and what can be wrong with it. No block
//! has a call that is malformed.

use nervure_primitives::{MeshId, NodeId};

use super::{
    Call, SignerKey, TransactionKind,
    batch::{MAX_BATCH_CALLS, MAX_BATCH_WEIGHT},
    with_kind,
};
use crate::{multisig::MAX_MEMBERS, proxies::ProxyScope};

/// What a call may hold: only calls of a lower rank, so that no nesting is deeper than there are ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// No other call.
    Single,
    /// The call of a proxy.
    Proxy,
    /// Several calls.
    Batch,
    /// The call of a threshold account.
    Multisig,
}

/// Why a transaction is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A call inside another one that may not hold it.
    #[error(
        "a threshold account's call may hold a batch, a batch calls of proxies, and nothing the other way round"
    )]
    Nesting,
    /// A call inside another one that an owner key does not sign.
    #[error("only calls that an owner key signs can be inside another one")]
    NodeKey,
    /// A batch of no calls, or too many.
    #[error("a batch has 1 to {MAX_BATCH_CALLS} calls")]
    BatchLength,
    /// A batch that is too much work for one transaction.
    #[error("the calls of a batch weigh at most {MAX_BATCH_WEIGHT} together")]
    BatchWeight,
    /// Not a threshold of a threshold account.
    #[error("a threshold account has 2 to {MAX_MEMBERS} members, and a threshold from 2 to their number")]
    Threshold,
    /// Members that are not in their one order.
    #[error("the members of a threshold account are named once each, in ascending order")]
    Members,
    /// Other than the number of approvals that is needed.
    #[error("{given} approvals, exactly {needed} are needed")]
    Approvals {
        /// How many there are.
        given: usize,
        /// The threshold.
        needed: u8,
    },
    /// Approvals of one member, or not in the order of the members.
    #[error("each member approves once, in the order of the members")]
    ApprovalTwice,
    /// An approval of a member that there is not.
    #[error("an approval names a member that does not exist")]
    NoSuchMember,
    /// A signature that does not hold.
    #[error("the approval of {member} is not for this call, nonce, expiry, account and mesh")]
    Approval {
        /// The member.
        member: NodeId,
    },
    /// It has no canonical bytes.
    #[error("it has no canonical form")]
    Encoding,
}

/// Refuses a call that one of rank `outer` may not hold, or that is malformed itself.
pub(super) fn check_inner(outer: Rank, call: &Call, mesh: &MeshId) -> Result<(), FormError> {
    if call.rank() >= outer {
        return Err(FormError::Nesting);
    }
    if call.signer() != SignerKey::Owner {
        return Err(FormError::NodeKey);
    }
    // Ranks fall with each step, so this ends.
    call.check(mesh)
}

impl Call {
    /// What it may hold, and what may hold it.
    pub(crate) fn rank(&self) -> Rank {
        fn of<K: TransactionKind>(_: &K) -> Rank {
            K::RANK
        }
        with_kind!(self, kind => of(kind))
    }

    /// The calls inside of it.
    pub(crate) fn inside(&self) -> &[Self] {
        with_kind!(self, kind => kind.inside())
    }

    /// Refuses what no state makes valid, such as signatures of others that do not hold on `mesh`.
    pub(crate) fn check(&self, mesh: &MeshId) -> Result<(), FormError> {
        with_kind!(self, kind => kind.check(mesh))
    }

    /// How many signatures of others [`Self::check`] verifies.
    pub(crate) fn signatures(&self) -> usize {
        let inside = self.inside().iter().map(Self::signatures).sum::<usize>();
        with_kind!(self, kind => kind.signatures()).saturating_add(inside)
    }

    /// What it costs every node beyond what all transactions cost.
    pub(crate) fn weight(&self) -> u64 {
        with_kind!(self, kind => kind.weight())
    }

    /// Which proxies may do it for an owner.
    pub fn scope(&self) -> Option<ProxyScope> {
        with_kind!(self, kind => kind.scope())
    }

    /// What it asks for, in words that need no ledger: for those who sign it offline.
    pub fn intent(&self) -> String {
        with_kind!(self, kind => kind.intent()).unwrap_or_else(|| format!("{self:?}"))
    }
}
