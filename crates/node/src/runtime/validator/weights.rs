//! Weights onto the ledger: promised late in an epoch, when most tasks are in, and shown as soon as the next begins;
//! or set plainly, where a subnet turned that off.

use std::collections::BTreeMap;

use nervure_ledger::{
    chain::Tip,
    subnet::{Neuron, Subnet},
    transaction::{Call, CommitWeights, RevealWeights, SetWeights, Transaction, commitment},
};
use nervure_primitives::{Amount, BlockHeight, Netuid};

use super::{Seat, Validator, desk::Desk, lock};

/// One in so many parts of an epoch is left when its weights are promised; at least [`LEAST_LEFT`] blocks.
const LEFT: u64 = 3;
const LEAST_LEFT: u64 = 3;

/// Blocks within which a transaction has to be in the chain, or is given up and made again.
const PATIENCE: u64 = 4;

/// What was handed in and is not final yet: the nonce after it, and the last block that may carry it.
#[derive(Default)]
pub(super) struct Sent(Option<(u64, u64)>);

impl Sent {
    /// Hands in what is due in all subnets.
    pub(super) async fn next(&mut self, validator: &Validator, tip: &Tip, seats: &BTreeMap<Netuid, Seat>) {
        let own = validator.own();
        let Some(node) = tip.state.nodes().get(&own) else { return };
        let height = tip.header.height.0;
        if self.0.is_some_and(|(nonce, expiry)| node.nonce < nonce && height <= expiry) {
            return;
        }
        let mut calls = Vec::new();
        for (netuid, seat) in seats {
            let Some(subnet) = tip.state.subnets().get(netuid) else { continue };
            let neuron = subnet.uid_of(&own).and_then(|uid| subnet.neuron(uid));
            let neuron = neuron.filter(|neuron| neuron.permit);
            if let Some(neuron) = neuron {
                calls.extend(due(validator, (*netuid, subnet, neuron), &mut lock(&seat.desk), height));
            }
        }
        let mut nonce = node.nonce;
        let expiry = height.saturating_add(PATIENCE);
        for call in calls {
            let transaction = Transaction { nonce, fee: Amount::ZERO, expiry: BlockHeight(expiry), call };
            let Ok(envelope) = transaction.seal(&validator.key, &validator.mesh) else { return };
            if let Err(error) = validator.chain.submit(envelope).await {
                tracing::debug!(%error, "weights are handed in again later");
                return;
            }
            nonce += 1;
            self.0 = Some((nonce, expiry));
        }
    }
}

/// What is to be said about weights in a subnet after block `height`.
fn due(
    validator: &Validator,
    (netuid, subnet, neuron): (Netuid, &Subnet, &Neuron),
    desk: &mut Desk,
    height: u64,
) -> Option<Call> {
    let left = subnet.due.saturating_sub(height);
    let late = left <= (subnet.hyperparameters.tempo / LEFT).max(LEAST_LEFT);
    if !subnet.hyperparameters.commit_reveal {
        let from = neuron.last_update.saturating_add(subnet.hyperparameters.weights_interval);
        let weights = desk.weights(subnet);
        let set = SetWeights { netuid, weights, version_key: subnet.hyperparameters.version_key };
        return (late && height >= from && !set.weights.is_empty()).then_some(Call::SetWeights(set));
    }
    let hash = |weights: &RevealWeights| commitment(&validator.mesh, &validator.own(), weights);
    let shown_now = neuron.commits.iter().find(|commit| commit.epoch.saturating_add(1) == subnet.epoch);
    if let Some(commit) = shown_now
        && let Some(promised) = desk.promised(commit.epoch)
        && hash(promised) == commit.hash
    {
        return Some(Call::RevealWeights(promised.clone()));
    }
    let promised = neuron.commits.iter().any(|commit| commit.epoch == subnet.epoch);
    // Not in the epoch's last block: what would be promised then counts in the next one.
    if promised || !late || left <= 1 {
        return None;
    }
    let weights = match desk.promised(subnet.epoch) {
        Some(kept) => kept.clone(),
        None => desk.promise(netuid, subnet)?,
    };
    Some(Call::CommitWeights(CommitWeights { netuid, hash: hash(&weights) }))
}
