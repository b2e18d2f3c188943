//! How long the steps of agreeing on a block take, as this validator sees them.

use std::time::{Duration, Instant};

use nervure_consensus::bft::{Message, VoteKind};
use nervure_primitives::NodeId;

/// A part of the way to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// From the start of a round to this validator's prevote: the proposal came, and its block was fetched and executed.
    Propose,
    /// From its prevote to its precommit: validators with two thirds of the power prevoted.
    Prevote,
    /// From its precommit to the decision.
    Precommit,
    /// Making or executing a proposed block.
    Execute,
    /// Writing a decided block to the disk.
    Commit,
}

impl Step {
    /// All of them.
    pub(super) const ALL: [Self; 5] =
        [Self::Propose, Self::Prevote, Self::Precommit, Self::Execute, Self::Commit];

    /// Its label.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Propose => "propose",
            Self::Prevote => "prevote",
            Self::Precommit => "precommit",
            Self::Execute => "execute",
            Self::Commit => "commit",
        }
    }
}

/// A step that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) step: Step,
    pub(super) took: Duration,
}

/// Measures the steps of the current round.
#[derive(Debug)]
pub(super) struct StepClock {
    own: NodeId,
    /// The step that runs, and since when; none when nothing is measured until the next round.
    current: Option<(Step, Instant)>,
}

impl StepClock {
    pub(super) const fn new(own: NodeId) -> Self {
        Self { own, current: None }
    }

    /// A round begins.
    pub(super) const fn on_round(&mut self, now: Instant) {
        self.current = Some((Step::Propose, now));
    }

    /// This validator sends a message. Returns the step that ends with it, if it does: a message that is sent again, or
    /// out of order, ends none.
    pub(super) fn on_sent(&mut self, message: &Message, now: Instant) -> Option<Ended> {
        let Message::Vote(vote) = message else { return None };
        if vote.signer != self.own {
            return None;
        }
        match vote.statement.kind {
            VoteKind::Prevote => self.end(Step::Propose, Some(Step::Prevote), now),
            VoteKind::Precommit => self.end(Step::Prevote, Some(Step::Precommit), now),
        }
    }

    /// The height is decided.
    pub(super) fn on_decided(&mut self, now: Instant) -> Option<Ended> {
        let ended = self.end(Step::Precommit, None, now);
        self.current = None;
        ended
    }

    /// Ends `step`, if it is the one that runs, and begins the `next`.
    fn end(&mut self, step: Step, next: Option<Step>, now: Instant) -> Option<Ended> {
        let (_, began) = self.current.filter(|(current, _)| *current == step)?;
        self.current = next.map(|next| (next, now));
        Some(Ended { step, took: now.saturating_duration_since(began) })
    }
}

#[cfg(test)]
mod tests {
    use nervure_consensus::{
        bft::{Round, Vote},
        statement::SignedStatement,
    };
    use nervure_primitives::{BlockHeight, MeshId, NodeKey};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn vote(seed: u8, kind: VoteKind) -> Message {
        let vote = Vote { height: BlockHeight(1), round: Round(0), kind, value: None };
        let key = NodeKey::from_seed(&[seed; 32]);
        Message::Vote(SignedStatement::sign(&key, &MeshId::from_bytes([2; 32]), vote).unwrap())
    }

    #[test]
    fn each_step_is_measured_once_a_round() {
        let (start, own) = (Instant::now(), NodeKey::from_seed(&[1; 32]).node_id());
        let mut clock = StepClock::new(own);
        let ended = |step, took| Some(Ended { step, took });
        assert_eq!(clock.on_sent(&vote(1, VoteKind::Prevote), start), None, "no round has begun");
        clock.on_round(start);
        assert_eq!(clock.on_sent(&vote(2, VoteKind::Prevote), start), None, "another's vote that is sent on");
        let prevoted = clock.on_sent(&vote(1, VoteKind::Prevote), start + SECOND);
        assert_eq!(prevoted, ended(Step::Propose, SECOND));
        assert_eq!(clock.on_sent(&vote(1, VoteKind::Prevote), start + 2 * SECOND), None, "sent again");
        let precommitted = clock.on_sent(&vote(1, VoteKind::Precommit), start + 3 * SECOND);
        assert_eq!(precommitted, ended(Step::Prevote, 2 * SECOND));
        assert_eq!(clock.on_decided(start + 4 * SECOND), ended(Step::Precommit, SECOND));
        assert_eq!(clock.on_decided(start + 5 * SECOND), None);
        clock.on_round(start);
        assert_eq!(clock.on_decided(start + SECOND), None, "others decided without this validator");
    }
}
