//! The plan of a run, drawn from its seed.

use std::{sync::Arc, time::Duration};

use nervure_primitives::{BlockHeight, Hash, MeshId, NodeKey};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    bft::Synchrony,
    checkpoint::{Quorum, ValidatorSet},
};

/// Simulated time, in microseconds since the start of the run.
pub type Micros = u64;

/// The bounds on block times. Clocks of honest nodes are at most [`MAX_SKEW`] from simulated time, so that two of them
/// differ by at most the precision.
pub(super) const SYNCHRONY: Synchrony =
    Synchrony { precision: Duration::from_millis(50), message_delay: Duration::from_millis(500) };

/// The most that an honest clock is off, in milliseconds.
const MAX_SKEW: i64 = 25;

/// The patience of a drawn plan.
pub const RECOVERY_TIMEOUT: Micros = 60_000 * MILLISECOND;

/// One millisecond of simulated time.
pub const MILLISECOND: Micros = 1_000;

/// How a validator behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// Follows the protocol.
    Honest,
    /// Sends no messages.
    Silent,
    /// Votes for the block that each receiver saw first, and proposes two blocks.
    Equivocator,
    /// Loses its log and signer's record when it crashes, and crashes often.
    Amnesiac,
    /// Damages what it sends.
    Mutator,
    /// Delays messages, some for longer than a height takes.
    Delayer,
    /// Runs twice with one key.
    Twins,
    /// Follows the protocol, with a clock that is minutes or days off.
    WrongClock,
}

impl Behaviour {
    /// The Byzantine behaviours; the most dangerous one is drawn more often.
    const BYZANTINE: [Self; 9] = [
        Self::Equivocator,
        Self::Equivocator,
        Self::Equivocator,
        Self::Silent,
        Self::Amnesiac,
        Self::Mutator,
        Self::Delayer,
        Self::Twins,
        Self::WrongClock,
    ];

    /// Whether it keeps to the protocol.
    pub const fn is_honest(self) -> bool {
        matches!(self, Self::Honest)
    }
}

/// A validator of a run.
#[derive(Clone, Debug)]
pub struct SimulatedValidator {
    /// Its key.
    pub key: NodeKey,
    /// Its voting power.
    pub power: u64,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// By how much its clock is ahead of simulated time, in milliseconds.
    pub skew: i64,
}

/// The links while faults last. Afterwards, packets take between `fastest` and `slowest`, and each
/// arrives exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    /// The shortest delay.
    pub fastest: Micros,
    /// The longest delay, unless a packet is reordered.
    pub slowest: Micros,
    /// Lost packets, per thousand.
    pub loss: u32,
    /// Duplicated packets, per thousand.
    pub duplicate: u32,
    /// Packets delayed by a multiple of the longest delay, per thousand.
    pub reorder: u32,
}

/// An incident of the network or of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incident {
    /// Only instances with the same number reach each other.
    Partition(Vec<u8>),
    /// Ends a partition: all instances reach each other.
    Join,
    /// The instance crashes after `effects` more effects, and restarts after `downtime`.
    Crash {
        /// The instance.
        instance: usize,
        /// The effects that it still performs.
        effects: u32,
        /// The time until it restarts.
        downtime: Micros,
    },
}

/// The initial state of a node.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// The validators of even and odd heights.
    pub validators: [Arc<ValidatorSet>; 2],
    /// Differs between nodes, so that their blocks do.
    pub salt: u64,
}

/// The plan of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed that it was drawn from.
    pub seed: u64,
    /// The mesh id, drawn so that the order of proposers differs between seeds.
    pub mesh: MeshId,
    /// The validators. Byzantine ones have less than a third of the power.
    pub validators: Vec<SimulatedValidator>,
    /// The links.
    pub links: Links,
    /// When faults end.
    pub faults_end: Micros,
    /// The height that every honest node has to reach.
    pub target: BlockHeight,
    /// The heights that every honest node has to reach beyond the highest one that was committed when the faults ended.
    pub growth: u64,
    /// The time between a commit and the next height.
    pub block_time: Micros,
    /// The simulated time after the last fault within which the target has to be reached.
    pub patience: Micros,
    /// The quorum. Any other than two thirds is for tests of this simulation.
    pub quorum: Quorum,
    /// Whether nodes compare the times of blocks with their clocks. Only the test of this simulation turns it off.
    pub checks_time: bool,
    /// How long nodes listen when they start.
    pub listen: Micros,
    /// Whether the last honest validator leaves the set at odd heights, if the rest stays safe.
    pub rotates: bool,
    /// Whether to keep the trace as text.
    pub verbose: bool,
    /// What happens, and when.
    pub incidents: Vec<(Micros, Incident)>,
}

impl Plan {
    /// Draws the plan of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut validators = draw_validators(&mut rng);
        let faults_end = rng.random_range(500..2_500) * MILLISECOND;
        let slowest = rng.random_range(2..40) * MILLISECOND;
        let links = Links {
            fastest: rng.random_range(200..2 * MILLISECOND),
            slowest,
            loss: pick(&mut rng, &[0, 20, 100, 250]),
            duplicate: pick(&mut rng, &[0, 50, 200]),
            reorder: pick(&mut rng, &[0, 50, 200]),
        };
        let incidents = draw_incidents(&mut rng, &validators, faults_end);
        for validator in &mut validators {
            validator.skew = draw_skew(&mut rng, validator.behaviour);
        }
        Self {
            seed,
            mesh: MeshId::from_bytes(*Hash::of("nervure/simulation", &[&seed.to_be_bytes()]).as_bytes()),
            validators,
            links,
            faults_end,
            target: BlockHeight(rng.random_range(3..6)),
            growth: 0,
            block_time: 30 * MILLISECOND,
            patience: RECOVERY_TIMEOUT,
            quorum: Quorum::TWO_THIRDS,
            checks_time: true,
            listen: if rng.random_bool(0.2) { 150 * MILLISECOND } else { 0 },
            rotates: rng.random_bool(0.5),
            verbose: false,
            incidents,
        }
    }

    /// The validator of each instance: twins have two instances.
    pub(super) fn instances(validators: &[SimulatedValidator]) -> Vec<usize> {
        let copies =
            |validator: &SimulatedValidator| if validator.behaviour == Behaviour::Twins { 2 } else { 1 };
        validators.iter().enumerate().flat_map(|(at, validator)| vec![at; copies(validator)]).collect()
    }

    /// The initial state of an instance.
    pub(super) fn genesis(&self, instance: usize) -> Option<Genesis> {
        let stakes = |validators: &[&SimulatedValidator]| {
            ValidatorSet::from_stakes(
                validators.iter().map(|validator| (validator.key.node_id(), validator.power)),
            )
            .ok()
        };
        let rotated_out = self.rotated_out();
        let fewer: Vec<&SimulatedValidator> = self.without(rotated_out).collect();
        let even = stakes(&self.validators.iter().collect::<Vec<_>>())?;
        let odd = stakes(&fewer)?;
        Some(Genesis { validators: [Arc::new(even), Arc::new(odd)], salt: instance as u64 })
    }

    /// The validator that is not in the set at odd heights: the last honest one, if validators rotate
    /// and the rest stays safe.
    pub fn rotated_out(&self) -> Option<usize> {
        let last = self.validators.iter().rposition(|validator| validator.behaviour.is_honest());
        last.filter(|_| self.rotates && is_safe(&self.without(last).collect::<Vec<_>>()))
    }

    fn without(&self, rotated_out: Option<usize>) -> impl Iterator<Item = &SimulatedValidator> {
        self.validators
            .iter()
            .enumerate()
            .filter(move |(at, _)| Some(*at) != rotated_out)
            .map(|(_, validator)| validator)
    }
}

/// Whether Byzantine validators have less than a third of the power.
fn is_safe(validators: &[&SimulatedValidator]) -> bool {
    let power = |validators: &mut dyn Iterator<Item = &&SimulatedValidator>| {
        validators.map(|validator| validator.power).sum::<u64>()
    };
    let byzantine = power(&mut validators.iter().filter(|validator| !validator.behaviour.is_honest()));
    byzantine * 3 < power(&mut validators.iter())
}

fn draw_validators(rng: &mut ChaCha8Rng) -> Vec<SimulatedValidator> {
    let count = rng.random_range(4..=7u8);
    let even = rng.random_bool(0.6);
    let mut validators: Vec<_> = (1..=count)
        .map(|n| SimulatedValidator {
            key: NodeKey::from_seed(&[n; 32]),
            power: if even { 10 } else { rng.random_range(1..30) },
            behaviour: Behaviour::Honest,
            skew: 0,
        })
        .collect();
    let mut order: Vec<_> = (0..validators.len()).collect();
    order.shuffle(rng);
    for at in order.into_iter().take(2) {
        validators[at].behaviour = pick(rng, &Behaviour::BYZANTINE);
        if !is_safe(&validators.iter().collect::<Vec<_>>()) || rng.random_bool(0.2) {
            validators[at].behaviour = Behaviour::Honest;
        }
    }
    validators
}

/// How far a clock is off. Wrong clocks are a second to a day ahead or behind.
fn draw_skew(rng: &mut ChaCha8Rng, behaviour: Behaviour) -> i64 {
    let off = rng.random_range(-MAX_SKEW..=MAX_SKEW);
    if behaviour != Behaviour::WrongClock {
        return off;
    }
    let far = pick(rng, &[1_000, 60_000, 3_600_000, 86_400_000]);
    if rng.random_bool(0.7) { far } else { -far }
}

fn draw_incidents(
    rng: &mut ChaCha8Rng,
    validators: &[SimulatedValidator],
    faults_end: Micros,
) -> Vec<(Micros, Incident)> {
    let instances = Plan::instances(validators);
    let mut incidents = Vec::new();
    for _ in 0..rng.random_range(0..3u8) {
        let at = rng.random_range(0..faults_end);
        let groups = instances.iter().map(|_| rng.random_range(0..2)).collect();
        incidents.push((at, Incident::Partition(groups)));
        incidents.push((rng.random_range(at..=faults_end), Incident::Join));
    }
    for (instance, validator) in instances.iter().enumerate() {
        let max_crashes = if validators[*validator].behaviour == Behaviour::Amnesiac { 6 } else { 2 };
        for _ in 0..rng.random_range(0..=max_crashes) {
            let effects = rng.random_range(0..12);
            let downtime = rng.random_range(0..400) * MILLISECOND;
            let crash = Incident::Crash { instance, effects, downtime };
            incidents.push((rng.random_range(0..faults_end), crash));
        }
    }
    incidents.push((faults_end, Incident::Join));
    incidents
}

fn pick<T: Copy>(rng: &mut ChaCha8Rng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}
