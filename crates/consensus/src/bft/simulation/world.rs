//! The run: the clock, the links and the processes.

use std::{collections::BTreeMap, rc::Rc};

use nervure_primitives::{BlockHeight, Hash, Hasher, UnixMillis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    Behaviour, FaultKind, Faults, Genesis, Micros, Plan, Violation,
    events::{Event, Events, LocalEvent, Packet},
    instance::Instance,
    invariants::InvariantChecker,
    plan::{Incident, MILLISECOND},
};
use crate::bft::{Application, Round};

/// Upper bound for the events of a run. A run that exceeds it makes no progress.
const MAX_EVENTS: u64 = 1_000_000;

/// The wall-clock time at which a run starts.
pub const START: UnixMillis = UnixMillis(1_000_000_000_000);

/// The result of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The seed of the plan.
    pub seed: u64,
    /// Hash of everything that happened, in order.
    pub trace: Hash,
    /// The injected faults.
    pub faults: Faults,
    /// How often an honest node got evidence of equivocation; each piece verifies.
    pub evidence: u64,
    /// The violated invariants.
    pub violations: Vec<Violation>,
    /// The longest time from a height's first proposal until the last honest node had committed it.
    pub finality: Micros,
    /// Time from the end of the faults until every honest node had reached the target.
    pub recovery: Micros,
    /// The number of events.
    pub events: u64,
    /// The trace as text, if the plan asked for it.
    pub lines: Vec<String>,
}

/// A proposal that an instance has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SeenProposal {
    /// The instance.
    pub(super) by: usize,
    pub(super) height: BlockHeight,
    pub(super) round: Round,
}

pub(super) struct World<'a, A> {
    pub(super) plan: &'a Plan,
    pub(super) rng: ChaCha8Rng,
    pub(super) now: Micros,
    pub(super) events: Events,
    pub(super) nodes: Vec<Instance<A>>,
    pub(super) invariants: InvariantChecker,
    pub(super) faults: Faults,
    /// Pieces of evidence that honest nodes got.
    pub(super) evidence: u64,
    /// The block that each instance saw proposed first. Equivocators vote for it.
    pub(super) first_seen: BTreeMap<SeenProposal, Hash>,
    /// The time of the first proposal of each height.
    pub(super) proposed: BTreeMap<BlockHeight, Micros>,
    /// The time at which each height was first committed.
    pub(super) committed: BTreeMap<BlockHeight, Micros>,
    pub(super) finality: Micros,
    /// The height that every honest node has to reach, known when the faults have ended.
    goal: Option<BlockHeight>,
    groups: Vec<u8>,
    trace: Hasher,
    lines: Vec<String>,
}

/// Runs `plan` with an application per instance, made by `make`.
pub fn run<A: Application>(plan: &Plan, make: impl Fn(&Genesis) -> A) -> Outcome {
    let mut world = World::new(plan, make);
    let (mut steps, mut recovered) = (0u64, plan.faults_end);
    while let Some((at, event)) = world.events.next() {
        world.now = at;
        recovered = recovered.max(at);
        if at > plan.faults_end + plan.patience || steps > MAX_EVENTS {
            let height = world.slowest();
            world.invariants.violate(Violation::Stuck { height });
        }
        if !world.invariants.violations.is_empty() || world.has_recovered() {
            break;
        }
        steps += 1;
        world.handle(event);
    }
    Outcome {
        seed: plan.seed,
        trace: world.trace.finish(),
        faults: world.faults,
        evidence: world.evidence,
        violations: world.invariants.violations,
        finality: world.finality,
        recovery: recovered - plan.faults_end,
        events: steps,
        lines: world.lines,
    }
}

impl<'a, A: Application> World<'a, A> {
    fn new(plan: &'a Plan, make: impl Fn(&Genesis) -> A) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed ^ 0x5eed);
        let mut events = Events::default();
        let mut nodes = Vec::new();
        for (at, validator) in Plan::instances(&plan.validators).into_iter().enumerate() {
            if let Some(genesis) = plan.genesis(at) {
                nodes.push(Instance::new(&plan.validators[validator], make(&genesis)));
            }
            events.plan(rng.random_range(0..20 * MILLISECOND), Event::Restart(at));
        }
        for (at, incident) in &plan.incidents {
            events.plan(*at, Event::Incident(incident.clone()));
        }
        Self {
            plan,
            rng,
            now: 0,
            events,
            goal: None,
            groups: vec![0; nodes.len()],
            nodes,
            invariants: InvariantChecker::default(),
            faults: Faults::default(),
            evidence: 0,
            first_seen: BTreeMap::new(),
            proposed: BTreeMap::new(),
            committed: BTreeMap::new(),
            finality: 0,
            trace: Hasher::new("nervure/simulation/trace"),
            lines: Vec::new(),
        }
    }

    /// Whether the faults are over and every honest node has reached the height that it has to reach.
    fn has_recovered(&mut self) -> bool {
        if self.faults_are_active() {
            return false;
        }
        let Plan { target, growth, .. } = *self.plan;
        let goal = *self.goal.get_or_insert_with(|| {
            let highest = self.nodes.iter().map(|node| node.app.height().0).max().unwrap_or(0);
            target.max(BlockHeight(highest.saturating_add(growth)))
        });
        self.slowest() >= goal
    }

    /// The height of the honest node that is furthest behind.
    fn slowest(&self) -> BlockHeight {
        let honest = self.nodes.iter().filter(|node| node.behaviour.is_honest());
        honest.map(|node| node.app.height()).min().unwrap_or(self.plan.target)
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Restart(at) => self.restart(at),
            Event::Incident(Incident::Partition(groups)) => {
                self.trace_of(1, 0, &groups, || format!("partition {groups:?}"));
                self.groups = groups;
            }
            Event::Incident(Incident::Join) => {
                self.trace_of(2, 0, &[], || "join".into());
                self.groups.iter_mut().for_each(|group| *group = 0);
            }
            Event::Incident(Incident::Crash { instance, effects, downtime }) => {
                self.schedule_crash(instance, effects, downtime);
            }
            Event::Local { instance, incarnation, event } => {
                if self.nodes.get(instance).is_some_and(|node| node.incarnation == incarnation) {
                    self.trace_of(3, instance, &[], || format!("{instance}: {event:?}"));
                    self.local(instance, event);
                }
            }
            Event::Deliver { from, to, packet } => {
                let bytes: &[u8] = match &packet {
                    Packet::Message(bytes) | Packet::Block(_, bytes) | Packet::Decision(bytes, _) => bytes,
                    Packet::GetBlock(_) | Packet::GetDecision(_) => &[],
                };
                self.trace_of(4, to, bytes, || describe(from, to, &packet));
                self.receive(from, to, packet);
            }
        }
    }

    /// Adds an entry to the trace.
    pub(super) fn trace_of(&mut self, tag: u8, at: usize, detail: &[u8], text: impl FnOnce() -> String) {
        self.trace.update(&self.now.to_be_bytes());
        self.trace.update(&[tag, u8::try_from(at).unwrap_or(u8::MAX)]);
        self.trace.update(detail);
        if self.plan.verbose {
            self.lines.push(format!("{:>9} us  {}", self.now, text()));
        }
    }

    /// Whether links still have faults.
    pub(super) fn faults_are_active(&self) -> bool {
        self.now < self.plan.faults_end
    }

    /// Sends a packet over a link, with its faults.
    pub(super) fn send(&mut self, from: usize, to: usize, packet: Packet, extra: Micros) {
        let links = self.plan.links;
        if self.groups.get(from) != self.groups.get(to) {
            return self.faults.note(FaultKind::Partition);
        }
        let faulty = self.faults_are_active();
        let mut copies = 1;
        if faulty && self.rng.random_ratio(links.loss, 1000) {
            return self.faults.note(FaultKind::Loss);
        }
        if faulty && self.rng.random_ratio(links.duplicate, 1000) {
            self.faults.note(FaultKind::Duplicate);
            copies = 2;
        }
        for _ in 0..copies {
            let mut delay = self.rng.random_range(links.fastest..=links.slowest) + extra;
            if faulty && self.rng.random_ratio(links.reorder, 1000) {
                self.faults.note(FaultKind::Reorder);
                delay += self.rng.random_range(0..=4 * links.slowest);
            }
            let packet = packet.clone();
            self.events.plan(self.now + delay, Event::Deliver { from, to, packet });
        }
    }

    /// Sends a packet to every other instance.
    pub(super) fn send_all(&mut self, from: usize, bytes: &Rc<[u8]>, extra: Micros) {
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            self.send(from, to, Packet::Message(bytes.clone()), extra);
        }
    }

    /// Plans an event for the current process of an instance.
    pub(super) fn plan_local(&mut self, instance: usize, after: Micros, event: LocalEvent) {
        let incarnation = self.nodes[instance].incarnation;
        self.events.plan(self.now + after, Event::Local { instance, incarnation, event });
    }

    /// What the clock of an instance says.
    pub(super) fn clock(&self, instance: usize) -> UnixMillis {
        let skew = self.nodes.get(instance).map_or(0, |node| node.skew);
        self.wall_time(self.now, skew)
    }

    /// The wall-clock time at a simulated instant, with `skew` milliseconds more.
    pub(super) fn wall_time(&self, at: Micros, skew: i64) -> UnixMillis {
        let elapsed = at / MILLISECOND;
        UnixMillis(START.0.saturating_add(elapsed).saturating_add_signed(skew))
    }

    /// Whether this instance follows the protocol.
    pub(super) fn is_honest(&self, instance: usize) -> bool {
        self.nodes.get(instance).is_some_and(|node| node.behaviour == Behaviour::Honest)
    }
}

fn describe(from: usize, to: usize, packet: &Packet) -> String {
    match packet {
        Packet::Message(bytes) => match crate::bft::Message::decode(bytes) {
            Ok(message) => format!("{from} -> {to}: {message:?}"),
            Err(error) => format!("{from} -> {to}: damaged, {error}"),
        },
        Packet::GetBlock(id) => format!("{from} -> {to}: get block {id}"),
        Packet::Block(id, _) => format!("{from} -> {to}: block {id}"),
        Packet::GetDecision(height) => format!("{from} -> {to}: get decision of {height}"),
        Packet::Decision(..) => format!("{from} -> {to}: decision"),
    }
}
