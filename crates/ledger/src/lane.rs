//! The lane of validators: block weight that is reserved for their weights, votes and anchor keys, which are free.
//!
//! A mesh without these decides nothing, so that no price may keep them out of blocks. Who has no permit, or is no
//! validator, cannot use the lane; who is may use it [`lane_quota`](crate::params::Params::lane_quota) times in each
//! [`LaneScope`], whether the transaction succeeds or not. Beyond that, and for all other keys, the owner of the node
//! pays as for any other transaction.
//!
//! What a hostile permit holder can do: use its own quota. It cannot reach the weight that pays, nor the quota of others.

use imbl::OrdMap;
use nervure_primitives::{Netuid, NodeId};
use serde::{Deserialize, Serialize};

use crate::{
    state::LedgerState,
    transaction::{Call, InclusionRejection, Rejection},
};

/// Where a free transaction counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneScope {
    /// The current epoch of a subnet: weights of a node with a validator permit in it.
    Subnet(Netuid),
    /// The time to the next election: votes and anchor keys of an elected validator.
    Election,
}

/// How many free transactions each validator has used, where it used any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    pub(crate) used: OrdMap<(LaneScope, NodeId), u16>,
}

impl Lane {
    /// Free transactions of `node` in `scope` so far.
    pub fn used(&self, scope: LaneScope, node: &NodeId) -> u16 {
        self.used.get(&(scope, *node)).copied().unwrap_or(0)
    }

    /// Counts one.
    pub(crate) fn count(&mut self, scope: LaneScope, node: NodeId) {
        let used = self.used.entry((scope, node)).or_insert(0);
        *used = used.saturating_add(1);
    }

    /// The epoch or the term of `scope` is over: all quotas are whole again.
    pub(crate) fn reset(&mut self, scope: LaneScope) {
        let first = NodeId::from_bytes([0; 32]);
        let users = self.used.range((scope, first)..).map(|(key, _)| *key);
        let gone: Vec<_> = users.take_while(|(of, _)| *of == scope).collect();
        for key in gone {
            self.used.remove(&key);
        }
    }

    /// What a node has used stays used when it gets another key.
    pub(crate) fn swap(&mut self, old: NodeId, new: NodeId) {
        let of_old: Vec<_> =
            self.used.iter().filter(|((_, node), _)| *node == old).map(|(key, _)| *key).collect();
        for key in of_old {
            if let Some(used) = self.used.remove(&key) {
                self.used.insert((key.0, new), used);
            }
        }
    }
}

impl LedgerState {
    /// How much of the lane validators have used.
    pub fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Where `call` of `node` counts if it is free; `None` when it has to be paid for.
    ///
    /// # Errors
    /// [`InclusionRejection::LaneQuota`] when the node has used its quota there.
    pub fn lane_scope(&self, call: &Call, node: &NodeId) -> Result<Option<LaneScope>, Rejection> {
        let Some(scope) = call.lane().filter(|scope| self.may_use_lane(*scope, node)) else {
            return Ok(None);
        };
        let most = self.params.lane_quota;
        match self.lane.used(scope, node) < most {
            true => Ok(Some(scope)),
            false => Err(InclusionRejection::LaneQuota { most }.into()),
        }
    }

    /// Whether the lane is open to `node`: it is a validator, elected or with a permit.
    fn may_use_lane(&self, scope: LaneScope, node: &NodeId) -> bool {
        match scope {
            LaneScope::Election => self.validators.as_ref().is_some_and(|set| set.contains(node)),
            LaneScope::Subnet(netuid) => self.subnets.get(&netuid).is_some_and(|subnet| {
                subnet.uid_of(node).and_then(|uid| subnet.neuron(uid)).is_some_and(|neuron| neuron.permit)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_of_one_scope_and_a_new_key_inherits_what_was_used() {
        let [a, b, c] = [1, 2, 255].map(|byte| NodeId::from_bytes([byte; 32]));
        let [one, two] = [1, 2].map(|netuid| LaneScope::Subnet(Netuid(netuid)));
        let mut lane = Lane::default();
        for (scope, node) in [(one, a), (one, a), (one, c), (two, a), (LaneScope::Election, a)] {
            lane.count(scope, node);
        }
        lane.swap(a, b);
        assert_eq!([one, two, LaneScope::Election].map(|scope| lane.used(scope, &b)), [2, 1, 1]);
        assert_eq!(lane.used(one, &a), 0);
        lane.reset(one);
        assert_eq!([one, two, LaneScope::Election].map(|scope| lane.used(scope, &b)), [0, 1, 1]);
        assert_eq!(lane.used.len(), 2);
    }
}
