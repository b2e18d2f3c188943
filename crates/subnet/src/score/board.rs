//! A validator's running averages of the neurons of one subnet.
//!
//! Of each neuron a mean over its first tasks, then an exponential moving average: of its reward over about
//! [`ScoringRules::memory`] of them, because pay should be steady, and of its quality over the fewer of
//! [`ScoringRules::attention`], because questions should leave a bad expert soon. A neuron that was asked and did not answer scores 0 like one that answered wrongly; after `memory` zeros
//! in a row its average is exactly 0. A neuron that was not asked keeps what it has. The board holds who is
//! registered and nobody else, so that it is bounded by the subnet.
//!
//! The state survives a restart as bytes ([`Scoreboard::save`]); it is the validator's own, and read as
//! carefully as a stranger's.

use std::collections::BTreeMap;

use nervure_primitives::{
    Netuid, NodeId, UnixMillis,
    cbor::{self, CborError, Limits},
};
use nervure_protocol::{LiveScore, LiveScores, Score, bounds::MAX_SCORES};
use serde::{Deserialize, Serialize};

use super::Mark;
use crate::Registration;

/// Most neurons of a subnet.
pub const MAX_NEURONS: usize = 4096;

/// Largest saved state, in bytes.
const MAX_STATE_LEN: usize = 512 << 10;

/// How scores become averages and weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScoringRules {
    /// Tasks that an average looks back on, 1 to 1,000; 20 by default. Fewer, and luck decides; more, and a miner
    /// that became bad goes on earning.
    pub memory: u16,
    /// Tasks that the average of quality looks back on, which routing goes by, 1 to 1,000; 5 by default. Fewer, and
    /// questions follow luck; more, and they go on to a miner that became bad.
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

/// What a validator thinks of a neuron.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The running average of how good its answers were.
    pub quality: Score,
    /// The running average of its part of the reward for them.
    pub reward: Score,
    /// Tasks that it was set.
    pub tasks: u32,
    /// How many of the last ones were worth nothing.
    pub zeros: u32,
}

/// Running averages of a subnet's neurons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scoreboard {
    pub(super) rules: ScoringRules,
    standings: BTreeMap<Registration, Standing>,
}

/// Why bytes are no saved state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Not the bytes that were saved.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// More neurons than a subnet has.
    #[error("more than {MAX_NEURONS} neurons")]
    TooMany,
}

impl Scoreboard {
    /// A board without neurons.
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
            None => Ok(Self { rules, standings: BTreeMap::new() }),
        }
    }

    /// Who is registered now; at most [`MAX_NEURONS`]. Whoever is not loses what it had, newcomers begin at nothing.
    pub fn registered(&mut self, neurons: impl IntoIterator<Item = Registration>) {
        let mut former = std::mem::take(&mut self.standings);
        let keep = |neuron| (neuron, former.remove(&neuron).unwrap_or_default());
        self.standings = neurons.into_iter().take(MAX_NEURONS).map(keep).collect();
    }

    /// A neuron was set a task and did this well. False when it is not registered.
    pub fn record(&mut self, neuron: &Registration, mark: impl Into<Mark>) -> bool {
        let mark = mark.into();
        let (memory, attention) = (u32::from(self.rules.memory), u32::from(self.rules.attention));
        let Some(standing) = self.standings.get_mut(neuron) else { return false };
        standing.tasks = standing.tasks.saturating_add(1);
        standing.zeros = if mark.quality == Score::ZERO { standing.zeros.saturating_add(1) } else { 0 };
        if standing.zeros >= memory {
            (standing.quality, standing.reward) = (Score::ZERO, Score::ZERO);
        } else {
            let tasks = standing.tasks;
            standing.quality = moved(standing.quality, mark.quality, tasks.min(attention));
            standing.reward = moved(standing.reward, mark.reward(), tasks.min(memory));
        }
        true
    }

    /// What is thought of a neuron; none when it is not registered.
    pub fn standing(&self, neuron: &Registration) -> Option<Standing> {
        self.standings.get(neuron).copied()
    }

    /// Every neuron with what is thought of it, in order of node.
    pub fn standings(&self) -> impl Iterator<Item = (Registration, Standing)> + '_ {
        self.standings.iter().map(|(neuron, standing)| (*neuron, *standing))
    }

    /// The averages as bytes, to go on with after a restart.
    ///
    /// The live scores that a validator publishes: of the first [`MAX_SCORES`] neurons that were set a task.
    pub fn live_scores(&self, (validator, netuid): (NodeId, Netuid), now: UnixMillis) -> LiveScores {
        let tested = self.standings().filter(|(_, standing)| standing.tasks > 0).take(MAX_SCORES);
        let scores = tested.map(|(Registration { node, block }, standing)| LiveScore {
            node,
            block,
            score: standing.quality,
            tasks: standing.tasks,
        });
        LiveScores { netuid, validator, issued_at: now, scores: scores.collect() }
    }

    /// # Errors
    /// None in practice: integers always encode.
    pub fn save(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(&self.standings().collect::<Vec<_>>())
    }

    /// Takes up saved averages, of those neurons that are still registered; call [`Self::registered`] first.
    ///
    /// # Errors
    /// When `bytes` are not what was saved.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let saved: Vec<(Registration, Standing)> = cbor::decode(bytes, Limits::new(MAX_STATE_LEN))?;
        if saved.len() > MAX_NEURONS {
            return Err(StateError::TooMany);
        }
        for (neuron, standing) in saved {
            self.standings.entry(neuron).and_modify(|now| *now = standing);
        }
        Ok(())
    }
}

/// The average after one more score, which weighs 1 / `over`. Falls by at least one part, so that it arrives at 0.
fn moved(average: Score, score: Score, over: u32) -> Score {
    let (old, new, over) = (average.parts(), score.parts(), over.max(1));
    Score::from_parts(match new.checked_sub(old) {
        Some(up) => old + up / over,
        None => old - (old - new).div_ceil(over),
    })
}

#[cfg(test)]
mod tests {
    use nervure_primitives::BlockHeight;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::key;

    fn neuron(seed: u8, block: u64) -> Registration {
        Registration { node: key(seed).node_id(), block: BlockHeight(block) }
    }

    fn board(neurons: &[Registration]) -> Scoreboard {
        let mut board = Scoreboard::new(ScoringRules::default()).unwrap();
        board.registered(neurons.iter().copied());
        board
    }

    #[test]
    fn a_new_registration_inherits_nothing() {
        let (old, new) = (neuron(1, 5), neuron(1, 9));
        let mut board = board(&[old]);
        assert!(board.record(&old, Score::ONE));
        board.registered([new]);
        assert_eq!(board.standing(&old), None);
        assert_eq!(board.standing(&new), Some(Standing::default()));
        assert!(!board.record(&old, Score::ONE), "its time is over");
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
    fn a_silent_miner_decays_to_nothing() {
        let neuron = neuron(1, 5);
        let mut board = board(&[neuron]);
        (0..50).for_each(|_| assert!(board.record(&neuron, Score::ONE)));
        let mut last = board.standing(&neuron).unwrap().reward;
        for _ in 0..20 {
            board.record(&neuron, Score::ZERO);
            let average = board.standing(&neuron).unwrap().reward;
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
        assert_eq!(after.standing(&kept), before.standing(&kept));
        assert_eq!(after.standing(&again), Some(Standing::default()));
        assert!(after.restore(&bytes[1..]).is_err());
    }

    #[test]
    fn the_largest_state_can_be_read_again() {
        let mut full = Scoreboard::new(ScoringRules::default()).unwrap();
        let nodes = (0..MAX_NEURONS as u64 + 5).map(|number| Registration {
            node: nervure_primitives::NodeId::from_bytes(*crate::Seed::from(number).as_bytes()),
            block: BlockHeight(u64::MAX),
        });
        full.registered(nodes.collect::<Vec<_>>());
        let most = Standing { quality: Score::ONE, reward: Score::ONE, tasks: u32::MAX, zeros: u32::MAX };
        full.standings.values_mut().for_each(|standing| *standing = most);
        assert_eq!(full.standings.len(), MAX_NEURONS);
        let mut read = full.clone();
        read.standings.values_mut().for_each(|standing| *standing = Standing::default());
        read.restore(&full.save().unwrap()).unwrap();
        assert_eq!(read, full);
    }

    proptest! {
        #[test]
        fn an_average_stays_among_its_scores(scores in proptest::collection::vec(any::<u32>(), 1..60)) {
            let neuron = neuron(1, 5);
            let mut board = board(&[neuron]);
            scores.iter().for_each(|score| { board.record(&neuron, Score::from_parts(*score)); });
            let average = board.standing(&neuron).unwrap().quality.parts();
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
