//! How the reward of a block is shared among the subnets: by shares that votes of stake move.
//!
//! Each subnet has a share. Every `share_interval` blocks the shares move towards the stake-weighted median of the votes
//! ([`crate::economics::shares`]). The nodes with the largest stakes vote; all other stake counts for the present shares.
//! A new subnet starts with the share that the mesh gives to newcomers, in proportion from the others.

use nervure_primitives::{BlockHeight, Netuid, NodeId};
use serde::{Deserialize, Serialize};

use super::{LedgerState, SubnetVote};
use crate::economics::{
    emission::pro_rata,
    shares::{Ballot, WHOLE, apportion, medians, step},
};

/// How many of the largest stakes vote.
pub const ROOT_VALIDATORS: usize = 64;

/// A new subnet's share is set in parts of this.
const MILLION: u64 = 1_000_000;

/// A subnet's share of the emission now and after the next step, of [`WHOLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShareChange {
    /// The subnet.
    pub netuid: Netuid,
    /// Its share now.
    pub now: u64,
    /// Its share after the next step, if the votes stay as they are.
    pub next: u64,
}

impl LedgerState {
    /// The block of the next step of the shares.
    pub fn next_share_step(&self) -> BlockHeight {
        let interval = self.params.share_interval.max(1);
        BlockHeight((self.height / interval).saturating_add(1).saturating_mul(interval))
    }

    /// Whether a vote of this node counts: whether its stake is one of the largest.
    pub fn is_root_validator(&self, node: &NodeId) -> bool {
        self.nodes.by_stake().take(ROOT_VALIDATORS).any(|(key, _)| key == *node)
    }

    /// What the next step would do with the votes and stakes as they are.
    pub fn share_changes(&self) -> Vec<ShareChange> {
        let next = self.stepped_shares();
        let change = |((netuid, subnet), next): ((&Netuid, &crate::subnet::Subnet), u64)| ShareChange {
            netuid: *netuid,
            now: subnet.share,
            next,
        };
        self.subnets.iter().zip(next).map(change).collect()
    }

    /// Moves the carry into the pots of the subnets; what rounding leaves stays in the carry.
    pub(super) fn share_out(&mut self) {
        // Shares are of the pot as it is now; the loop below lowers the carry.
        let (pot, window) = (self.carry, self.params.emission_average);
        for netuid in self.netuids() {
            if let Some(subnet) = self.subnets.get_mut(&netuid) {
                // Shares add up to the whole; the bound is for the case that they do not.
                let amount = pro_rata(pot, subnet.share, WHOLE).min(self.carry);
                self.carry -= amount;
                subnet.collect(amount, window);
            }
        }
    }

    /// Takes a step towards what stake votes for.
    pub(super) fn step_shares(&mut self) {
        let next = self.stepped_shares();
        self.set_shares(&next);
    }

    /// Gives the subnet `newcomer` its first share, in proportion from the others.
    pub(crate) fn admit_to_shares(&mut self, newcomer: Netuid) {
        let others = self.shares().iter().any(|share| *share > 0);
        let first = pro_rata(WHOLE, self.params.subnet_share.into(), MILLION);
        let first = if others { first } else { WHOLE };
        self.share_among_all_but(newcomer, WHOLE - first);
        if let Some(subnet) = self.subnets.get_mut(&newcomer) {
            subnet.share = first;
        }
    }

    /// Gives the subnets the whole, in proportion to their shares: after one of them is gone.
    pub(crate) fn restore_shares(&mut self) {
        let mut weights = self.shares();
        if weights.iter().all(|share| *share == 0) {
            weights.fill(1);
        }
        self.set_shares(&apportion(&weights, WHOLE));
    }

    /// Scales all shares but one to add up to `whole`.
    fn share_among_all_but(&mut self, one: Netuid, whole: u64) {
        let weight = |(netuid, subnet): (&Netuid, &crate::subnet::Subnet)| match *netuid == one {
            true => 0,
            false => subnet.share,
        };
        let weights: Vec<u64> = self.subnets.iter().map(weight).collect();
        self.set_shares(&apportion(&weights, whole));
    }

    /// The shares of all subnets, by their numbers.
    fn shares(&self) -> Vec<u64> {
        self.subnets.values().map(|subnet| subnet.share).collect()
    }

    fn set_shares(&mut self, shares: &[u64]) {
        for (netuid, share) in self.netuids().into_iter().zip(shares) {
            if let Some(subnet) = self.subnets.get_mut(&netuid) {
                subnet.share = *share;
            }
        }
    }

    /// The shares after a step.
    fn stepped_shares(&self) -> Vec<u64> {
        let (present, ballots) = (self.shares(), self.ballots());
        let voting: u64 = ballots.iter().map(|ballot| ballot.stake).sum();
        let silent = self.nodes.staked().base_units().saturating_sub(voting);
        let target = apportion(&medians(&present, silent, &ballots), WHOLE);
        // Medians can all be zero, when each subnet has a majority against it.
        if target.iter().all(|share| *share == 0) { present } else { step(&present, &target) }
    }

    /// The votes of the largest stakes. Ties at the border go to the lower key.
    fn ballots(&self) -> Vec<Ballot> {
        let ballot = |vote: &SubnetVote, stake: u64| {
            // A vote from before a subnet was for a former one with its number.
            let weight =
                |(netuid, subnet): (&Netuid, &crate::subnet::Subnet)| match subnet.registered <= vote.block {
                    true => weight_for(vote, *netuid),
                    false => 0,
                };
            let weights: Vec<u64> = self.subnets.iter().map(weight).collect();
            // After the lookup: weights for dissolved subnets are left out and do not dilute the rest of the vote.
            let parts = apportion(&weights, WHOLE);
            // A vote for nothing that still exists is no vote.
            parts.iter().any(|part| *part > 0).then_some(Ballot { stake, parts })
        };
        let largest = self.nodes.by_stake().take(ROOT_VALIDATORS);
        largest.filter_map(|(key, stake)| ballot(self.votes.get(&key)?, stake.base_units())).collect()
    }
}

/// What a vote gives a subnet, before it is scaled.
fn weight_for(vote: &SubnetVote, netuid: Netuid) -> u64 {
    let given = vote.weights.iter().find(|(about, _)| *about == netuid);
    given.map_or(0, |(_, weight)| (*weight).into())
}
