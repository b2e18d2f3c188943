//! What a transaction does, in words.

use nervure_ledger::transaction::Outcome;

/// What it would do.
pub(super) fn future(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Transferred { to, amount } => format!("pays {amount} tokens to {to}"),
        Outcome::Staked { node, amount } => format!("stakes {amount} tokens to {node}"),
        Outcome::Unstaked { node, amount, free } => {
            format!("takes {amount} tokens back from {node}, to be spent from block {free} on")
        }
        other => format!("does this: {other:?}"),
    }
}

/// What it did.
pub(super) fn past(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Transferred { to, amount } => format!("paid {amount} tokens to {to}"),
        Outcome::Staked { node, amount } => format!("staked {amount} tokens to {node}"),
        Outcome::Unstaked { node, amount, free } => {
            format!("took {amount} tokens back from {node}, to be spent from block {free} on")
        }
        other => format!("{other:?}"),
    }
}
