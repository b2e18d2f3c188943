//! The epochs of the subnets: who earned what is computed and paid.
//!
//! The pot is what the subnet collected since its last epoch. The owner gets its share; Yuma splits
//! the rest. A miner's part goes to the balance of its node's owner, a validator's part to the stakes
//! behind it, less its take. Whatever rounding leaves stays in the pot.
//!
//! Stake counts by time: the stake of a node is its average over the blocks of the epoch, and dividends are released to
//! its stakers over as many blocks. Who stakes for one block gets one block's part.
//!
//! A block computes epochs up to a limit of weight; the others wait for the next block
//! (`subnet/epoch_weight.rs` says why none waits longer than the shortest tempo).
//!
//! The inputs of an epoch go to the caller, which stores them; their hash stays in the subnet's record.

use std::sync::Arc;

use nervure_consensus::yuma::{self, EpochOutput, Prior, checked_sum};
use nervure_primitives::{Amount, Netuid};

use super::{Advanced, LedgerState};
use crate::{
    economics::emission::split,
    event::Event,
    lane::LaneScope,
    subnet::{EpochInputs, Metagraph, Neuron, NeuronInputs, Subnet},
};

/// The inputs of an epoch, to explain its results later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochRecord {
    /// The subnet.
    pub netuid: Netuid,
    /// The encoded [`EpochInputs`]; the subnet's record has their hash.
    pub inputs: Vec<u8>,
}

impl LedgerState {
    /// Runs the epochs that are due, those that wait longest first, until their weight reaches `limit`. The first one
    /// always runs.
    pub(super) fn run_epochs(&mut self, limit: u64, advanced: &mut Advanced) {
        let mut left = limit;
        for netuid in self.waiting_epochs() {
            let weight = self.subnets.get(&netuid).map_or(0, Subnet::epoch_weight);
            // The others wait, even if a smaller one would fit: none may be overtaken again and again.
            if weight > left && left < limit {
                return;
            }
            left = left.saturating_sub(weight);
            // Taken out, because paying changes the nodes and accounts of the same state. It goes back
            // below.
            if let Some(mut subnet) = self.subnets.remove(&netuid) {
                let inputs = self.inputs(netuid, &subnet);
                match self.epoch(&mut subnet, &inputs) {
                    Ok((event, inputs)) => {
                        advanced.events.push(event);
                        advanced.epochs.push(EpochRecord { netuid, inputs });
                    }
                    Err(why) => advanced.events.push(Event::EpochFailed { netuid, why }),
                }
                self.begin_stake_average(&mut subnet);
                self.subnets.insert(netuid, subnet);
                self.lane.reset(LaneScope::Subnet(netuid));
            }
        }
    }

    /// The subnets whose epochs are due: the longest due first, equal ones by number. This is the order of events and of
    /// payments in the block.
    fn waiting_epochs(&self) -> Vec<Netuid> {
        let due = self.subnets.iter().filter(|(_, subnet)| subnet.due <= self.height);
        let mut due: Vec<_> = due.map(|(netuid, subnet)| (subnet.due, *netuid)).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, netuid)| netuid).collect()
    }

    /// What the epoch that is due is computed from.
    fn inputs(&self, netuid: Netuid, subnet: &Subnet) -> EpochInputs {
        let (owner_part, emission) =
            if subnet.owner.is_some() { split(subnet.pending) } else { (0, subnet.pending) };
        let set = &subnet.hyperparameters;
        // Commits are appended, so the first one is the earliest. Those that expired went at the last
        // epoch.
        let promised = |neuron: &Neuron| neuron.commits.first().map(|commit| commit.block);
        let neuron = |neuron: &Arc<Neuron>| NeuronInputs {
            node: neuron.node,
            stake: self.average_stake(subnet, neuron),
            last_update: neuron.last_update,
            registered: neuron.registered,
            permit: neuron.permit,
            commit_block: if set.commit_reveal { promised(neuron) } else { None },
            weights: neuron.weights.clone(),
            bonds: neuron.bonds.clone(),
            priors: neuron.priors,
        };
        EpochInputs {
            netuid,
            epoch: subnet.epoch,
            block: self.height,
            owner_part,
            emission,
            // The block of the last step before this one: `epoch` moves it only after the inputs are read.
            params: yuma::Params {
                peer_prediction: self.params.peer_prediction.unwrap_or(0),
                ..set.epoch(self.params.weight_stake, subnet.owner_uid(), subnet.last_step)
            },
            neurons: subnet.neurons.iter().map(neuron).collect(),
        }
    }

    /// What stood behind a neuron in the blocks of the epoch that ends, on average, in base units: stake counts by the time
    /// that it was there, and the stake of a newcomer by the time that it had the slot.
    fn average_stake(&self, subnet: &Subnet, neuron: &Neuron) -> u64 {
        let blocks = self.height.saturating_sub(subnet.began).max(1);
        let sum = self.nodes.get(&neuron.node).map_or(0, |node| node.stake_blocks(self.height));
        let average = sum.saturating_sub(neuron.stake_blocks) / u128::from(blocks);
        u64::try_from(average).unwrap_or(u64::MAX)
    }

    /// Notes where the averages of the next epoch begin.
    fn begin_stake_average(&self, subnet: &mut Subnet) {
        for neuron in &mut subnet.neurons {
            let sum = self.nodes.get(&neuron.node).map_or(0, |node| node.stake_blocks(self.height));
            // Only then: a neuron without stake, as most are, stays the same object.
            if neuron.stake_blocks != sum {
                Arc::make_mut(neuron).stake_blocks = sum;
            }
        }
    }

    /// Computes and pays an epoch; returns what it was computed from, encoded. One that cannot be computed ends all the
    /// same, and its pot waits for the next one.
    fn epoch(&mut self, subnet: &mut Subnet, inputs: &EpochInputs) -> Result<(Event, Vec<u8>), String> {
        let EpochInputs { netuid, epoch, owner_part, emission, .. } = *inputs;
        let computed = inputs.run();
        let blocks = self.height.saturating_sub(subnet.began);
        // Before the error leaves: an epoch that cannot be computed would otherwise be due again in every
        // block.
        subnet.end_epoch(self.height);
        let output = computed.map_err(|error| error.to_string())?;
        let encoded = inputs.encode().map_err(|error| error.to_string())?;
        subnet.last_step = self.height;
        let mut paid = self.pay(subnet, &output, EpochPot { emission, blocks });
        let least = self.params.existential_deposit();
        // What is too little for an account waits in the pot for the next epoch.
        if let Some(owner) = subnet.owner
            && self.accounts.credit(owner, owner_part, least)
        {
            subnet.earned = subnet.earned.saturating_add(owner_part);
            paid = paid.saturating_add(owner_part);
        }
        // By what was paid and not by the pot: the remainder of every rounding stays for the next epoch.
        subnet.pending = subnet.pending.saturating_sub(paid);
        keep(subnet, output);
        // After the payment and `keep`: rows show the stakes and the results that this epoch leaves.
        subnet.metagraph = Some(Metagraph::of(&self.nodes, netuid, epoch, subnet).root());
        subnet.inputs = Some(EpochInputs::hash(&encoded));
        Ok((Event::Epoch { netuid, epoch, paid: Amount::from_base_units(paid) }, encoded))
    }

    /// Pays miners and validators; returns what was paid, at most `emission`. Nothing is paid if the
    /// parts added up to more than there is, which the cap on all stakes excludes.
    fn pay(&mut self, subnet: &Subnet, output: &EpochOutput, pot: EpochPot) -> u64 {
        let miners = checked_sum(&output.server_emission);
        let validators = checked_sum(&output.validator_emission);
        // The whole is compared before the first payment: tokens that were never minted must not be paid.
        if miners.zip(validators).and_then(|(a, b)| a.checked_add(b)).is_none_or(|sum| sum > pot.emission) {
            return 0;
        }
        let (mut paid, least) = (0, self.params.existential_deposit());
        let parts = output.server_emission.iter().zip(&output.validator_emission);
        for (neuron, (mined, validated)) in subnet.neurons.iter().zip(parts) {
            let Some(node) = self.nodes.get(&neuron.node) else { continue };
            // A miner's part can be spent at once; a validator's part is released to the stakes behind it.
            if self.accounts.credit(node.owner, *mined, least) {
                paid += mined;
            }
            paid += self.nodes.pay_dividends(neuron.node, *validated, pot.blocks);
        }
        paid
    }
}

/// What an epoch pays out.
#[derive(Clone, Copy, Debug)]
struct EpochPot {
    /// The part of miners and validators, in base units.
    emission: u64,
    /// How many blocks the epoch had.
    blocks: u64,
}

/// Stores what the epoch found out.
fn keep(subnet: &mut Subnet, output: EpochOutput) {
    for (uid, (neuron, bonds)) in subnet.neurons.iter_mut().zip(output.bonds).enumerate() {
        let neuron = Arc::make_mut(neuron);
        neuron.bonds = bonds;
        neuron.permit = output.new_permits[uid];
        neuron.emission = output.emission[uid];
        neuron.consensus = output.consensus[uid];
        neuron.incentive = output.incentive[uid];
        neuron.dividends = output.dividends[uid];
        neuron.validator_trust = output.validator_trust[uid];
        let [last, _] = neuron.priors;
        // Without peer prediction there are none, and those of before the change are forgotten.
        neuron.priors = output.priors.get(uid).map_or([Prior::default(); 2], |new| [*new, last]);
    }
}

#[cfg(test)]
mod tests;
