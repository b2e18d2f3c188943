//! What a run will be like, drawn from its seed.

use std::sync::Arc;

use nervure_primitives::{BlockHeight, Hash, MeshId, NodeKey};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::checkpoint::{Quorum, ValidatorSet};

/// Simulated time in microseconds since the beginning.
pub type Micros = u64;

/// A millisecond of simulated time.
pub(super) const MS: Micros = 1_000;

/// How a validator behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// As it should.
    Honest,
    /// Says nothing.
    Silent,
    /// Tells everybody what suits them: votes for whatever block the receiver saw first, two
    /// blocks when it proposes.
    Equivocator,
    /// Forgets everything when it crashes, its signatures too, and crashes often.
    Amnesiac,
    /// Damages what it sends.
    Mutator,
    /// Holds messages back, some for longer than heights take.
    Delayer,
    /// Runs twice with one key.
    Twins,
}

impl Behaviour {
    /// All that are not honest, the most dangerous more than once.
    const BYZANTINE: [Self; 8] = [
        Self::Equivocator,
        Self::Equivocator,
        Self::Equivocator,
        Self::Silent,
        Self::Amnesiac,
        Self::Mutator,
        Self::Delayer,
        Self::Twins,
    ];

    /// Whether it keeps to the protocol.
    pub const fn is_honest(self) -> bool {
        matches!(self, Self::Honest)
    }
}

/// A validator of a run.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Its key.
    pub key: NodeKey,
    /// Its power at even heights.
    pub power: u64,
    /// How it behaves.
    pub behaviour: Behaviour,
}

/// How packets travel while faults last. Afterwards they take between `fastest` and `slowest` and
/// all arrive, once each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    /// Shortest time on the way.
    pub fastest: Micros,
    /// Longest time on the way.
    pub slowest: Micros,
    /// Lost, per thousand.
    pub loss: u32,
    /// Duplicated, per thousand.
    pub duplicate: u32,
    /// Held up for a multiple of the longest time, per thousand.
    pub reorder: u32,
}

/// Something that happens to the whole network or to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incident {
    /// From now on only instances with the same number reach each other.
    Partition(Vec<u8>),
    /// Everybody reaches everybody.
    Join,
    /// The instance crashes after so many more effects, and is away for a while.
    Crash { instance: usize, effects: u32, away: Micros },
}

/// What all nodes start from.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// Who decides even and odd heights.
    pub validators: [Arc<ValidatorSet>; 2],
    /// Differs between nodes.
    pub salt: u64,
}

/// A run to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it was drawn from.
    pub seed: u64,
    /// The mesh; drawn too, so that the order of proposers differs between seeds.
    pub mesh: MeshId,
    /// The validators, Byzantine ones with less than a third of the power.
    pub seats: Vec<Seat>,
    /// The links.
    pub links: Links,
    /// When faults end.
    pub calm: Micros,
    /// The height that every honest node has to reach.
    pub target: BlockHeight,
    /// What decides. Anything but two thirds is for tests of this simulation.
    pub quorum: Quorum,
    /// How long nodes listen when they start.
    pub listen: Micros,
    /// Whether the last honest validator has no seat at odd heights, if the others can spare it.
    pub rotates: bool,
    /// Whether to keep the trace in words.
    pub verbose: bool,
    pub(super) incidents: Vec<(Micros, Incident)>,
}

impl Plan {
    /// Draws the plan of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let seats = draw_seats(&mut rng);
        let calm = rng.random_range(500..2_500) * MS;
        let slowest = rng.random_range(2..40) * MS;
        let links = Links {
            fastest: rng.random_range(200..2 * MS),
            slowest,
            loss: pick(&mut rng, &[0, 20, 100, 250]),
            duplicate: pick(&mut rng, &[0, 50, 200]),
            reorder: pick(&mut rng, &[0, 50, 200]),
        };
        let incidents = draw_incidents(&mut rng, &seats, calm);
        Self {
            seed,
            mesh: MeshId::from_bytes(*Hash::of("nervure/simulation", &[&seed.to_be_bytes()]).as_bytes()),
            seats,
            links,
            calm,
            target: BlockHeight(rng.random_range(3..6)),
            quorum: Quorum::TWO_THIRDS,
            listen: if rng.random_bool(0.2) { 150 * MS } else { 0 },
            rotates: rng.random_bool(0.5),
            verbose: false,
            incidents,
        }
    }

    /// Which seat each instance has: twins have two instances.
    pub(super) fn instances(seats: &[Seat]) -> Vec<usize> {
        let copies = |seat: &Seat| if seat.behaviour == Behaviour::Twins { 2 } else { 1 };
        seats.iter().enumerate().flat_map(|(at, seat)| vec![at; copies(seat)]).collect()
    }

    /// What the instance with this number starts from.
    pub(super) fn genesis(&self, instance: usize) -> Option<Genesis> {
        let stakes = |seats: &[&Seat]| {
            ValidatorSet::from_stakes(seats.iter().map(|seat| (seat.key.node_id(), seat.power))).ok()
        };
        let spared = self.spared();
        let fewer: Vec<&Seat> = self.without(spared).collect();
        let even = stakes(&self.seats.iter().collect::<Vec<_>>())?;
        let odd = stakes(&fewer)?;
        Some(Genesis { validators: [Arc::new(even), Arc::new(odd)], salt: instance as u64 })
    }

    /// The seat that is empty at odd heights: the last honest one, if seats rotate and the others can spare it.
    pub fn spared(&self) -> Option<usize> {
        let last = self.seats.iter().rposition(|seat| seat.behaviour.is_honest());
        last.filter(|_| self.rotates && is_safe(&self.without(last).collect::<Vec<_>>()))
    }

    fn without(&self, spared: Option<usize>) -> impl Iterator<Item = &Seat> {
        self.seats.iter().enumerate().filter(move |(at, _)| Some(*at) != spared).map(|(_, seat)| seat)
    }
}

/// Whether the Byzantine have less than a third.
fn is_safe(seats: &[&Seat]) -> bool {
    let power = |seats: &mut dyn Iterator<Item = &&Seat>| seats.map(|seat| seat.power).sum::<u64>();
    let byzantine = power(&mut seats.iter().filter(|seat| !seat.behaviour.is_honest()));
    byzantine * 3 < power(&mut seats.iter())
}

fn draw_seats(rng: &mut ChaCha8Rng) -> Vec<Seat> {
    let count = rng.random_range(4..=7u8);
    let even = rng.random_bool(0.6);
    let mut seats: Vec<_> = (1..=count)
        .map(|n| Seat {
            key: NodeKey::from_seed(&[n; 32]),
            power: if even { 10 } else { rng.random_range(1..30) },
            behaviour: Behaviour::Honest,
        })
        .collect();
    let mut order: Vec<_> = (0..seats.len()).collect();
    order.shuffle(rng);
    for at in order.into_iter().take(2) {
        seats[at].behaviour = pick(rng, &Behaviour::BYZANTINE);
        if !is_safe(&seats.iter().collect::<Vec<_>>()) || rng.random_bool(0.2) {
            seats[at].behaviour = Behaviour::Honest;
        }
    }
    seats
}

fn draw_incidents(rng: &mut ChaCha8Rng, seats: &[Seat], calm: Micros) -> Vec<(Micros, Incident)> {
    let instances = Plan::instances(seats);
    let mut incidents = Vec::new();
    for _ in 0..rng.random_range(0..3u8) {
        let at = rng.random_range(0..calm);
        let groups = instances.iter().map(|_| rng.random_range(0..2)).collect();
        incidents.push((at, Incident::Partition(groups)));
        incidents.push((rng.random_range(at..=calm), Incident::Join));
    }
    for (instance, seat) in instances.iter().enumerate() {
        let most = if seats[*seat].behaviour == Behaviour::Amnesiac { 6 } else { 2 };
        for _ in 0..rng.random_range(0..=most) {
            let effects = rng.random_range(0..12);
            let away = rng.random_range(0..400) * MS;
            let crash = Incident::Crash { instance, effects, away };
            incidents.push((rng.random_range(0..calm), crash));
        }
    }
    incidents.push((calm, Incident::Join));
    incidents
}

fn pick<T: Copy>(rng: &mut ChaCha8Rng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}
