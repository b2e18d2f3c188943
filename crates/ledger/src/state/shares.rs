//! How the reward of a block is shared among the subnets: by the vote of the largest stakes.
//!
//! With `s_i` the share of stake of root validator `i` and `w_ij` its normalised weights, subnet `j`
//! ranks `r_j = sum_i s_i w_ij` and is trusted by `t_j = sum of s_i with w_ij > 0`. Its share is
//! proportional to `r_j / (1 + exp(-10 (t_j - 1/2)))`: a subnet that most stake agrees on gets nearly
//! its rank, one that a minority pushes gets little. Without votes all get the same.

use nervure_consensus::fixed::{I32F32, I64F64, normalize, share_of, sigmoid};
use nervure_primitives::Netuid;

use super::{LedgerState, SubnetVote};

/// How many of the largest stakes vote.
const ROOT_VALIDATORS: usize = 64;

/// How sharply trust divides.
const RHO: I32F32 = I32F32::from_int(10);

impl LedgerState {
    /// Moves the carry into the pots of the subnets; what rounding leaves stays in the carry.
    pub(super) fn share_out(&mut self) {
        if self.subnets.is_empty() {
            return;
        }
        // Shares are of the pot as it is now; the loop below lowers the carry.
        let pot = self.carry;
        let amounts: Vec<u64> = match self.voted_shares() {
            Some(shares) => shares.into_iter().map(|share| share_of(pot, share)).collect(),
            None => vec![pot / self.subnets.len() as u64; self.subnets.len()],
        };
        let window = self.params.emission_average;
        for (netuid, amount) in self.netuids().into_iter().zip(amounts) {
            // Shares are truncated and so add up to at most one; the bound is for the case that they do not.
            let amount = amount.min(self.carry);
            self.carry -= amount;
            if let Some(subnet) = self.subnets.get_mut(&netuid) {
                subnet.collect(amount, window);
            }
        }
    }

    /// The share of each subnet in their order; `None` when no vote counts.
    fn voted_shares(&self) -> Option<Vec<I32F32>> {
        if self.votes.is_empty() {
            return None;
        }
        let netuids = self.netuids();
        let mut rank = vec![I32F32::ZERO; netuids.len()];
        let mut trust = rank.clone();
        for (stake, vote) in self.root_votes() {
            let mut row: Vec<I32F32> = netuids.iter().map(|netuid| weight_for(vote, *netuid)).collect();
            // After the lookup: weights for dissolved subnets are left out and do not dilute the rest of
            // the vote.
            normalize(&mut row);
            for (column, weight) in row.into_iter().enumerate() {
                if weight > I32F32::ZERO {
                    rank[column] += stake * weight;
                    // Trust counts stake once per subnet, whatever the weight.
                    trust[column] += stake;
                }
            }
        }
        let mut shares: Vec<I32F32> = rank
            .into_iter()
            .zip(trust)
            .map(|(rank, trust)| rank * sigmoid(trust, RHO, I32F32::HALF))
            .collect();
        normalize(&mut shares);
        shares.iter().any(|share| *share > I32F32::ZERO).then_some(shares)
    }

    /// The share of stake and the vote of each root validator that voted. Ties at the border go to the
    /// lower key.
    fn root_votes(&self) -> Vec<(I32F32, &SubnetVote)> {
        let roots = || {
            let largest = self.nodes.by_stake().take(ROOT_VALIDATORS);
            largest.map(|(key, stake)| (key, stake.base_units()))
        };
        // The largest stakes, whether they voted or not: stake that does not vote lowers trust.
        let whole = I64F64::from_int(roots().map(|(_, stake)| stake).sum());
        roots()
            .filter_map(|(key, stake)| self.votes.get(&key).map(|vote| (stake, vote)))
            .map(|(stake, vote)| ((I64F64::from_int(stake) / whole).to_i32f32(), vote))
            .collect()
    }
}

/// What a vote gives a subnet, before it is normalised.
fn weight_for(vote: &SubnetVote, netuid: Netuid) -> I32F32 {
    let given = vote.weights.iter().find(|(about, _)| *about == netuid);
    given.map_or(I32F32::ZERO, |(_, weight)| I32F32::from_int((*weight).into()))
}
