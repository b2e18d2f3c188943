//! The run itself: time passes, packets travel, processes die and return.

use std::{collections::BTreeMap, rc::Rc};

use nervure_primitives::{BlockHeight, Hash, Hasher};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    Behaviour, FaultKind, Faults, Genesis, Micros, Plan, Violation,
    events::{Event, Events, Local, Packet},
    instance::Instance,
    plan::{Incident, MS},
    watch::Watch,
};
use crate::bft::{Application, Round};

/// How much simulated time after the last fault the target may take.
pub const PATIENCE: Micros = 60_000 * MS;

/// No run needs so many events; one that has them is going round in circles.
const MOST_EVENTS: u64 = 1_000_000;

/// What a run showed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The seed of the plan.
    pub seed: u64,
    /// Hash of everything that happened, in order.
    pub trace: Hash,
    /// What went wrong, on purpose.
    pub faults: Faults,
    /// What must not have happened.
    pub violations: Vec<Violation>,
    /// The longest time from a height's first proposal until the last honest node had committed it.
    pub finality: Micros,
    /// Time from the end of the faults until every honest node had reached the target.
    pub recovery: Micros,
    /// How many events it took.
    pub events: u64,
    /// The trace in words, if the plan wanted it.
    pub lines: Vec<String>,
}

pub(super) struct World<'a, A> {
    pub(super) plan: &'a Plan,
    pub(super) rng: ChaCha8Rng,
    pub(super) now: Micros,
    pub(super) events: Events,
    pub(super) nodes: Vec<Instance<A>>,
    pub(super) watch: Watch,
    pub(super) faults: Faults,
    /// What each instance saw proposed first: what equivocators tell it.
    pub(super) favours: BTreeMap<(usize, BlockHeight, Round), Hash>,
    /// When a height was first proposed.
    pub(super) proposed: BTreeMap<BlockHeight, Micros>,
    pub(super) finality: Micros,
    groups: Vec<u8>,
    trace: Hasher,
    lines: Vec<String>,
}

/// Runs `plan`, with an application made for each instance.
pub fn run<A: Application>(plan: &Plan, make: impl Fn(&Genesis) -> A) -> Outcome {
    let mut world = World::new(plan, make);
    let (mut steps, mut recovered) = (0u64, plan.calm);
    while let Some((at, event)) = world.events.next() {
        world.now = at;
        recovered = recovered.max(at);
        if at > plan.calm + PATIENCE || steps > MOST_EVENTS {
            let height = world.slowest();
            world.watch.violate(Violation::Stuck { height });
        }
        if !world.watch.violations.is_empty() || at >= plan.calm && world.slowest() >= plan.target {
            break;
        }
        steps += 1;
        world.happen(event);
    }
    Outcome {
        seed: plan.seed,
        trace: world.trace.finish(),
        faults: world.faults,
        violations: world.watch.violations,
        finality: world.finality,
        recovery: recovered - plan.calm,
        events: steps,
        lines: world.lines,
    }
}

impl<'a, A: Application> World<'a, A> {
    fn new(plan: &'a Plan, make: impl Fn(&Genesis) -> A) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed ^ 0x5eed);
        let mut events = Events::default();
        let mut nodes = Vec::new();
        for (at, seat) in Plan::instances(&plan.seats).into_iter().enumerate() {
            if let Some(genesis) = plan.genesis(at) {
                nodes.push(Instance::new(&plan.seats[seat], make(&genesis)));
            }
            events.plan(rng.random_range(0..20 * MS), Event::Restart(at));
        }
        for (at, incident) in &plan.incidents {
            events.plan(*at, Event::Incident(incident.clone()));
        }
        Self {
            plan,
            rng,
            now: 0,
            events,
            groups: vec![0; nodes.len()],
            nodes,
            watch: Watch::default(),
            faults: Faults::default(),
            favours: BTreeMap::new(),
            proposed: BTreeMap::new(),
            finality: 0,
            trace: Hasher::new("nervure/simulation/trace"),
            lines: Vec::new(),
        }
    }

    /// The height of the honest node that is furthest behind.
    fn slowest(&self) -> BlockHeight {
        let honest = self.nodes.iter().filter(|node| node.behaviour.is_honest());
        honest.map(|node| node.app.height()).min().unwrap_or(self.plan.target)
    }

    fn happen(&mut self, event: Event) {
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
            Event::Incident(Incident::Crash { instance, effects, away }) => {
                self.light_fuse(instance, effects, away);
            }
            Event::Local { instance, life, what } => {
                if self.nodes.get(instance).is_some_and(|node| node.life == life) {
                    self.trace_of(3, instance, &[], || format!("{instance}: {what:?}"));
                    self.local(instance, what);
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

    /// Puts something into the trace.
    pub(super) fn trace_of(&mut self, tag: u8, at: usize, detail: &[u8], words: impl FnOnce() -> String) {
        self.trace.update(&self.now.to_be_bytes());
        self.trace.update(&[tag, u8::try_from(at).unwrap_or(u8::MAX)]);
        self.trace.update(detail);
        if self.plan.verbose {
            self.lines.push(format!("{:>9} us  {}", self.now, words()));
        }
    }

    /// Whether faults of the network still happen.
    pub(super) fn is_stormy(&self) -> bool {
        self.now < self.plan.calm
    }

    /// Sends a packet over a link, with what links do to packets.
    pub(super) fn send(&mut self, from: usize, to: usize, packet: Packet, extra: Micros) {
        let links = self.plan.links;
        if self.groups.get(from) != self.groups.get(to) {
            return self.faults.note(FaultKind::Partition);
        }
        let stormy = self.is_stormy();
        let mut copies = 1;
        if stormy && self.rng.random_ratio(links.loss, 1000) {
            return self.faults.note(FaultKind::Loss);
        }
        if stormy && self.rng.random_ratio(links.duplicate, 1000) {
            self.faults.note(FaultKind::Duplicate);
            copies = 2;
        }
        for _ in 0..copies {
            let mut way = self.rng.random_range(links.fastest..=links.slowest) + extra;
            if stormy && self.rng.random_ratio(links.reorder, 1000) {
                self.faults.note(FaultKind::Reorder);
                way += self.rng.random_range(0..=4 * links.slowest);
            }
            let packet = packet.clone();
            self.events.plan(self.now + way, Event::Deliver { from, to, packet });
        }
    }

    /// Sends a packet to every other instance.
    pub(super) fn send_all(&mut self, from: usize, bytes: &Rc<[u8]>, extra: Micros) {
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            self.send(from, to, Packet::Message(bytes.clone()), extra);
        }
    }

    /// Plans something for a process, unless it dies before.
    pub(super) fn plan_local(&mut self, instance: usize, after: Micros, what: Local) {
        let life = self.nodes[instance].life;
        self.events.plan(self.now + after, Event::Local { instance, life, what });
    }

    /// Whether the node of this instance keeps to the protocol.
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
