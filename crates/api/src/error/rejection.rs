//! What to do about a transaction that the ledger refuses.

use nervure_ledger::transaction::Refusal;

/// The next step, for people at a terminal.
pub(super) fn next_step(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Expired { .. } | Refusal::Nonce { .. } => {
            "something of this key waits for a block: try again in a moment"
        }
        Refusal::Fee { .. } => "raise --fee, or leave it out",
        Refusal::Balance { .. } => "see what the key holds: nervure wallet show",
        Refusal::NoSuchNode { .. } => "make its key yours first: nervure key register FILE",
        Refusal::NotOwner { .. } => "sign with its owner's key: --key FILE",
        Refusal::KeyTaken { .. } => "make a new key: nervure key new --out FILE",
        Refusal::Take { .. } => "at most 18 %: nervure stake take NODE 18",
        Refusal::StakeTooSmall { .. } | Refusal::NotStaked { .. } => "see the stakes: nervure wallet show",
        Refusal::WrongKey | Refusal::NodeFee => "name the right key: --key FILE",
        Refusal::NoSuchSubnet { .. } => "see which there are: nervure subnet list",
        Refusal::NoSubnetPlace => "wait until a subnet is no longer immune: nervure subnet list",
        Refusal::AlreadyThere { .. } | Refusal::NoSlot { .. } | Refusal::NoSuchUid { .. } => {
            "see who is in it: nervure subnet show N"
        }
        Refusal::Price { .. } => "raise the limit, or wait: prices fall with every block",
        Refusal::NotThere { .. } => "take a slot first: nervure neuron register --netuid N --node NODE",
        Refusal::WeightStake { .. } | Refusal::NoPermit => {
            "more stake, and the next epoch, may give it one: nervure stake add NODE AMOUNT"
        }
        Refusal::CommitFirst { .. } => "commit to them: nervure weights commit N UID=WEIGHT...",
        Refusal::NoCommits { .. } => "set them: nervure weights set N UID=WEIGHT...",
        Refusal::NoSuchCommit => "sign with the key that committed to them: --key FILE",
        Refusal::RevealTime { reveal_in, now } if now < reveal_in => "wait for that epoch: --wait",
        Refusal::RevealTime { .. } => "it is over: commit again, and reveal in the epoch after",
        Refusal::NotSubnetOwner { .. } => {
            "sign with the owner's key: --key FILE; nervure subnet show N names the owner"
        }
        Refusal::Hyperparameter(_) => "see the limits: docs/ledger.md, \"Hyperparameters\"",
        Refusal::TakeTooSoon { .. }
        | Refusal::WeightsTooSoon { .. }
        | Refusal::HyperparameterTooSoon { .. }
        | Refusal::VoteTooSoon { .. } => "wait for that block: nervure status says which it is now",
        _ => "docs/ledger.md says what the ledger takes",
    }
}
