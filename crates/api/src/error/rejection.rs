//! The next step after a transaction that the ledger rejects.

use nervure_ledger::transaction::Rejection;

/// The next step, for people at a terminal.
pub(super) fn next_step(refusal: &Rejection) -> &'static str {
    match refusal {
        Rejection::Expired { .. } | Rejection::Nonce { .. } => {
            "another transaction of this key is pending: try again after the next block"
        }
        Rejection::Fee { .. } => "raise --fee, or omit it",
        Rejection::Balance { .. } => "see the balance: nervure wallet show",
        Rejection::NoSuchNode { .. } => "register its key first: nervure key register FILE",
        Rejection::NotOwner { .. } => "sign with the node owner's key: --key FILE",
        Rejection::KeyTaken { .. } => "create a new key: nervure key new --out FILE",
        Rejection::Take { .. } => "the maximum is 18 %: nervure stake take NODE 18",
        Rejection::StakeTooSmall { .. } | Rejection::NotStaked { .. } => {
            "see the stakes: nervure wallet show"
        }
        Rejection::WrongKey | Rejection::NodeFee => "sign with the right key: --key FILE",
        Rejection::NoSuchSubnet { .. } => "list the subnets: nervure subnet list",
        Rejection::NoSubnetPlace => "wait until a subnet is no longer immune: nervure subnet list",
        Rejection::AlreadyThere { .. } | Rejection::NoSlot { .. } | Rejection::NoSuchUid { .. } => {
            "list its neurons: nervure subnet show N"
        }
        Rejection::Price { .. } => "raise the limit, or wait: the price falls with every block",
        Rejection::NotThere { .. } => {
            "register in the subnet first: nervure neuron register --netuid N --node NODE"
        }
        Rejection::WeightStake { .. } | Rejection::NoPermit => {
            "add stake and wait for the next epoch: nervure stake add NODE AMOUNT"
        }
        Rejection::CommitFirst { .. } => "commit the weights: nervure weights commit N UID=WEIGHT...",
        Rejection::NoCommits { .. } => "set the weights: nervure weights set N UID=WEIGHT...",
        Rejection::NoSuchCommit => "sign with the key that made the commit: --key FILE",
        Rejection::RevealTime { reveal_in, now } if now < reveal_in => "wait for the reveal epoch: --wait",
        Rejection::RevealTime { .. } => {
            "the reveal epoch is over: commit again, and reveal in the next epoch"
        }
        Rejection::NotSubnetOwner { .. } => {
            "sign with the owner's key: --key FILE; nervure subnet show N names the owner"
        }
        Rejection::Hyperparameter(_) => "the limits are in docs/ledger.md, \"Hyperparameters\"",
        Rejection::TakeTooSoon { .. }
        | Rejection::WeightsTooSoon { .. }
        | Rejection::HyperparameterTooSoon { .. }
        | Rejection::VoteTooSoon { .. } => "wait for that block; the current one: nervure status",
        _ => "see docs/ledger.md",
    }
}
