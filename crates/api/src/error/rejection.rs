//! What to do about a transaction that the ledger refuses.

use nervure_ledger::transaction::Rejection;

/// The next step, for people at a terminal.
pub(super) fn next_step(refusal: &Rejection) -> &'static str {
    match refusal {
        Rejection::Expired { .. } | Rejection::Nonce { .. } => {
            "something of this key waits for a block: try again in a moment"
        }
        Rejection::Fee { .. } => "raise --fee, or leave it out",
        Rejection::Balance { .. } => "see what the key holds: nervure wallet show",
        Rejection::NoSuchNode { .. } => "make its key yours first: nervure key register FILE",
        Rejection::NotOwner { .. } => "sign with its owner's key: --key FILE",
        Rejection::KeyTaken { .. } => "make a new key: nervure key new --out FILE",
        Rejection::Take { .. } => "at most 18 %: nervure stake take NODE 18",
        Rejection::StakeTooSmall { .. } | Rejection::NotStaked { .. } => {
            "see the stakes: nervure wallet show"
        }
        Rejection::WrongKey | Rejection::NodeFee => "name the right key: --key FILE",
        Rejection::NoSuchSubnet { .. } => "see which there are: nervure subnet list",
        Rejection::NoSubnetPlace => "wait until a subnet is no longer immune: nervure subnet list",
        Rejection::AlreadyThere { .. } | Rejection::NoSlot { .. } | Rejection::NoSuchUid { .. } => {
            "see who is in it: nervure subnet show N"
        }
        Rejection::Price { .. } => "raise the limit, or wait: prices fall with every block",
        Rejection::NotThere { .. } => "take a slot first: nervure neuron register --netuid N --node NODE",
        Rejection::WeightStake { .. } | Rejection::NoPermit => {
            "more stake, and the next epoch, may give it one: nervure stake add NODE AMOUNT"
        }
        Rejection::CommitFirst { .. } => "commit to them: nervure weights commit N UID=WEIGHT...",
        Rejection::NoCommits { .. } => "set them: nervure weights set N UID=WEIGHT...",
        Rejection::NoSuchCommit => "sign with the key that committed to them: --key FILE",
        Rejection::RevealTime { reveal_in, now } if now < reveal_in => "wait for that epoch: --wait",
        Rejection::RevealTime { .. } => "it is over: commit again, and reveal in the epoch after",
        Rejection::NotSubnetOwner { .. } => {
            "sign with the owner's key: --key FILE; nervure subnet show N names the owner"
        }
        Rejection::Hyperparameter(_) => "see the limits: docs/ledger.md, \"Hyperparameters\"",
        Rejection::TakeTooSoon { .. }
        | Rejection::WeightsTooSoon { .. }
        | Rejection::HyperparameterTooSoon { .. }
        | Rejection::VoteTooSoon { .. } => "wait for that block: nervure status says which it is now",
        _ => "docs/ledger.md says what the ledger takes",
    }
}
