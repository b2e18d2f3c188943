//! Which live scores a validator publishes: those of the last epoch, and falls.
//!
//! # Why
//! A validator that tests no miner and reads the others' live scores before it commits to weights has weights as fresh
//! as theirs, and earns what they earn. So live scores follow weights: what is published of an expert is the average
//! that it had when the weights of the *last* epoch were made. When an epoch ends, no one can commit to weights of it
//! any longer, and these weights are revealed. Peer prediction pays for what is said beyond those.
//!
//! Two exceptions, because routing needs them:
//! * *A fall counts at once*: an expert whose average fell by more than 1/8 since is published with that of now. Few
//!   experts break in an epoch, and a reader gains only in those epochs.
//! * *A validator's first epoch*: there are no weights of its own yet, and a new subnet would have no scores at all.
//!
//! # Consequences
//! An expert that had no average then is not published: a newcomer waits until the next epoch begins, and has the
//! newcomers' part of the questions until then. What becomes better is trusted an epoch later.

use std::cmp::Reverse;

use nervure_primitives::{Netuid, NodeId, UnixMillis};
use nervure_protocol::{ExpertId, LiveScore, LiveScores, Score, bounds::MAX_SCORES};
use serde::{Deserialize, Serialize};

use super::{MAX_EXPERTS, MovingAverageTable, MovingAverages};

/// Steps to which published scores are rounded: five bits. A score of 32 bits tells a miner with a few tasks what the
/// hidden part of each was.
const STEPS: u32 = 32;

/// A fall by more than this is published at once: an eighth. Less is luck: task results of one model have standard
/// deviations of up to 0.15, and an average of quality a third of that.
const FALL: Score = Score::from_parts(u32::MAX / 8);

/// What a validator may publish in a subnet. It survives a restart with the averages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScorePublication {
    /// Of an epoch that has ended.
    public: Option<Snapshot>,
    /// Of an epoch in which weights may still be committed.
    pending: Option<Snapshot>,
}

/// The averages of quality when the weights of an epoch were made, in order of expert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    epoch: u64,
    scores: Vec<(ExpertId, Score)>,
}

impl Snapshot {
    fn new(epoch: u64, board: &MovingAverageTable) -> Self {
        let mut scores: Vec<_> =
            board.iter().map(|(expert, averages)| (expert.expert, averages.quality)).collect();
        scores.sort_unstable_by_key(|(expert, _)| *expert);
        Self { epoch, scores }
    }

    fn score(&self, expert: &ExpertId) -> Option<Score> {
        let at = self.scores.binary_search_by_key(expert, |(known, _)| *known).ok()?;
        self.scores.get(at).map(|(_, score)| *score)
    }
}

impl ScorePublication {
    /// Weights of `epoch` are made of these averages, if there are any. Only the first call in an epoch counts; true when
    /// it did.
    pub fn weights_made(&mut self, epoch: u64, board: &MovingAverageTable) -> bool {
        self.epoch_began(epoch);
        let is_first = self.pending.is_none() && board.iter().next().is_some();
        if is_first {
            self.pending = Some(Snapshot::new(epoch, board));
        }
        is_first
    }

    /// The subnet is in `epoch`: no weights of an earlier one can be committed. True when more may be published now.
    pub fn epoch_began(&mut self, epoch: u64) -> bool {
        let ended = self.pending.take_if(|pending| pending.epoch < epoch);
        let is_news = ended.is_some();
        self.public = ended.or(self.public.take());
        is_news
    }

    /// What may be published of an expert with the averages `now`; `None` while no weights were made with it.
    pub fn score(&self, expert: &ExpertId, now: &MovingAverages) -> Option<Score> {
        let Some(public) = &self.public else { return Some(now.quality) };
        let known = public.score(expert)?;
        Some(if known.less(now.quality) > FALL { now.quality } else { known })
    }

    /// The live scores that a validator publishes, at most [`MAX_SCORES`]: of each neuron's best expert, then of each
    /// one's second best, and so on, so that no neuron with many experts takes the place of another's only one.
    pub fn live_scores(
        &self,
        board: &MovingAverageTable,
        (validator, netuid): (NodeId, Netuid),
        now: UnixMillis,
    ) -> LiveScores {
        let mut known = Vec::new();
        for (expert, averages) in board.iter() {
            if let Some(score) = self.score(&expert.expert, &averages) {
                let score = LiveScore::new(expert.expert, score.rounded(STEPS), averages.tasks);
                known.push((expert.neuron, score));
            }
        }
        let mut ranked = Vec::new();
        // The table is in order of neuron.
        for of_one in known.chunk_by(|(left, _), (right, _)| left == right) {
            let mut of_one: Vec<LiveScore> = of_one.iter().map(|(_, score)| *score).collect();
            of_one.sort_by_key(|score| Reverse(score.score()));
            ranked.extend(of_one.into_iter().enumerate());
        }
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.truncate(MAX_SCORES);
        let mut scores: Vec<_> = ranked.into_iter().map(|(_, score)| score).collect();
        scores.sort_unstable_by_key(|score| score.expert);
        LiveScores { netuid, validator, issued_at: now, scores }
    }

    /// Whether it is one that this program wrote: bounded and in order.
    pub fn is_valid(&self) -> bool {
        let mut snapshots = self.public.iter().chain(&self.pending);
        snapshots.all(|snapshot| {
            snapshot.scores.len() <= MAX_EXPERTS
                && snapshot.scores.is_sorted_by(|(left, _), (right, _)| left < right)
        })
    }
}

#[cfg(test)]
mod tests;
