//! The outcome of a transaction, as text.

use nervure_ledger::{subnet::Hyperparameter, transaction::Outcome};
use nervure_primitives::{Amount, Netuid, NodeId};

use crate::cli::stake::percent;

/// The effect that it will have.
pub(super) fn future(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Transferred { to, amount } => format!("pays {amount} tokens to {to}"),
        Outcome::NodeRegistered { node } => format!("registers {node} under your owner account"),
        Outcome::KeySwapped { old, new } => {
            format!("replaces the key {old} of a node with {new}, permanently")
        }
        Outcome::TakeSet { node, take } => {
            format!("lets the owner of {node} keep {} of its stakers' dividends", percent(*take))
        }
        Outcome::Staked { node, amount } => format!("stakes {amount} tokens on {node}"),
        Outcome::Unstaked { node, amount, free } => {
            format!("removes a stake of {amount} tokens from {node}; they can be spent from block {free} on")
        }
        Outcome::SubnetRegistered { netuid, locked, dissolved } => {
            format!("creates subnet {netuid} and locks {locked} tokens{}", instead(*dissolved))
        }
        Outcome::NeuronRegistered { netuid, uid, price, replaced } => {
            format!("takes slot {uid} of subnet {netuid} and burns {price} tokens{}", from(*replaced))
        }
        Outcome::WeightsCommitted { netuid, reveal_in, .. } => {
            format!("commits weights in subnet {netuid}, to be revealed in epoch {reveal_in} and no other")
        }
        Outcome::WeightsRevealed { netuid, .. } => format!("reveals weights in subnet {netuid}"),
        Outcome::WeightsSet { netuid, .. } => format!("sets weights in subnet {netuid}"),
        Outcome::HyperparameterSet { netuid, to } => {
            format!("sets {} in subnet {netuid}", rule(to))
        }
        Outcome::MechanismSet { netuid } => format!("sets the mechanism of subnet {netuid}"),
        Outcome::Voted => "votes on how the emission is shared among subnets".into(),
        other => format!("has this outcome: {}", json(other)),
    }
}

/// The effect that it had.
pub(super) fn past(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Transferred { to, amount } => format!("paid {amount} tokens to {to}"),
        Outcome::NodeRegistered { node } => format!("{node} is registered under your owner account"),
        Outcome::KeySwapped { old, new } => format!("node {old} has the key {new}"),
        Outcome::TakeSet { node, take } => {
            format!("the owner of {node} keeps {} of its stakers' dividends", percent(*take))
        }
        Outcome::Staked { node, amount } => format!("staked {amount} tokens on {node}"),
        Outcome::Unstaked { node, amount, free } => {
            format!("removed a stake of {amount} tokens from {node}; they can be spent from block {free} on")
        }
        Outcome::SubnetRegistered { netuid, locked, dissolved } => {
            format!("subnet {netuid} is created, {locked} tokens are locked{}", instead(*dissolved))
        }
        Outcome::NeuronRegistered { netuid, uid, price, replaced } => {
            format!("slot {uid} of subnet {netuid} is taken, {}{}", burned(*price), from(*replaced))
        }
        Outcome::WeightsCommitted { netuid, reveal_in, .. } => {
            format!("weights in subnet {netuid} are committed, to be revealed in epoch {reveal_in}")
        }
        Outcome::WeightsRevealed { netuid, .. } => {
            format!("the weights in subnet {netuid} count from now on")
        }
        Outcome::WeightsSet { netuid, .. } => format!("the weights in subnet {netuid} count from now on"),
        Outcome::HyperparameterSet { netuid, to } => {
            format!("{} in subnet {netuid}", rule(to))
        }
        Outcome::MechanismSet { netuid } => {
            format!("validators set tasks in subnet {netuid} by the new mechanism")
        }
        Outcome::Voted => "the vote counts from now on".into(),
        other => json(other),
    }
}

fn burned(price: Amount) -> String {
    format!("{price} tokens are burned")
}

fn instead(dissolved: Option<Netuid>) -> String {
    dissolved.map(|gone| format!("; subnet {gone} is dissolved")).unwrap_or_default()
}

fn from(replaced: Option<NodeId>) -> String {
    replaced.map(|former| format!("; {former} loses it")).unwrap_or_default()
}

/// A rule and its value: `tempo = 120`.
fn rule(to: &Hyperparameter) -> String {
    match serde_json::to_value(to) {
        Ok(serde_json::Value::Object(fields)) => {
            fields.iter().map(|(name, value)| format!("{name} = {value}")).collect()
        }
        _ => json(to),
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
