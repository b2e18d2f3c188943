//! What the owners of validators want: transactions, drawn from the seed and the committed state.
//!
//! They join and leave, return after they were jailed, swap a key, and move stake. The owner of a validator that equivocated
//! tries to join it again.

use nervure_consensus::bft::Equivocation;
use nervure_ledger::{
    roster::Standing,
    state::LedgerState,
    transaction::{
        Call, JoinValidators, LeaveValidators, ReportEquivocation, SignerKey, Stake, SwapKey, Transaction,
        Unstake, consent,
    },
};
use nervure_primitives::{Amount, BlockHeight, Envelope, NodeId, NodeKey};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::scenario::{Member, Scenario, UNIT, units};

/// Blocks for which a transaction is valid.
pub(crate) const LIFETIME: u64 = 4;

/// More than a transaction costs here.
const FEE: u64 = 10_000_000;

/// The key that a member has in `state`.
pub(crate) fn node_of(member: &Member, state: &LedgerState) -> Option<NodeId> {
    member.keys.iter().map(NodeKey::node_id).find(|node| state.nodes().get(node).is_some())
}

impl Scenario {
    /// What owners send after the block of `state`: at most one transaction each.
    pub(crate) fn wishes(&self, state: &LedgerState) -> Vec<Envelope> {
        let height = state.height().0;
        let mut rng = ChaCha8Rng::seed_from_u64(self.plan.seed.rotate_left(17) ^ height);
        let mut sent = Vec::new();
        for member in &self.members {
            let Some(node) = node_of(member, state) else { continue };
            let call = duty(member, node, state).or_else(|| self.whim(&mut rng, node, state));
            sent.extend(call.and_then(|call| seal(&member.owner, call, state)));
        }
        sent
    }

    /// Stake that is moved, by less than changes who has a third.
    fn whim(&self, rng: &mut ChaCha8Rng, node: NodeId, state: &LedgerState) -> Option<Call> {
        if !rng.random_bool(0.1) {
            return None;
        }
        let amount = units(rng.random_range(UNIT / 10..UNIT / 2));
        let to = &self.members[rng.random_range(0..self.members.len())];
        match rng.random_bool(0.5) {
            true if to.behaviour.is_honest() => {
                Some(Call::Stake(Stake { node: node_of(to, state)?, amount }))
            }
            _ => Some(Call::Unstake(Unstake { node, amount })),
        }
    }
}

/// What the owner of `member` has to do now.
fn duty(member: &Member, node: NodeId, state: &LedgerState) -> Option<Call> {
    let height = state.height().0;
    if member.swap.is_some_and(|at| height >= at) && node == member.keys[0].node_id() {
        let consent = consent(member.keys.last()?, &member.owner.node_id(), &state.mesh()).ok()?;
        return Some(Call::SwapKey(SwapKey { old: node, consent }));
    }
    match (state.roster().standing(&node), member.wants(height)) {
        (None, true) => Some(Call::JoinValidators(JoinValidators { node })),
        (Some(Standing::Joined { .. }), false) => Some(Call::LeaveValidators(LeaveValidators { node })),
        // Refused.
        (Some(Standing::Tombstoned(_)), true) if height.is_multiple_of(4) => {
            Some(Call::JoinValidators(JoinValidators { node }))
        }
        (Some(Standing::Joined { .. } | Standing::Jailed { .. } | Standing::Tombstoned(_)) | None, _) => None,
    }
}

/// The report of `evidence` by a validator: free if it is in office.
pub(crate) fn report(key: &NodeKey, evidence: &Equivocation, state: &LedgerState) -> Option<Envelope> {
    seal(key, Call::ReportEquivocation(ReportEquivocation { evidence: Box::new(*evidence) }), state)
}

/// Signs a call with the signer's next nonce.
fn seal(key: &NodeKey, call: Call, state: &LedgerState) -> Option<Envelope> {
    let node = key.node_id();
    let (nonce, fee) = match call.signer() {
        SignerKey::Node => {
            let is_free = state.lane_scope(&call, &node).is_ok_and(|scope| scope.is_some());
            (state.nodes().get(&node)?.nonce, if is_free { 0 } else { FEE })
        }
        SignerKey::Owner => (state.accounts().get(&node).nonce, FEE),
    };
    let expiry = BlockHeight(state.height().0 + LIFETIME);
    Transaction { nonce, fee: units(fee), tip: Amount::ZERO, expiry, call }.seal(key, &state.mesh()).ok()
}
