//! A validator's moving averages of the neurons of one subnet.
//!
//! Of each neuron a mean over its first tasks, then an exponential moving average: of its reward over about
//! [`ScoringRules::memory`] of them, because pay should be steady, and of its quality over the fewer of
//! [`ScoringRules::attention`], because questions should leave a bad expert soon. A missing answer scores 0, as a wrong one
//! does; after `memory` zeros in a row the average is exactly 0. A neuron that was not asked keeps what it has. The
//! table holds registered neurons only, so it is bounded by the subnet.
//!
//! The state survives a restart as bytes ([`MovingAverageTable::save`]); it is the validator's own, and is decoded
//! with the same checks as a message.

use std::collections::BTreeMap;

use nervure_primitives::{
    Netuid, NodeId, UnixMillis,
    cbor::{self, CborError, Limits},
};
use nervure_protocol::{LiveScore, LiveScores, Score, bounds::MAX_SCORES};
use serde::{Deserialize, Serialize};

use super::TaskResult;
use crate::Registration;

/// Maximum number of neurons of a subnet.
pub const MAX_NEURONS: usize = 4096;

/// Largest saved state, in bytes.
const MAX_STATE_LEN: usize = 512 << 10;

/// How scores become averages and weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScoringRules {
    /// Tasks that an average looks back on, 1 to 1,000; 20 by default. Fewer, and luck decides; more, and a miner
    /// that became bad earns for longer.
    pub memory: u16,
    /// Tasks that the average of quality looks back on, which routing goes by, 1 to 1,000; 5 by default. Fewer, and
    /// routing follows luck; more, and a miner that became bad is asked for longer.
    pub attention: u16,
    /// Tasks after which a newcomer counts fully, 1 to 1,000; 8 by default. At 1, one lucky answer is worth as much
    /// as a long record.
    pub ramp: u16,
    /// The power of the average that a weight is proportional to, 1 to 8; 2 by default. More pays the best more.
    pub power: u8,
}

impl Default for ScoringRules {
    fn default() -> Self {
        Self { memory: 20, attention: 5, ramp: 8, power: 2 }
    }
}

/// A rule out of its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is out of bounds")]
pub struct RuleError(pub &'static str);

/// A validator's moving averages of a neuron.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovingAverages {
    /// The moving average of the quality of its answers.
    pub quality: Score,
    /// The moving average of its share of the reward.
    pub reward: Score,
    /// The number of tasks that it was set.
    pub tasks: u32,
    /// The number of last tasks in a row that scored 0.
    pub zeros: u32,
}

/// The moving averages of a subnet's neurons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovingAverageTable {
    pub(super) rules: ScoringRules,
    averages: BTreeMap<Registration, MovingAverages>,
}

/// Why bytes are not a saved state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The bytes do not decode.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// More neurons than a subnet has.
    #[error("more than {MAX_NEURONS} neurons")]
    TooMany,
}

impl MovingAverageTable {
    /// A table without neurons.
    ///
    /// # Errors
    /// When a rule is out of its bounds.
    pub fn new(rules: ScoringRules) -> Result<Self, RuleError> {
        let good = [
            ("memory", (1..=1000).contains(&rules.memory)),
            ("attention", (1..=1000).contains(&rules.attention)),
            ("ramp", (1..=1000).contains(&rules.ramp)),
            ("power", (1..=8).contains(&rules.power)),
        ];
        match good.into_iter().find(|(_, good)| !good) {
            Some((rule, _)) => Err(RuleError(rule)),
            None => Ok(Self { rules, averages: BTreeMap::new() }),
        }
    }

    /// Sets the registered neurons, at most [`MAX_NEURONS`]. Others lose their averages; new neurons start
    /// at zero.
    pub fn set_registered(&mut self, neurons: impl IntoIterator<Item = Registration>) {
        let mut former = std::mem::take(&mut self.averages);
        // The key has the block of the registration: a node that registers again starts at zero.
        let keep = |neuron| (neuron, former.remove(&neuron).unwrap_or_default());
        self.averages = neurons.into_iter().take(MAX_NEURONS).map(keep).collect();
    }

    /// Adds a task result to a neuron's averages. False when it is not registered.
    pub fn record(&mut self, neuron: &Registration, result: impl Into<TaskResult>) -> bool {
        let result = result.into();
        let (memory, attention) = (u32::from(self.rules.memory), u32::from(self.rules.attention));
        let Some(averages) = self.averages.get_mut(neuron) else { return false };
        averages.tasks = averages.tasks.saturating_add(1);
        averages.zeros = if result.quality == Score::ZERO { averages.zeros.saturating_add(1) } else { 0 };
        if averages.zeros >= memory {
            // The integer average would approach zero slowly; after `memory` zeros it is zero.
            (averages.quality, averages.reward) = (Score::ZERO, Score::ZERO);
        } else {
            let tasks = averages.tasks;
            // Up to `attention` tasks this is the plain mean, but for rounding: the divisor grows with the
            // number of tasks.
            averages.quality = moved(averages.quality, result.quality, tasks.min(attention));
            averages.reward = moved(averages.reward, result.reward(), tasks.min(memory));
        }
        true
    }

    /// The averages of a neuron; none when it is not registered.
    pub fn averages_of(&self, neuron: &Registration) -> Option<MovingAverages> {
        self.averages.get(neuron).copied()
    }

    /// Every neuron with its averages, in order of node.
    pub fn iter(&self) -> impl Iterator<Item = (Registration, MovingAverages)> + '_ {
        self.averages.iter().map(|(neuron, averages)| (*neuron, *averages))
    }

    /// The live scores that a validator publishes: of the first [`MAX_SCORES`] neurons that were set a task.
    pub fn live_scores(&self, (validator, netuid): (NodeId, Netuid), now: UnixMillis) -> LiveScores {
        let tested = self.iter().filter(|(_, averages)| averages.tasks > 0).take(MAX_SCORES);
        let scores = tested.map(|(Registration { node, block }, averages)| LiveScore {
            node,
            block,
            score: averages.quality,
            tasks: averages.tasks,
        });
        LiveScores { netuid, validator, issued_at: now, scores: scores.collect() }
    }

    /// Encodes the averages, to restore them after a restart.
    ///
    /// # Errors
    /// None in practice: integers always encode.
    pub fn save(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(&self.iter().collect::<Vec<_>>())
    }

    /// Restores the averages of neurons that are still registered; call [`Self::set_registered`] first.
    ///
    /// # Errors
    /// When `bytes` are not a saved state.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let saved: Vec<(Registration, MovingAverages)> = cbor::decode(bytes, Limits::new(MAX_STATE_LEN))?;
        if saved.len() > MAX_NEURONS {
            return Err(StateError::TooMany);
        }
        for (neuron, averages) in saved {
            // Modifies and never inserts: a neuron that was deregistered while this node was down stays out.
            self.averages.entry(neuron).and_modify(|now| *now = averages);
        }
        Ok(())
    }
}

/// The average after one more score, which weighs 1 / `over`. It falls by at least one part, so that it
/// reaches 0.
fn moved(average: Score, score: Score, over: u32) -> Score {
    let (old, new, over) = (average.parts(), score.parts(), over.max(1));
    Score::from_parts(match new.checked_sub(old) {
        Some(up) => old + up / over,
        // Rounded up on the way down and down on the way up: each step errs against the miner by less than
        // one part.
        None => old - (old - new).div_ceil(over),
    })
}

#[cfg(test)]
mod tests {
    use nervure_primitives::BlockHeight;
    use proptest::prelude::*;

    use super::*;
    use nervure_protocol::testing::key;

    fn neuron(seed: u8, block: u64) -> Registration {
        Registration { node: key(seed).node_id(), block: BlockHeight(block) }
    }

    fn board(neurons: &[Registration]) -> MovingAverageTable {
        let mut board = MovingAverageTable::new(ScoringRules::default()).unwrap();
        board.set_registered(neurons.iter().copied());
        board
    }

    #[test]
    fn a_new_registration_inherits_nothing() {
        let (old, new) = (neuron(1, 5), neuron(1, 9));
        let mut board = board(&[old]);
        assert!(board.record(&old, Score::ONE));
        board.set_registered([new]);
        assert_eq!(board.averages_of(&old), None);
        assert_eq!(board.averages_of(&new), Some(MovingAverages::default()));
        assert!(!board.record(&old, Score::ONE), "it is no longer registered");
    }

    #[test]
    fn live_scores_are_of_tested_neurons_only() {
        let (tested, untested) = (neuron(2, 5), neuron(3, 5));
        let mut board = board(&[tested, untested]);
        board.record(&tested, Score::ONE);
        let published = board.live_scores((key(1).node_id(), Netuid(1)), UnixMillis(1));
        let Registration { node, block } = tested;
        assert_eq!(published.scores, [LiveScore { node, block, score: Score::ONE, tasks: 1 }]);
        let mesh = nervure_primitives::MeshId::from_bytes([7; 32]);
        assert!(nervure_protocol::SignedLiveScores::sign(&key(1), &mesh, published).is_ok());
    }

    #[test]
    fn a_silent_miner_decays_to_zero() {
        let neuron = neuron(1, 5);
        let mut board = board(&[neuron]);
        (0..50).for_each(|_| assert!(board.record(&neuron, Score::ONE)));
        let mut last = board.averages_of(&neuron).unwrap().reward;
        for _ in 0..20 {
            board.record(&neuron, Score::ZERO);
            let average = board.averages_of(&neuron).unwrap().reward;
            assert!(average < last);
            last = average;
        }
        assert_eq!(last, Score::ZERO);
    }

    #[test]
    fn averages_survive_a_restart_but_not_a_registration() {
        let (kept, gone) = (neuron(1, 5), neuron(2, 5));
        let mut before = board(&[kept, gone]);
        before.record(&kept, Score::ratio(1, 2));
        before.record(&gone, Score::ONE);
        let bytes = before.save().unwrap();
        let again = neuron(2, 8);
        let mut after = board(&[kept, again]);
        after.restore(&bytes).unwrap();
        assert_eq!(after.averages_of(&kept), before.averages_of(&kept));
        assert_eq!(after.averages_of(&again), Some(MovingAverages::default()));
        assert!(after.restore(&bytes[1..]).is_err());
    }

    #[test]
    fn the_largest_state_can_be_read_again() {
        let mut full = MovingAverageTable::new(ScoringRules::default()).unwrap();
        let nodes = (0..MAX_NEURONS as u64 + 5).map(|number| Registration {
            node: nervure_primitives::NodeId::from_bytes(*crate::Seed::from(number).as_bytes()),
            block: BlockHeight(u64::MAX),
        });
        full.set_registered(nodes.collect::<Vec<_>>());
        let most =
            MovingAverages { quality: Score::ONE, reward: Score::ONE, tasks: u32::MAX, zeros: u32::MAX };
        full.averages.values_mut().for_each(|averages| *averages = most);
        assert_eq!(full.averages.len(), MAX_NEURONS);
        let mut read = full.clone();
        read.averages.values_mut().for_each(|averages| *averages = MovingAverages::default());
        read.restore(&full.save().unwrap()).unwrap();
        assert_eq!(read, full);
    }

    proptest! {
        #[test]
        fn an_average_stays_among_its_scores(scores in proptest::collection::vec(any::<u32>(), 1..60)) {
            let neuron = neuron(1, 5);
            let mut board = board(&[neuron]);
            scores.iter().for_each(|score| { board.record(&neuron, Score::from_parts(*score)); });
            let average = board.averages_of(&neuron).unwrap().quality.parts();
            let (least, most) = (scores.iter().min().unwrap(), scores.iter().max().unwrap());
            // Each step rounds down by less than one part.
            prop_assert!(average <= *most && average >= least.saturating_sub(60));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = board(&[]).restore(&bytes);
        }
    }
}
