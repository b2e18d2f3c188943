//! What is heard of our own earlier signatures, and of how far the others are.
//!
//! See [`Signer`](crate::bft::Signer) for what this protects. Every signature by our own key that
//! comes in is shown to the signer; once the record has proven old, the heights that the others
//! speak of extend the silence, but only as far as more than a third of the power is heard to be,
//! so that no Byzantine minority can silence anybody for long.

use std::{collections::BTreeMap, time::Duration};

use nervure_primitives::{BlockHeight, NodeId};

use super::Engine;
use crate::{
    bft::{Effect, Mark, Round, SignedVote, Timer, TimerKind, Witness},
    checkpoint::{Quorum, ValidatorSet},
};

/// Heights beyond its last signature for which whoever shares our key is left alone: it goes on signing, and what it
/// says is heard one height late.
const LEFT_ALONE: u64 = 64;

/// The ear of an engine.
pub(super) struct Hearing {
    /// How long to listen before the first signature; none once that is done.
    pub(super) listen: Option<Duration>,
    /// The timer of the listening that is under way, set at the height that it began with.
    pub(super) timer: Option<Timer>,
    /// The highest height that each validator was heard at.
    heights: BTreeMap<NodeId, BlockHeight>,
}

impl Hearing {
    pub(super) fn new(listen: Duration) -> Self {
        Self {
            listen: Some(listen).filter(|listen| !listen.is_zero()),
            timer: None,
            heights: BTreeMap::new(),
        }
    }

    /// Notes that `validator` was at `height`; forgets everybody else than `validators`.
    fn note(&mut self, validator: NodeId, height: BlockHeight, validators: &ValidatorSet) {
        self.heights.retain(|node, _| validators.contains(node));
        let highest = self.heights.entry(validator).or_insert(height);
        *highest = height.max(*highest);
    }

    /// The highest height that more than a third of the power was heard to have reached.
    fn honest_height(&self, validators: &ValidatorSet) -> Option<BlockHeight> {
        let mut heights: Vec<_> = self.heights.iter().map(|(node, height)| (*height, node)).collect();
        heights.sort_unstable_by(|a, b| b.cmp(a));
        let mut power = 0u64;
        heights.into_iter().find_map(|(height, node)| {
            power = power.saturating_add(validators.power_of(node).unwrap_or(0));
            Quorum::ONE_THIRD.is_met(power, validators.total_power()).then_some(height)
        })
    }
}

impl Engine {
    /// Listens for `after`, and goes on listening when the mesh has gone on by one height meanwhile: blocks may come
    /// faster than that, and what began after this process an earlier one did not sign. A height further away, which
    /// was caught up with, may be one that it did sign: listening begins anew.
    pub(super) fn listen(&mut self, after: Duration, height: BlockHeight, before: Option<BlockHeight>) {
        let next = before.is_some_and(|before| before.0.saturating_add(1) == height.0);
        if self.hearing.timer.is_none() || !next {
            let timer = Timer { height, round: Round(0), kind: TimerKind::Listen };
            self.hearing.timer = Some(timer);
            self.desk.outbox.push(Effect::CancelAll);
            self.desk.outbox.push(Effect::Schedule { timer, after });
        }
    }

    /// A signature of our own that others hold. One that the record does not know was made by an earlier life, which the
    /// record is too old for; or by another process, if it is about a height that began after this one did.
    pub(super) fn on_own_signature(&mut self, vote: SignedVote, began_here: bool) {
        if vote.signer != self.node() || vote.verify(self.desk.mesh()).is_err() {
            return;
        }
        let (height, before) = (vote.statement.height, self.desk.signer.record().silent_through);
        let witness = self.desk.signer.witness(vote.into());
        let key_used_twice = witness == Witness::Conflict || (witness == Witness::Newer && began_here);
        if key_used_twice {
            self.desk.signer.be_silent_through(BlockHeight(height.0.saturating_add(LEFT_ALONE)));
        }
        self.desk.remember_signature();
        let after = self.desk.signer.record().silent_through;
        if let Some(through) = after.filter(|_| after != before) {
            self.desk.outbox.push(Effect::Silenced { through, key_used_twice });
        }
    }

    /// A verified statement by somebody, who may be ourselves in an earlier life.
    pub(super) fn hear(&mut self, signer: NodeId, statement: Mark) {
        let Some(current) = &self.current else { return };
        let validators = current.validators.clone();
        let (now, height) = (current.height, statement.position().height);
        let before = self.desk.signer.record().silent_through;
        let mut key_used_twice = false;
        if signer == self.node() {
            let witness = self.desk.signer.witness(statement);
            key_used_twice = witness == Witness::Conflict;
        } else if height > now || self.desk.signer.silent_at(now).is_some() {
            self.hearing.note(signer, height, &validators);
        }
        if self.desk.signer.silent_at(now).is_some()
            && let Some(height) = self.hearing.honest_height(&validators)
        {
            self.desk.signer.be_silent_through(height);
        }
        self.desk.remember_signature();
        let after = self.desk.signer.record().silent_through;
        if let Some(through) = after.filter(|_| after != before || key_used_twice) {
            self.desk.outbox.push(Effect::Silenced { through, key_used_twice });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_cannot_push_the_height_up() {
        let node = |n: u8| NodeId::from_bytes([n; 32]);
        let set = ValidatorSet::from_stakes((1..=6).map(|n| (node(n), 10))).unwrap();
        let mut hearing = Hearing::new(Duration::ZERO);
        hearing.note(node(1), BlockHeight(u64::MAX), &set);
        hearing.note(node(2), BlockHeight(1 << 40), &set);
        assert_eq!(hearing.honest_height(&set), None);
        hearing.note(node(3), BlockHeight(9), &set);
        hearing.note(node(3), BlockHeight(7), &set);
        assert_eq!(hearing.honest_height(&set), Some(BlockHeight(9)));
        hearing.note(node(9), BlockHeight(9), &set);
        assert!(hearing.heights.len() <= 4, "strangers are not kept");
    }
}
