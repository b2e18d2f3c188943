//! Puts weights on the ledger: committed late in an epoch, when most tasks are scored, and revealed when the next epoch
//! begins; or set in plain, where a subnet has turned commit-reveal off.

use std::collections::BTreeMap;

use nervure_ledger::{
    chain::Tip,
    subnet::{Neuron, Subnet},
    transaction::{
        Call, CommitWeights, RevealWeights, SetWeights, SignedTransaction, Transaction, commitment,
    },
};
use nervure_primitives::{Amount, BlockHeight, Netuid};

use super::{SubnetWorker, Validator, store::ValidatorStore};

/// Weights are committed in the last part of an epoch: one in this many, and at least [`MIN_COMMIT_WINDOW_BLOCKS`].
const COMMIT_WINDOW_DIVISOR: u64 = 3;
const MIN_COMMIT_WINDOW_BLOCKS: u64 = 3;

/// A weights transaction expires after this many blocks, and is made again.
const WEIGHTS_EXPIRY_BLOCKS: u64 = 4;

/// A submitted transaction that is not final yet: the nonce after it, and its last valid block.
#[derive(Default)]
pub(super) struct PendingWeights(Option<(u64, u64)>);

impl PendingWeights {
    /// Submits what is due in all subnets.
    pub(super) async fn next(
        &mut self,
        validator: &Validator,
        tip: &Tip,
        workers: &BTreeMap<Netuid, SubnetWorker>,
    ) {
        let own = validator.own();
        let Some(node) = tip.state.nodes().get(&own) else { return };
        let height = tip.header.height.0;
        // One batch at a time: a second one would use the same nonces. An expired batch never enters a block,
        // so that its nonces are free.
        if self.0.is_some_and(|(nonce, expiry)| node.nonce < nonce && height <= expiry) {
            return;
        }
        let mut calls = Vec::new();
        for (netuid, worker) in workers {
            let Some(subnet) = tip.state.subnets().get(netuid) else { continue };
            let neuron = subnet.uid_of(&own).and_then(|uid| subnet.neuron(uid));
            let neuron = neuron.filter(|neuron| neuron.permit);
            if let Some(neuron) = neuron {
                calls.extend(due(
                    validator,
                    OwnNeuron { netuid: *netuid, subnet, neuron },
                    &mut worker.store.lock(),
                    height,
                ));
            }
        }
        let mut nonce = node.nonce;
        let expiry = height.saturating_add(WEIGHTS_EXPIRY_BLOCKS);
        for call in calls {
            // Free, in the lane of validators.
            let (fee, tip) = (Amount::ZERO, Amount::ZERO);
            let transaction = Transaction { nonce, fee, tip, expiry: BlockHeight(expiry), call };
            let Ok(envelope) = transaction.seal(&validator.key, &validator.mesh) else { return };
            let signed = SignedTransaction::verify(envelope, &validator.mesh);
            if let Err(error) = validator.chain.submit(signed).await {
                tracing::debug!(%error, "weights are submitted again later");
                return;
            }
            // The transactions of one key form a chain: each is valid only after the one before.
            nonce += 1;
            self.0 = Some((nonce, expiry));
        }
    }
}

/// This node's neuron in a subnet.
struct OwnNeuron<'a> {
    netuid: Netuid,
    subnet: &'a Subnet,
    neuron: &'a Neuron,
}

/// Whether the part of an epoch in which weights are committed has begun after block `height`.
pub(super) fn are_due(subnet: &Subnet, height: u64) -> bool {
    let window = (subnet.hyperparameters.tempo / COMMIT_WINDOW_DIVISOR).max(MIN_COMMIT_WINDOW_BLOCKS);
    subnet.due.saturating_sub(height) <= window
}

/// The weights transaction that is due in a subnet after block `height`.
fn due(validator: &Validator, own: OwnNeuron<'_>, store: &mut ValidatorStore, height: u64) -> Option<Call> {
    let OwnNeuron { netuid, subnet, neuron } = own;
    let (left, late) = (subnet.due.saturating_sub(height), are_due(subnet, height));
    if !subnet.hyperparameters.commit_reveal {
        let from = neuron.last_update.saturating_add(subnet.hyperparameters.weights_interval);
        let weights = store.weights(subnet);
        let set = SetWeights { netuid, weights, version_key: subnet.hyperparameters.version_key };
        return (late && height >= from && !set.weights.is_empty()).then_some(Call::SetWeights(set));
    }
    let hash = |weights: &RevealWeights| commitment(&validator.mesh, &validator.own(), weights);
    let to_reveal = neuron.commits.iter().find(|commit| commit.epoch.saturating_add(1) == subnet.epoch);
    if let Some(commit) = to_reveal
        && let Some(committed) = store.committed(commit.epoch)
        && hash(committed) == commit.hash
    {
        return Some(Call::RevealWeights(committed.clone()));
    }
    let committed = neuron.commits.iter().any(|commit| commit.epoch == subnet.epoch);
    // Not in the epoch's last block: the commit would be applied in the next epoch.
    if committed || !late || left <= 1 {
        return None;
    }
    let weights = match store.committed(subnet.epoch) {
        Some(kept) => kept.clone(),
        None => store.commit(netuid, subnet)?,
    };
    Some(Call::CommitWeights(CommitWeights { netuid, hash: hash(&weights) }))
}
