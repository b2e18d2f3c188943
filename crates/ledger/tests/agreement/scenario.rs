//! What a seed plays: validators, their misbehaviour, the faults around them, and the rules of their mesh.

use nervure_consensus::bft::simulation::{
    Behaviour, Incident, Links, MILLISECOND, Micros, Plan, SimulatedValidator,
};
use nervure_ledger::{
    params::Params,
    spec::{AccountSpec, MeshSpec, NodeSpec, Role},
};
use nervure_primitives::{Amount, BlockHeight, NodeId, NodeKey};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Blocks between two elections.
pub(crate) const INTERVAL: u64 = 2;

/// Heights in which missed ones are counted.
pub(crate) const WINDOW: u64 = 4;

/// Blocks for which a jailed validator rests.
pub(crate) const JAIL_TIME: u64 = 2;

/// Heights after the faults: a window of faults is over, one without has passed, and a validator that was jailed in the
/// first has returned.
const GROWTH: u64 = 12;

/// Base units behind a validator for each unit of its power: more than people move in a run.
pub(crate) const UNIT: u64 = 1_000_000_000_000;

/// Which defences are on. A test turns one of them off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defences {
    /// Missed heights are counted in a window that fits into the run.
    pub(crate) jailing: bool,
    /// Validators report the equivocations that they find.
    pub(crate) reports: bool,
    /// Every node uses the validator set of its state.
    pub(crate) sets: bool,
    /// An equivocation costs a part of the stake that is worth something.
    pub(crate) slashing: bool,
    /// Validators that were not heard lately propose last.
    pub(crate) order: bool,
}

impl Defences {
    pub(crate) const ALL: Self =
        Self { jailing: true, reports: true, sets: true, slashing: true, order: true };
}

/// When a validator is not to make blocks, by the will of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Absence {
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// A validator of the mesh, under the keys that it has one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) keys: Vec<NodeKey>,
    pub(crate) owner: NodeKey,
    pub(crate) behaviour: Behaviour,
    pub(crate) power: u64,
    pub(crate) absence: Option<Absence>,
    /// The height from which on its owner swaps its key.
    pub(crate) swap: Option<u64>,
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) plan: Plan,
    pub(crate) members: Vec<Member>,
    pub(crate) defences: Defences,
}

fn key(group: u8, number: usize) -> NodeKey {
    NodeKey::from_seed(&[group + number as u8; 32])
}

pub(crate) fn units(units: u64) -> Amount {
    Amount::from_base_units(units)
}

impl Scenario {
    /// The run of a seed.
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x51e6e);
        let members = draw_members(&mut rng);
        let mut plan = Plan::draw(seed);
        plan.faults_end = rng.random_range(200..600) * MILLISECOND;
        let slowest = rng.random_range(1..8) * MILLISECOND;
        plan.links = Links {
            fastest: 200,
            slowest,
            loss: pick(&mut rng, &[0, 20, 100]),
            duplicate: pick(&mut rng, &[0, 50]),
            reorder: pick(&mut rng, &[0, 50]),
        };
        (plan.target, plan.growth, plan.block_time) = (BlockHeight(GROWTH), GROWTH, 60 * MILLISECOND);
        (plan.rotates, plan.listen) = (false, 0);
        plan.validators = members.iter().flat_map(|member| nodes_of(&mut rng, member)).collect();
        plan.incidents = draw_incidents(&mut rng, &plan);
        Self { plan, members, defences: Defences::ALL }
    }

    /// Gives the first founder a clock that is so many milliseconds ahead, if all validators are honest so far.
    pub(crate) fn set_clock_ahead(&mut self, skew: i64) {
        if self.members.iter().all(|member| member.behaviour.is_honest()) {
            self.members[0].behaviour = Behaviour::WrongClock;
            for node in
                self.plan.validators.iter_mut().filter(|node| self.members[0].has(&node.key.node_id()))
            {
                (node.behaviour, node.skew) = (Behaviour::WrongClock, skew);
            }
        }
    }

    /// The mesh: a founder has joined, the others have stake and have not.
    pub(crate) fn spec(&self) -> MeshSpec {
        let Defences { jailing, slashing, .. } = self.defences;
        let rules = Params::local();
        let economy = Params {
            election_interval: INTERVAL,
            liveness_window: if jailing { WINDOW } else { 10_000 },
            jail_time: JAIL_TIME,
            evidence_window: 12,
            min_self_stake: UNIT,
            slash_permille: if slashing { rules.slash_permille } else { 1 },
            ..rules
        };
        let mut spec = MeshSpec { economy, ..MeshSpec::test(&format!("agreement-{}", self.plan.seed)) };
        for member in &self.members {
            let role = if member.is_founder() { Role::Validator } else { Role::Miner };
            let node = NodeSpec::new(member.keys[0].node_id(), role).with_owner(member.owner.node_id());
            spec.nodes.push(node.with_stake(units(member.power * UNIT)));
            spec.accounts.push(AccountSpec::new(member.owner.node_id(), units(100 * UNIT)));
        }
        spec
    }

    /// The validator of each instance: twins have two.
    pub(crate) fn key_of(&self, instance: usize) -> Option<(&NodeKey, Behaviour)> {
        let copies = |one: &SimulatedValidator| if one.behaviour == Behaviour::Twins { 2 } else { 1 };
        let all = self.plan.validators.iter().flat_map(|one| std::iter::repeat_n(one, copies(one)));
        all.map(|one| (&one.key, one.behaviour)).nth(instance)
    }
}

impl Member {
    /// Whether it is in office from the first block on.
    pub(crate) fn is_founder(&self) -> bool {
        self.absence.is_none_or(|absence| absence.from > 0)
    }

    /// Whether its owner wants it to make blocks.
    pub(crate) fn wants(&self, height: u64) -> bool {
        self.absence.is_none_or(|Absence { from, until }| height < from || height >= until)
    }

    pub(crate) fn has(&self, node: &NodeId) -> bool {
        self.keys.iter().any(|key| key.node_id() == *node)
    }
}

/// The nodes of a member, one for each of its keys: a new key runs on a machine of its own before it is in office.
fn nodes_of(rng: &mut ChaCha8Rng, member: &Member) -> Vec<SimulatedValidator> {
    let skew = match member.behaviour {
        Behaviour::WrongClock => pick(rng, &[-86_400_000, -2_000, 2_000, 60_000, 86_400_000]),
        _ => rng.random_range(-25..=25),
    };
    let Member { power, behaviour, .. } = *member;
    let node = |key: &NodeKey| SimulatedValidator { key: key.clone(), power, behaviour, skew };
    member.keys.iter().map(node).collect()
}

fn draw_members(rng: &mut ChaCha8Rng) -> Vec<Member> {
    let count = if rng.random_bool(0.7) { 4 } else { 5 };
    let even = rng.random_bool(0.5);
    let mut members: Vec<Member> = (0..count)
        .map(|number| Member {
            keys: vec![key(1, number)],
            owner: key(100, number),
            behaviour: Behaviour::Honest,
            power: if even { 10 } else { rng.random_range(6..15) },
            absence: None,
            swap: None,
        })
        .collect();
    let total: u64 = members.iter().map(|member| member.power).sum();
    let bad = rng.random_range(0..count);
    let behaviour = pick(rng, &BEHAVIOURS);
    if members[bad].power * 3 < total && rng.random_bool(0.8) {
        members[bad].behaviour = behaviour;
    }
    let chosen = rng.random_range(0..count);
    match rng.random_range(0..4u8) {
        // Leaves, and comes back.
        0 if members[chosen].behaviour.is_honest()
            && (bad == chosen || members[bad].power * 3 < total - members[chosen].power) =>
        {
            let from = rng.random_range(1..8);
            members[chosen].absence = Some(Absence { from, until: from + rng.random_range(3..8) });
        }
        // A key for another machine.
        1 if members[chosen].behaviour != Behaviour::Twins => {
            members[chosen].keys.push(key(40, chosen));
            members[chosen].swap = Some(rng.random_range(1..9));
        }
        // A newcomer.
        2 => members.push(Member {
            keys: vec![key(20, 0)],
            owner: key(120, 0),
            behaviour: Behaviour::Honest,
            power: rng.random_range(4..12),
            absence: Some(Absence { from: 0, until: rng.random_range(1..9) }),
            swap: None,
        }),
        _ => {}
    }
    members
}

/// How the member misbehaves that does; the most dangerous behaviour is drawn more often.
const BEHAVIOURS: [Behaviour; 10] = [
    Behaviour::Equivocator,
    Behaviour::Equivocator,
    Behaviour::Equivocator,
    Behaviour::Silent,
    Behaviour::Silent,
    Behaviour::WrongClock,
    Behaviour::Twins,
    Behaviour::Amnesiac,
    Behaviour::Mutator,
    Behaviour::Delayer,
];

fn draw_incidents(rng: &mut ChaCha8Rng, plan: &Plan) -> Vec<(Micros, Incident)> {
    let copies = |one: &SimulatedValidator| if one.behaviour == Behaviour::Twins { 2 } else { 1 };
    let instances: usize = plan.validators.iter().map(copies).sum();
    let end = plan.faults_end;
    let mut incidents = vec![(end, Incident::Join)];
    for _ in 0..rng.random_range(0..2u8) {
        let at = rng.random_range(0..end);
        let alone = rng.random_range(0..instances);
        let groups = match rng.random_bool(0.6) {
            true => (0..instances).map(|one| u8::from(one == alone)).collect(),
            false => (0..instances).map(|_| rng.random_range(0..2)).collect(),
        };
        incidents.push((at, Incident::Partition(groups)));
        incidents.push((rng.random_range(at..=end), Incident::Join));
    }
    for instance in 0..instances {
        for _ in 0..rng.random_range(0..2u8) {
            let downtime = pick(rng, &[10, 50, 300]) * MILLISECOND;
            let crash = Incident::Crash { instance, effects: rng.random_range(0..12), downtime };
            incidents.push((rng.random_range(0..end.saturating_sub(downtime).max(1)), crash));
        }
    }
    incidents
}

fn pick<T: Copy>(rng: &mut ChaCha8Rng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}
