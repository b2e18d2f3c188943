//! What all kinds of transactions have in common.
//!
//! Everything that is particular to a kind is in its file: what it carries, the key that signs it, its rules, its
//! outcome, and its words for the user. [`super::Call`] and [`super::Outcome`] list the kinds; the compiler names
//! every match where a new one is missing.

use nervure_primitives::NodeId;

use super::Rejection;
use crate::state::LedgerState;

/// A kind of transaction.
pub(crate) trait TransactionKind {
    /// What it did, for events, wallets and explorers.
    type Outcome;

    /// The key that signs it.
    const SIGNER: SignerKey;

    /// Applies it for `signer`, whose nonce and fee are in order.
    ///
    /// It checks everything before it writes anything: a rejected transaction leaves no trace.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerKey {
    /// An owner key: it holds tokens and pays a fee.
    Owner,
    /// A node key: it moves no tokens and pays no fee; each kind says how often it may be sent.
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
