//! What a kind of transaction is. [`Call`](super::Call) and [`Outcome`](super::Outcome) list the kinds; the compiler names
//! every match where a new one is missing.

use nervure_primitives::NodeId;

use super::Rejection;
use crate::{lane::LaneScope, state::LedgerState};

/// A kind of transaction.
pub(crate) trait TransactionKind {
    /// What it did, for events, wallets and explorers.
    type Outcome;

    /// The key that signs it.
    const SIGNER: SignerKey;

    /// What it costs every node beyond what all transactions cost, in the worst case; see the table in `weight.rs`.
    fn weight(&self) -> u64;

    /// Where it counts when a validator sends it for free. Without one, it is always paid for.
    fn lane(&self) -> Option<LaneScope> {
        None
    }

    /// The most that it takes from the account of an owner that signs it, beside the fee, in base units. The mempool
    /// reserves it.
    fn spends(&self, _: &LedgerState) -> u64 {
        0
    }

    /// Applies it for `signer`, whose nonce and fee are in order.
    ///
    /// It checks everything before it writes anything: a rejected transaction changes nothing but its nonce and what
    /// was paid for it.
    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection>;

    /// An outcome in words.
    fn description(outcome: &Self::Outcome) -> Description;

    /// The next step of a user whose transaction of this kind is rejected. Most kinds know no better one than the
    /// rejection itself.
    fn hint(&self, rejection: &Rejection) -> &'static str {
        rejection.hint()
    }
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
