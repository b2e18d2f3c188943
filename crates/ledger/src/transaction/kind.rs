//! What a kind of transaction is. [`Call`](super::Call) and [`Outcome`](super::Outcome) list the kinds; the compiler names
//! every match where a new one is missing.

use nervure_primitives::{Amount, MeshId, NodeId};

use super::{Call, FormError, Rank, Rejection};
use crate::{lane::LaneScope, proxies::ProxyScope, state::LedgerState};

/// A kind of transaction.
pub(crate) trait TransactionKind {
    /// What it did, for events, wallets and explorers.
    type Outcome;

    /// The key that signs it.
    const SIGNER: SignerKey;

    /// The first protocol version whose blocks may have it. Programs of earlier versions cannot decode it, so that a block
    /// with it before the height of the upgrade would split the mesh.
    const SINCE: u32 = 1;

    /// What it costs every node beyond what all transactions cost, in the worst case; see the table in `weight.rs`.
    fn weight(&self) -> u64;

    /// What it may hold, and what may hold it.
    const RANK: Rank = Rank::Single;

    /// The calls inside of it.
    fn inside(&self) -> &[Call] {
        &[]
    }

    /// Refuses what no state makes valid: signatures of others, or calls inside of it. Done where the signature of the
    /// transaction is verified; a block with a transaction that fails here is invalid.
    fn check(&self, _: &MeshId) -> Result<(), FormError> {
        Ok(())
    }

    /// How many signatures of others [`Self::check`] verifies.
    fn signatures(&self) -> usize {
        0
    }

    /// Where it counts when a validator sends it for free. Without one, it is always paid for.
    fn lane(&self) -> Option<LaneScope> {
        None
    }

    /// The most that it takes from the account of an owner that signs it, beside the fee, in base units: what it spends
    /// and deposits. The mempool reserves it.
    fn spends(&self, _: &LedgerState) -> u64 {
        0
    }

    /// Whether it spends all that the signer's account holds: then the fee may be taken from the existential deposit.
    fn closes_account(&self) -> bool {
        false
    }

    /// Which proxies may do it for an owner. Without a scope, none: what would let a proxy do more than it was granted, such
    /// as setting proxies, or registering a node key, whose fees its owner pays without a limit.
    fn scope(&self) -> Option<ProxyScope> {
        None
    }

    /// Applies it for `signer`, whose nonce and fee are in order.
    ///
    /// It checks everything before it writes anything: a rejected transaction changes nothing but its nonce and what
    /// was paid for it.
    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection>;

    /// An outcome in words.
    fn description(outcome: &Self::Outcome) -> Description;

    /// What it asks for, in words that complete "this" and need no ledger. Without them, its fields are shown.
    fn intent(&self) -> Option<String> {
        None
    }

    /// The next step of a user whose transaction of this kind is rejected. Most kinds know no better one than the
    /// rejection itself.
    fn hint(&self, rejection: &Rejection) -> &'static str {
        rejection.hint()
    }

    /// One transaction of this kind, whose bytes and words the tests keep.
    #[cfg(test)]
    fn sample() -> super::Sample<Self>
    where
        Self: Sized;
}

/// Which key signs a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignerKey {
    /// An owner key: it holds tokens and pays a fee.
    Owner,
    /// A node key: its owner pays the fee, unless it is free in the lane of validators.
    Node,
}

/// An outcome in words, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Of a transaction that is not submitted yet; completes "this": `pays 5 tokens to …`.
    pub future: String,
    /// Of a transaction that is final: `paid 5 tokens to …`.
    pub past: String,
}

/// What a description says of a deposit, and when it comes back; nothing without one.
pub(super) fn deposited(deposit: Amount, back: &str) -> String {
    match deposit.is_zero() {
        true => String::new(),
        false => format!("; {deposit} tokens are deposited and come back {back}"),
    }
}
