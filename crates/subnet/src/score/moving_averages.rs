//! A validator's moving averages of the experts of one subnet, by the neurons that serve them.
//!
//! Of each expert a mean over its first tasks, then an exponential moving average: of its reward over about
//! [`ScoringRules::memory`] of them, because pay should be steady, and of its quality over the fewer of
//! [`ScoringRules::attention`], because questions should leave a bad expert soon. A missing answer scores 0, as a wrong one
//! does; after `memory` zeros in a row the average is exactly 0, and after `silence` tasks without any answer an expert
//! weighs nothing until it answers ([`MovingAverageTable::weights`]). An expert that was not asked keeps what it has. The
//! table holds experts of registered neurons only, and a bounded number of each: a neuron that renames its experts takes
//! no other neuron's place.
//!
//! What a neuron is worth follows from its experts: `best_expert.rs`.
//!
//! The state survives a restart as bytes ([`MovingAverageTable::save`]); it is the validator's own, and is decoded
//! with the same checks as a message.

use std::collections::BTreeMap;

use nervure_primitives::cbor::{self, CborError, Limits};
use nervure_protocol::{ExpertId, Score};
use serde::{Deserialize, Serialize};

use super::{TaskResult, best_expert};
use crate::{Registration, ScoredExpert};

/// Maximum number of neurons of a subnet.
pub const MAX_NEURONS: usize = 4096;

/// Maximum number of experts of one neuron: as many as an index keeps of a node.
pub const MAX_EXPERTS_OF_NEURON: usize = 32;

/// Maximum number of experts of a subnet: those of 256 neurons.
pub const MAX_EXPERTS: usize = 256 * MAX_EXPERTS_OF_NEURON;

/// Largest saved state, in bytes.
const MAX_STATE_LEN: usize = 2 << 20;

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
    /// The power of a miner's unshared reward that a weight is proportional to, 1 to 8; 2 by default. More pays the
    /// best more. Sharing with copies divides the weight in any case, see [`weights`](MovingAverageTable::weights).
    pub power: u8,
    /// Tasks in a row without any answer after which an expert weighs nothing until it answers again, 1 to 1,000; 3 by
    /// default. Fewer, and one that restarts loses its pay; more, and one that is gone earns for longer.
    pub silence: u16,
}

impl Default for ScoringRules {
    fn default() -> Self {
        Self { memory: 20, attention: 5, ramp: 8, power: 2, silence: 3 }
    }
}

/// A rule out of its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is out of bounds")]
pub struct RuleError(pub &'static str);

/// A validator's moving averages of an expert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovingAverages {
    /// The moving average of the quality of its answers.
    pub quality: Score,
    /// The moving average of its share of the reward.
    pub reward: Score,
    /// The reward over every other task, and over those between: two estimates with independent luck.
    pub halves: [Score; 2],
    /// The moving average of its reward as if no answers were shared, over as many tasks as `reward`.
    pub unshared: Score,
    /// That in the same halves.
    pub unshared_halves: [Score; 2],
    /// The number of tasks that it was set.
    pub tasks: u32,
    /// The number of last tasks in a row that scored 0.
    pub zeros: u32,
    /// The number of last tasks in a row of which it answered no question. Absent in states of earlier versions.
    #[serde(default)]
    pub silences: u32,
}

/// The experts of a neuron that were set a task.
type Experts = BTreeMap<ExpertId, MovingAverages>;

/// The moving averages of a subnet's experts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovingAverageTable {
    pub(super) rules: ScoringRules,
    neurons: BTreeMap<Registration, Experts>,
}

/// Why bytes are not a saved state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The bytes do not decode.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// More neurons or experts than a subnet has.
    #[error("more than {MAX_NEURONS} neurons or {MAX_EXPERTS} experts")]
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
            ("silence", (1..=1000).contains(&rules.silence)),
        ];
        match good.into_iter().find(|(_, good)| !good) {
            Some((rule, _)) => Err(RuleError(rule)),
            None => Ok(Self { rules, neurons: BTreeMap::new() }),
        }
    }

    /// Sets the registered neurons, at most [`MAX_NEURONS`]. Others lose their experts; new neurons have none.
    pub fn set_registered(&mut self, neurons: impl IntoIterator<Item = Registration>) {
        let mut former = std::mem::take(&mut self.neurons);
        // The key has the block of the registration: a node that registers again starts without experts.
        let keep = |neuron| (neuron, former.remove(&neuron).unwrap_or_default());
        self.neurons = neurons.into_iter().take(MAX_NEURONS).map(keep).collect();
    }

    /// The registered neurons, in order of node.
    pub fn registered(&self) -> impl Iterator<Item = Registration> + '_ {
        self.neurons.keys().copied()
    }

    /// Adds a task result to an expert's averages. False when its neuron is not registered, or has as many experts as
    /// are scored.
    pub fn record(&mut self, expert: &ScoredExpert, result: impl Into<TaskResult>) -> bool {
        if self.expert_averages(expert).is_none() && !self.has_room(&expert.neuron) {
            return false;
        }
        let rules = self.rules;
        let Some(experts) = self.neurons.get_mut(&expert.neuron) else { return false };
        experts.entry(expert.expert).or_default().add(result.into(), rules);
        true
    }

    /// Drops the experts that nothing is left of and that are not `advertised`, so that others can take their places.
    pub fn drop_ended(&mut self, advertised: impl Fn(&ScoredExpert) -> bool) {
        for (neuron, experts) in &mut self.neurons {
            experts.retain(|expert, averages| {
                let nothing = averages.quality == Score::ZERO && averages.reward == Score::ZERO;
                !nothing || advertised(&ScoredExpert { neuron: *neuron, expert: *expert })
            });
        }
    }

    /// What a neuron is worth by its experts; none when it is not registered.
    pub fn averages_of(&self, neuron: &Registration) -> Option<MovingAverages> {
        self.averages_by(neuron, |_| true)
    }

    /// What a neuron is worth by those of its experts that `counts` keeps.
    pub(super) fn averages_by(
        &self,
        neuron: &Registration,
        counts: impl Fn(&MovingAverages) -> bool,
    ) -> Option<MovingAverages> {
        let experts = self.neurons.get(neuron)?.values().copied().filter(counts);
        Some(best_expert::of_neuron(experts, self.rules.ramp.into()))
    }

    /// The averages of an expert; none when it was set no task.
    pub fn expert_averages(&self, expert: &ScoredExpert) -> Option<MovingAverages> {
        self.neurons.get(&expert.neuron)?.get(&expert.expert).copied()
    }

    /// Every expert with its averages, in order of neuron.
    pub fn iter(&self) -> impl Iterator<Item = (ScoredExpert, MovingAverages)> + '_ {
        self.neurons.iter().flat_map(|(neuron, experts)| {
            let with = |(expert, averages): (&ExpertId, &MovingAverages)| {
                (ScoredExpert { neuron: *neuron, expert: *expert }, *averages)
            };
            experts.iter().map(with)
        })
    }

    /// Encodes the averages, to restore them after a restart.
    ///
    /// # Errors
    /// None in practice: integers always encode.
    pub fn save(&self) -> Result<Vec<u8>, CborError> {
        let saved = self.neurons.iter().map(|(neuron, experts)| (neuron, experts.iter().collect::<Vec<_>>()));
        cbor::encode(&saved.collect::<Vec<_>>())
    }

    /// Restores the averages of neurons that are still registered; call [`Self::set_registered`] first.
    ///
    /// # Errors
    /// When `bytes` are not a saved state.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let saved: Vec<(Registration, Vec<(ExpertId, MovingAverages)>)> =
            cbor::decode(bytes, Limits::new(MAX_STATE_LEN))?;
        let experts: usize = saved.iter().map(|(_, experts)| experts.len()).sum();
        let most = saved.iter().map(|(_, experts)| experts.len()).max().unwrap_or(0);
        if saved.len() > MAX_NEURONS || experts > MAX_EXPERTS || most > MAX_EXPERTS_OF_NEURON {
            return Err(StateError::TooMany);
        }
        for (neuron, experts) in saved {
            // Modifies and never inserts: a neuron that was deregistered while this node was down stays out.
            self.neurons.entry(neuron).and_modify(|now| *now = experts.into_iter().collect());
        }
        Ok(())
    }

    /// Whether a neuron may have one more expert.
    fn has_room(&self, neuron: &Registration) -> bool {
        let own = self.neurons.get(neuron).map_or(0, BTreeMap::len);
        // The sum is over all neurons; it is computed for an expert's first task only.
        own < MAX_EXPERTS_OF_NEURON && self.neurons.values().map(BTreeMap::len).sum::<usize>() < MAX_EXPERTS
    }
}

impl MovingAverages {
    /// Adds a task result.
    fn add(&mut self, result: TaskResult, rules: ScoringRules) {
        let (memory, attention) = (u32::from(rules.memory), u32::from(rules.attention));
        self.tasks = self.tasks.saturating_add(1);
        self.zeros = if result.quality == Score::ZERO { self.zeros.saturating_add(1) } else { 0 };
        self.silences = if result.is_silent { self.silences.saturating_add(1) } else { 0 };
        if self.zeros >= memory {
            // The integer average would approach zero slowly; after `memory` zeros it is zero.
            let Self { tasks, zeros, silences, .. } = *self;
            *self = Self { tasks, zeros, silences, ..Self::default() };
            return;
        }
        // Up to `attention` tasks this is the plain mean, but for rounding: the divisor grows with the
        // number of tasks.
        self.quality = moved(self.quality, result.quality, self.tasks.min(attention));
        self.reward = moved(self.reward, result.reward(), self.tasks.min(memory));
        self.unshared = moved(self.unshared, result.quality, self.tasks.min(memory));
        let over = self.tasks.div_ceil(2).min(memory.div_ceil(2));
        for (halves, value) in
            [(&mut self.halves, result.reward()), (&mut self.unshared_halves, result.quality)]
        {
            let [odd, even] = halves;
            let half = if self.tasks % 2 == 1 { odd } else { even };
            *half = moved(*half, value, over);
        }
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
pub(super) mod tests {
    use nervure_primitives::BlockHeight;
    use proptest::prelude::*;

    use super::*;
    use nervure_protocol::testing::key;

    fn neuron(seed: u8, block: u64) -> Registration {
        Registration { node: key(seed).node_id(), block: BlockHeight(block) }
    }

    /// The expert of this number of a neuron.
    pub(in crate::score) fn expert(neuron: Registration, number: u8) -> ScoredExpert {
        ScoredExpert { neuron, expert: ExpertId::from_bytes([number; 32]) }
    }

    /// A table with the neurons of these experts.
    pub(in crate::score) fn board(experts: &[ScoredExpert]) -> MovingAverageTable {
        let mut board = MovingAverageTable::new(ScoringRules::default()).unwrap();
        board.set_registered(experts.iter().map(|expert| expert.neuron));
        board
    }

    #[test]
    fn a_new_registration_inherits_nothing() {
        let (old, new) = (expert(neuron(1, 5), 1), neuron(1, 9));
        let mut board = board(&[old]);
        assert!(board.record(&old, Score::ONE));
        board.set_registered([new]);
        assert_eq!((board.expert_averages(&old), board.averages_of(&old.neuron)), (None, None));
        assert_eq!(board.averages_of(&new), Some(MovingAverages::default()));
        assert!(!board.record(&old, Score::ONE), "it is no longer registered");
    }

    #[test]
    fn an_expert_has_nothing_of_its_neighbours() {
        let (good, bad) = (expert(neuron(1, 5), 1), expert(neuron(1, 5), 2));
        let mut board = board(&[good]);
        (0..9).for_each(|_| assert!(board.record(&good, Score::ONE)));
        assert_eq!(board.expert_averages(&bad), None, "untested");
        (0..9).for_each(|_| assert!(board.record(&bad, Score::ZERO)));
        let quality = |expert| board.expert_averages(expert).unwrap().quality;
        assert_eq!((quality(&good), quality(&bad)), (Score::ONE, Score::ZERO));
    }

    #[test]
    fn experts_are_bounded_and_ended_ones_make_room() {
        let of = |number| expert(neuron(1, 5), number);
        let mut board = board(&[of(0)]);
        for number in 0..MAX_EXPERTS_OF_NEURON as u8 {
            assert!(board.record(&of(number), if number == 0 { Score::ONE } else { Score::ZERO }));
        }
        assert!(!board.record(&of(99), Score::ONE));
        board.drop_ended(|expert| *expert == of(1));
        assert_eq!(board.iter().count(), 2, "the one with a score and the one that is advertised");
        assert!(board.record(&of(99), Score::ONE));
    }

    #[test]
    fn a_silent_miner_decays_to_zero() {
        let silent = expert(neuron(1, 5), 1);
        let mut board = board(&[silent]);
        (0..50).for_each(|_| assert!(board.record(&silent, Score::ONE)));
        let mut last = board.averages_of(&silent.neuron).unwrap().reward;
        for _ in 0..20 {
            board.record(&silent, Score::ZERO);
            let average = board.averages_of(&silent.neuron).unwrap().reward;
            assert!(average < last);
            last = average;
        }
        assert_eq!(last, Score::ZERO);
    }

    #[test]
    fn averages_survive_a_restart_but_not_a_registration() {
        let (kept, gone) = (expert(neuron(1, 5), 1), expert(neuron(2, 5), 1));
        let mut before = board(&[kept, gone]);
        before.record(&kept, Score::ratio(1, 2));
        before.record(&gone, Score::ONE);
        let bytes = before.save().unwrap();
        let again = expert(neuron(2, 8), 1);
        let mut after = board(&[kept, again]);
        after.restore(&bytes).unwrap();
        assert_eq!(after.expert_averages(&kept), before.expert_averages(&kept));
        assert_eq!(after.averages_of(&again.neuron), Some(MovingAverages::default()));
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
        let most = MovingAverages {
            quality: Score::ONE,
            reward: Score::ONE,
            halves: [Score::ONE; 2],
            unshared: Score::ONE,
            unshared_halves: [Score::ONE; 2],
            tasks: u32::MAX,
            zeros: u32::MAX,
            silences: u32::MAX,
        };
        let experts = |count: usize| -> Experts {
            (0..count).map(|number| (ExpertId::from_bytes([number as u8; 32]), most)).collect()
        };
        let share = MAX_EXPERTS / MAX_NEURONS;
        full.neurons.values_mut().for_each(|of_one| *of_one = experts(share));
        assert_eq!((full.neurons.len(), full.iter().count()), (MAX_NEURONS, MAX_EXPERTS));
        let mut read = full.clone();
        read.neurons.values_mut().for_each(Experts::clear);
        read.restore(&full.save().unwrap()).unwrap();
        assert_eq!(read, full);
    }

    proptest! {
        #[test]
        fn an_average_stays_among_its_scores(scores in proptest::collection::vec(any::<u32>(), 1..60)) {
            let only = expert(neuron(1, 5), 1);
            let mut board = board(&[only]);
            scores.iter().for_each(|score| { board.record(&only, Score::from_parts(*score)); });
            let average = board.averages_of(&only.neuron).unwrap().quality.parts();
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
