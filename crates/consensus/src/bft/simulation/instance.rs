//! A simulated node: an engine on a machine, with an application and the protocols around them.
//!
//! Beyond the engine it does what a real node has to do: fetch blocks and retry, store a block before
//! calling it valid, fetch decisions when it is behind, and start the next height when the block is
//! committed.

mod delivery;

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use nervure_primitives::{BlockHeight, Hash, NodeId, NodeKey, UnixMillis};
use rand::Rng;

use super::{
    Behaviour, FaultKind, Micros, SimulatedValidator, Violation,
    events::{Event, LocalEvent, Packet},
    machine::Machine,
    plan::{MILLISECOND, SYNCHRONY},
    world::World,
};
use crate::{
    bft::{
        Application, Block, Candidate, Config, Driver, DriverError, Effect, Engine, Input, Message,
        MessageError, Round, Signer, Timeouts, Timer, TimerKind, Turn,
    },
    checkpoint::CommitCertificate,
};

/// Timeouts that fit the simulated links.
const TIMEOUTS: Timeouts = Timeouts {
    propose: Duration::from_millis(120),
    vote: Duration::from_millis(60),
    step: Duration::from_millis(60),
    rebroadcast: Duration::from_millis(150),
    longest: Duration::from_secs(3),
};

/// The time between two requests for a block or a decision.
const RETRY_DELAY: Micros = 60 * MILLISECOND;

/// Writes to the application's disk that count as one effect when a crash is scheduled.
const WRITES_PER_EFFECT: u32 = 3;

/// The bytes of a certificate, and the body of a block.
type Decision = (Rc<[u8]>, Rc<[u8]>);

/// A node of the run, or one of two that share a key.
pub(super) struct Instance<A> {
    pub(super) key: NodeKey,
    pub(super) behaviour: Behaviour,
    /// By how much its clock is ahead, in milliseconds.
    pub(super) skew: i64,
    pub(super) app: A,
    /// The number of process starts and ends; events of earlier processes are dropped.
    pub(super) incarnation: u32,
    driver: Option<Driver<Machine>>,
    /// The machine while no process runs.
    stopped_machine: Machine,
    downtime: Micros,
    /// Blocks that were stored before they were called valid.
    pub(super) blocks: BTreeMap<Hash, Rc<[u8]>>,
    chain: BTreeMap<BlockHeight, Decision>,
    /// A commit during which the power failed.
    torn_commit: Option<(CommitCertificate, Decision)>,
    fetching: BTreeMap<Hash, Candidate>,
    timers: BTreeMap<Timer, u64>,
    scheduled: u64,
    next_decision_request: Micros,
    /// When a decision may be sent to each peer again.
    decision_resend_at: BTreeMap<NodeId, Micros>,
}

impl<A: Application> Instance<A> {
    pub(super) fn new(validator: &SimulatedValidator, app: A) -> Self {
        Self {
            key: validator.key.clone(),
            behaviour: validator.behaviour,
            skew: validator.skew,
            app,
            incarnation: 0,
            driver: None,
            stopped_machine: Machine::default(),
            downtime: 0,
            blocks: BTreeMap::new(),
            chain: BTreeMap::new(),
            torn_commit: None,
            fetching: BTreeMap::new(),
            timers: BTreeMap::new(),
            scheduled: 0,
            next_decision_request: 0,
            decision_resend_at: BTreeMap::new(),
        }
    }

    fn next_height(&self) -> BlockHeight {
        BlockHeight(self.app.height().0.saturating_add(1))
    }
}

impl<A: Application> World<'_, A> {
    /// Starts a process.
    pub(super) fn restart(&mut self, at: usize) {
        let listen = Duration::from_micros(self.plan.listen);
        let config = Config::new(TIMEOUTS, listen).with_quorum(self.plan.quorum).with_synchrony(SYNCHRONY);
        let config = if self.plan.checks_time { config } else { config.without_time_check() };
        let node = &mut self.nodes[at];
        if node.driver.is_some() {
            return;
        }
        node.incarnation += 1;
        node.app.restart();
        self.recover_chain(at);
        let node = &mut self.nodes[at];
        let machine = std::mem::take(&mut node.stopped_machine);
        let signer = Signer::new(node.key.clone(), self.plan.mesh, machine.disk.record());
        node.driver = Some(Driver::new(Engine::new(config, signer), machine));
        if !listen.is_zero() {
            self.faults.note(FaultKind::Listening);
        }
        let incarnation = self.nodes[at].incarnation;
        self.trace_of(5, at, &incarnation.to_be_bytes(), || format!("{at}: process {incarnation}"));
        self.plan_local(at, 0, LocalEvent::Start);
    }

    /// Compares the chain with the state that the application recovered: all that was committed, and
    /// perhaps the block that was being committed when the power failed.
    fn recover_chain(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let (found, had) = (node.app.height(), node.chain.keys().next_back().copied().unwrap_or_default());
        match node.torn_commit.take() {
            Some((certificate, decision)) if certificate.height == found && found > had => {
                node.chain.insert(found, decision);
                self.note_commit(at, &certificate);
            }
            _ if found != had && self.is_honest(at) => {
                self.invariants.violate(Violation::Lost { height: had })
            }
            _ => {}
        }
    }

    /// Schedules a crash after `effects` more effects.
    pub(super) fn schedule_crash(&mut self, at: usize, effects: u32, downtime: Micros) {
        let node = &mut self.nodes[at];
        node.downtime = downtime;
        node.app.power_fails_after(effects.saturating_mul(WRITES_PER_EFFECT));
        if let Some(driver) = node.driver.as_mut() {
            driver.host().effects_until_crash = Some(effects);
        }
    }

    /// Ends the process and loses what was not synced.
    fn crash(&mut self, at: usize) {
        let (node, rng) = (&mut self.nodes[at], &mut self.rng);
        let Some(driver) = node.driver.take() else { return };
        let mut machine = driver.into_host();
        self.faults.note(FaultKind::Crash);
        if machine.disk.crash(rng) {
            self.faults.note(FaultKind::LostWrites);
        }
        if node.behaviour == Behaviour::Amnesiac {
            self.faults.note(FaultKind::Amnesia);
            machine.disk.forget();
        }
        (machine.effects_until_crash, machine.host_effects) = (None, Vec::new());
        (node.stopped_machine, node.fetching, node.timers) = (machine, BTreeMap::new(), BTreeMap::new());
        node.incarnation += 1;
        let back = self.now + node.downtime;
        self.events.plan(back, Event::Restart(at));
        self.trace_of(6, at, &[], || format!("{at}: crash"));
    }

    /// Handles an input and performs its effects.
    fn input(&mut self, at: usize, input: Input) {
        let Some(driver) = self.nodes[at].driver.as_mut() else { return };
        let result = driver.handle(input);
        let host_effects = std::mem::take(&mut driver.host().host_effects);
        let torn_commit = matches!(result, Err(DriverError::Host(_)));
        if torn_commit && !host_effects.is_empty() {
            self.faults.note(FaultKind::TornEffects);
        }
        for effect in host_effects {
            // A commit may have crashed the process.
            if self.nodes[at].driver.is_some() {
                self.perform(at, effect);
            }
        }
        match result {
            Ok(_) | Err(DriverError::Stopped) => {}
            Err(DriverError::Host(_)) => self.crash(at),
            Err(DriverError::Engine(error)) if self.is_honest(at) => {
                self.invariants.violate(Violation::Failed(error.to_string()));
            }
            Err(DriverError::Engine(_)) => {
                // A Byzantine node may damage its own state again at once, so do not restart in a loop.
                self.nodes[at].downtime = self.nodes[at].downtime.max(RETRY_DELAY);
                self.crash(at);
            }
        }
    }

    fn perform(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Broadcast(message) => self.broadcast(at, message),
            Effect::Schedule { timer, after } => {
                let node = &mut self.nodes[at];
                node.scheduled += 1;
                let turn = node.scheduled;
                node.timers.insert(timer, turn);
                let after = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
                self.plan_local(at, after, LocalEvent::Timer(timer, turn));
            }
            Effect::Cancel(timer) => drop(self.nodes[at].timers.remove(&timer)),
            Effect::CancelAll => {
                self.nodes[at].timers.retain(|timer, _| timer.kind == TimerKind::Listen);
            }
            Effect::Propose { height, round, .. } => {
                let block = self.propose(at, round);
                self.nodes[at].blocks.insert(block.id, block.body.into());
                let after = self.rng.random_range(MILLISECOND..10 * MILLISECOND);
                self.plan_local(at, after, LocalEvent::Proposed { height, round, value: block.id });
            }
            Effect::Validate(candidate) => self.validate(at, candidate),
            Effect::Decided(certificate) => self.commit(at, &certificate),
            Effect::LatePrecommit(vote) => self.nodes[at].app.late_precommit(&vote),
            Effect::Behind { peer, .. } => {
                let height = self.nodes[at].next_height();
                if self.now >= self.nodes[at].next_decision_request {
                    self.nodes[at].next_decision_request = self.now + RETRY_DELAY;
                    self.send_to(at, peer, &Packet::GetDecision(height));
                }
            }
            Effect::Refused { from, reason: MessageError::OldHeight(height) } => {
                let node = &mut self.nodes[at];
                let too_soon = node.decision_resend_at.get(&from).is_some_and(|at| self.now < *at);
                if let Some((certificate, body)) = node.chain.get(&height).cloned().filter(|_| !too_soon) {
                    node.decision_resend_at.insert(from, self.now + RETRY_DELAY);
                    self.send_to(at, from, &Packet::Decision(certificate, body));
                }
            }
            Effect::Untimely { .. } if self.is_honest(at) => self.faults.note(FaultKind::Untimely),
            other => self.check_effect(at, &other),
        }
    }

    /// Builds a block by the clock of the instance.
    pub(super) fn propose(&mut self, at: usize, round: Round) -> Block {
        let now = self.clock(at);
        let node = &mut self.nodes[at];
        let turn = Turn { proposer: node.key.node_id(), round, now };
        let block = node.app.propose(turn);
        if node.behaviour == Behaviour::WrongClock {
            self.faults.note(FaultKind::WrongTime);
        }
        block
    }

    /// Sends to every instance with this key.
    fn send_to(&mut self, at: usize, node: NodeId, packet: &Packet) {
        for to in (0..self.nodes.len()).filter(|to| *to != at) {
            if self.nodes[to].key.node_id() == node {
                self.send(at, to, packet.clone(), 0);
            }
        }
    }

    /// Reports effects that an honest node must not emit.
    fn check_effect(&mut self, at: usize, effect: &Effect) {
        if !self.is_honest(at) {
            return;
        }
        let honest = |node| self.nodes.iter().any(|n| n.key.node_id() == node && n.behaviour.is_honest());
        let me = self.nodes[at].key.node_id();
        let violation = match effect {
            Effect::Evidence(pair) if honest(pair.culprit()) => Violation::Accused(pair.culprit()),
            Effect::Evidence(pair) if pair.verify(&self.plan.mesh).is_err() => {
                Violation::BadEvidence(pair.culprit())
            }
            Effect::Evidence(pair) => {
                self.evidence += 1;
                self.nodes[at].app.equivocation(pair);
                return;
            }
            Effect::Refused { from, reason } if reason.blames_sender() && honest(*from) => {
                Violation::Blamed(*from)
            }
            Effect::Silenced { .. } => Violation::Silenced(me),
            Effect::Contradicted(certificate) => Violation::Contradicted(certificate.height),
            _ => return,
        };
        self.invariants.violate(violation);
    }

    fn broadcast(&mut self, at: usize, message: Message) {
        if self.is_honest(at) {
            let node = self.nodes[at].key.node_id();
            self.invariants.sent(node, &message);
        }
        if let Message::Proposal(proposal) = &message {
            self.proposed.entry(proposal.statement.height).or_insert(self.now);
        }
        self.send_with_behaviour(at, message);
    }

    /// Handles an event inside a process.
    pub(super) fn local(&mut self, at: usize, event: LocalEvent) {
        match event {
            LocalEvent::Start => {
                let Some(driver) = self.nodes[at].driver.as_mut() else { return };
                let mut log = driver.host().disk.log();
                let node = &self.nodes[at];
                let (height, validators, silent) =
                    (node.next_height(), node.app.validators(), node.app.silent());
                log.retain(|entry| entry.height() == height);
                let now = self.clock(at);
                self.input(at, Input::Start { height, validators, silent, log, now });
            }
            LocalEvent::Timer(timer, turn) => {
                if self.nodes[at].timers.get(&timer) == Some(&turn) {
                    self.nodes[at].timers.remove(&timer);
                    self.input(at, Input::Elapsed(timer));
                }
            }
            LocalEvent::Proposed { height, round, value } => {
                self.input(at, Input::Proposed { height, round, value });
            }
            LocalEvent::Validated { height, value, stamp } => {
                self.input(at, Input::Validated { height, value, stamp });
            }
            LocalEvent::Fetch(id) => self.fetch(at, id),
        }
    }

    fn commit(&mut self, at: usize, certificate: &CommitCertificate) {
        let node = &mut self.nodes[at];
        let (Some(body), Ok(bytes)) = (node.blocks.get(&certificate.value).cloned(), certificate.encode())
        else {
            return self.invariants.violate(Violation::Failed("decided a block that is not stored".into()));
        };
        if certificate.height != node.next_height() {
            return self.invariants.violate(Violation::Failed("decided a height out of order".into()));
        }
        // Those who agreed may have done so while this node did not run.
        if !node.app.validate(&body) {
            if self.is_honest(at) {
                self.invariants.violate(Violation::Contradicted(certificate.height));
            }
            return;
        }
        let decision: Decision = (bytes.into(), body.clone());
        let time = node.app.stamp_of(&body).map_or(UnixMillis(0), |stamp| stamp.time);
        if let Err(error) = node.app.commit(certificate, &body) {
            node.torn_commit = Some((certificate.clone(), decision));
            self.faults.note(FaultKind::TornCommit);
            self.trace_of(8, at, &[], || format!("{at}: {error}"));
            return self.crash(at);
        }
        node.chain.insert(certificate.height, decision);
        node.blocks.clear();
        node.fetching.clear();
        let next = node.next_height();
        if let Some(driver) = node.driver.as_mut() {
            driver.host().disk.begin(next);
        }
        self.check_time(at, certificate, time);
        self.note_commit(at, certificate);
        // A node that is behind does not wait.
        let first = *self.committed.entry(certificate.height).or_insert(self.now);
        let after = (first + self.plan.block_time).saturating_sub(self.now);
        if after == 0 {
            self.nodes[at].next_decision_request = self.now;
        }
        self.plan_local(at, after, LocalEvent::Start);
    }

    /// Checks that an honest clock was close to the time of a decided block at some moment since the height's first
    /// proposal was sent.
    fn check_time(&mut self, at: usize, certificate: &CommitCertificate, time: UnixMillis) {
        let height = certificate.height;
        if !self.is_honest(at) {
            return;
        }
        let proposed = self.proposed.get(&height).copied().unwrap_or(0);
        // The clocks that were compared with it were themselves off.
        let honest = self.nodes.iter().filter(|node| node.behaviour.is_honest());
        let skew = honest.map(|node| node.skew.abs()).max().unwrap_or(0);
        let (earliest, latest) = (self.wall_time(proposed, -skew), self.wall_time(self.now, skew));
        let (ahead, behind) = SYNCHRONY.bounds(certificate.round);
        if time > latest.plus(ahead) || earliest > time.plus(behind) {
            self.invariants.violate(Violation::WrongTime { height, time });
        }
    }

    fn note_commit(&mut self, at: usize, certificate: &CommitCertificate) {
        let (height, root) = (certificate.height, self.nodes[at].app.state_root());
        let detail = [*certificate.value.as_bytes(), *root.as_bytes()].concat();
        self.trace_of(7, at, &detail, || format!("{at}: decided {certificate:?}, state {root}"));
        if self.is_honest(at) {
            self.invariants.committed(height, certificate.value, root);
            let since = self.proposed.get(&height).copied().unwrap_or(self.now);
            self.finality = self.finality.max(self.now - since);
        }
    }
}
