//! Performs the engine's effects: disk, network, timers and the state.
//!
//! The host gives every effect and every event to the part that owns the state: the [`BlockExecutor`], [`BlockSync`],
//! [`PendingTransactions`], the [`Schedule`], the [`StallMonitor`] and the [`Pacemaker`]. Its own fields are private;
//! the thread ([`super::task`]) calls its methods and gets verdicts as their results. What an effect produces for the
//! engine waits in a queue ([`Host::take_input`]).

mod commit;
mod follow;
mod transactions;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_consensus::{
    bft::{self, BlockStamp, Candidate, DriverError, Effect, Input, SignerRecord, Synchrony, Timer},
    checkpoint::{CommitCertificate, ValidatorSet},
};
use nervure_ledger::{
    block::Block, chain::BlockError, transaction::SignedTransaction, upgrade::UnknownVersion,
};
use nervure_p2p::{GossipMessage, Verdict};
use nervure_primitives::{BlockHeight, NodeId, NodeKey, UnixMillis};
use nervure_protocol::topics::CONSENSUS;
use nervure_store::fail_point::{Point, reach};
use tokio::sync::watch;
use tracing::Span;

use super::{
    ChainMetrics, ChainRole, ChainView, alerts::AlertMonitor, evidence::KeptEvidence,
    executor::BlockExecutor, fetch::Net, gossip, host_error::HostError, pacemaker::Pacemaker,
    pending::PendingTransactions, schedule::Schedule, span, stall::StallMonitor, steps::StepClock,
    sync::BlockSync, unfunded::UnfundedMeter,
};
use crate::runtime::{anchor::Anchoring, clock};

/// How often a follower that receives no blocks asks for them.
const FOLLOWER_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// How long a validator that has just started looks for peers before it begins with its own last block.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// What a host depends on.
pub(super) struct HostDeps {
    pub(super) executor: BlockExecutor,
    pub(super) pending: PendingTransactions,
    pub(super) evidence: KeptEvidence,
    /// Signs reports of equivocation.
    pub(super) key: NodeKey,
    pub(super) view: watch::Sender<ChainView>,
    pub(super) metrics: ChainMetrics,
    pub(super) net: Net,
    pub(super) role: ChainRole,
    pub(super) anchoring: Arc<Anchoring>,
    pub(super) block_time: Duration,
    /// Which peers send transactions that cost their senders nothing.
    pub(super) unfunded: Arc<UnfundedMeter>,
}

/// Disk, network, timers and state of the chain.
pub(super) struct Host {
    deps: HostDeps,
    sync: BlockSync,
    schedule: Schedule,
    pacemaker: Pacemaker,
    stalls: StallMonitor,
    current: CurrentHeight,
    steps: StepClock,
    alerts: AlertMonitor,
    /// The span of the height and round in which the thread works.
    span: Span,
    /// Inputs for the engine that effects produced.
    inputs: VecDeque<Input>,
    /// When the going tip is computed again.
    tip_due: Instant,
    /// How many consensus messages were sent: each sending is a gossip message of its own.
    sent: u16,
}

/// What is known about the height that is being decided.
#[derive(Default)]
struct CurrentHeight {
    /// A decision whose block is not here yet.
    awaited: Option<CommitCertificate>,
    /// The proposer of each round.
    proposers: BTreeMap<u32, NodeId>,
    /// A proposed block of a version of the rules that this program does not know.
    unknown_version: Option<UnknownVersion>,
}

/// A height that is due.
pub(super) struct DueHeight {
    /// The height.
    pub(super) height: BlockHeight,
    /// The validators that decide it.
    pub(super) validators: Arc<ValidatorSet>,
    /// Those of them that propose last.
    pub(super) silent: BTreeSet<NodeId>,
    /// The bounds on the time of its block.
    pub(super) synchrony: Synchrony,
}

impl Host {
    pub(super) fn new(deps: HostDeps) -> Self {
        let now = Instant::now();
        Self {
            sync: BlockSync::default(),
            schedule: Schedule::new(now + HANDSHAKE_TIMEOUT),
            pacemaker: Pacemaker::new(deps.block_time, now),
            stalls: StallMonitor::new(deps.block_time, now),
            current: CurrentHeight::default(),
            steps: StepClock::new(deps.net.node()),
            alerts: AlertMonitor::new(deps.net.node()),
            span: span::of_height(deps.executor.height(), 0),
            inputs: VecDeque::new(),
            tip_due: now,
            sent: 0,
            deps,
        }
    }

    /// The process begins: restores pending transactions, and asks peers for their heights.
    pub(super) fn start(&mut self) {
        let executor = &mut self.deps.executor;
        let mesh = executor.tip().header.mesh;
        self.deps.pending.restore(|envelope| executor.insert(SignedTransaction::verify(envelope, &mesh)));
        self.prune_pending();
        self.report_waiting();
        self.handshake_heights();
    }

    /// Asks peers for their heights before anything else. Signatures that this node's key made after its files were
    /// written are found in those blocks, and nothing is signed for heights that are decided already.
    fn handshake_heights(&mut self) {
        let own = self.deps.net.node();
        let is_alone = self.deps.executor.tip().state.validators().is_some_and(|validators| {
            let power = u128::from(validators.power_of(&own).unwrap_or(0));
            // More than two thirds decide alone, so that no other node can have blocks that this one lacks.
            power * 3 > u128::from(validators.total_power()) * 2
        });
        match is_alone || self.deps.role == ChainRole::Follower {
            true => self.schedule.begin_at(Instant::now()),
            false => self.deps.net.handshake_heights(self.height()),
        }
    }

    /// The span of the height and round in which the thread works.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// When something is due next, if anything is.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.schedule.next().into_iter().chain(self.stall_deadline()).min()
    }

    /// The engine's timers that are due. They run until they are taken.
    pub(super) fn due_timers(&self, now: Instant) -> Vec<Timer> {
        self.schedule.due_timers(now)
    }

    /// Stops a timer that is due. Returns whether it still ran.
    pub(super) fn take_timer(&mut self, timer: &Timer) -> bool {
        self.schedule.cancel(timer)
    }

    /// The next input that effects produced.
    pub(super) fn take_input(&mut self) -> Option<Input> {
        self.inputs.pop_front()
    }

    /// Begins the next height if it is due. Returns what the engine needs to decide it; none for a follower, which
    /// asks a peer for the block, and in a mesh without validators.
    ///
    /// # Errors
    /// When the height has a version of the rules that this program does not know.
    pub(super) fn begin_due_height(&mut self, now: Instant) -> Result<Option<DueHeight>, HostError> {
        if !self.schedule.take_height(now) {
            return Ok(None);
        }
        let tip = self.deps.executor.tip();
        // Before anything is signed or asked for at that height.
        tip.state.upgrades().known_at(self.height()).map_err(HostError::UnknownVersion)?;
        self.sync.end_handshake(tip.header.height);
        self.pacemaker.begin(Instant::now());
        if self.deps.role == ChainRole::Follower {
            self.poll();
            return Ok(None);
        }
        let Some(validators) = tip.state.validators().cloned() else {
            tracing::warn!("this mesh has no validators with stake: it makes no blocks");
            return Ok(None);
        };
        let silent = tip.state.silent_validators();
        let synchrony = tip.state.consensus().synchrony();
        Ok(Some(DueHeight { height: self.height(), validators, silent, synchrony }))
    }

    /// Takes back blocks that were proposed before this process began.
    pub(super) fn recover(&mut self, blocks: &[Vec<u8>]) -> Result<(), HostError> {
        self.deps.executor.recover(blocks)
    }

    /// Asks a peer for the next block, and again later if there is none.
    fn poll(&mut self) {
        self.schedule.begin_at(Instant::now() + FOLLOWER_POLL_INTERVAL);
        self.deps.net.poll(self.height(), self.sync.not_asked(Instant::now()));
    }

    /// When a validator that commits nothing asks whether others did.
    fn stall_deadline(&self) -> Option<Instant> {
        (self.deps.role == ChainRole::Validator).then(|| self.stalls.deadline())
    }

    /// When this validator has committed nothing for too long, asks a peer for the block that it waits for, and reports
    /// why there is none.
    pub(super) fn check_stall(&mut self, now: Instant) {
        if self.stall_deadline().is_none_or(|at| at > now) {
            return;
        }
        let validators = self.deps.executor.tip().state.validators();
        let why = self.stalls.on_stall(Instant::now(), validators.map(Arc::as_ref), self.deps.net.node());
        if let Some(why) = &why {
            tracing::warn!(height = %self.height(), "{why}");
        }
        self.deps.view.send_modify(|view| view.stalled = why);
        self.deps.net.poll(self.height(), self.sync.not_asked(Instant::now()));
    }

    /// The height that is being decided.
    fn height(&self) -> BlockHeight {
        self.deps.executor.height()
    }

    /// Gives a gossip message its verdict.
    pub(super) fn judge(&self, message: GossipMessage, verdict: Verdict) {
        self.deps.net.spawn(message.judge(verdict));
    }

    /// A peer sent a message of `height`, which begins here too when enough validators have begun it.
    pub(super) fn on_message(&mut self, from: NodeId, height: BlockHeight) {
        let is_awaited = self.schedule.awaits_height() && height == self.height();
        if is_awaited
            && let Some(validators) = self.deps.executor.tip().state.validators()
            && self.pacemaker.on_next_height_message(from, validators)
        {
            self.schedule.begin_at(Instant::now());
        }
    }

    /// A message of this validator is valid.
    pub(super) fn on_heard(&mut self, signer: NodeId) {
        self.stalls.on_message(signer);
    }

    /// Reports why the node stops following the chain, and what to do.
    pub(super) fn fail(&self, error: &DriverError<HostError>) {
        if let DriverError::Host(HostError::UnknownVersion(unknown)) = error {
            self.deps.view.send_modify(|view| view.outdated = Some(*unknown));
        }
        let next = match error {
            DriverError::Host(error) => error.hint(),
            _ => "start this node again, and report it with the log",
        };
        tracing::error!(%error, next, "this node has stopped following the chain");
        self.deps.metrics.refused_blocks.inc();
        self.deps.view.send_modify(|view| view.failed = Some(format!("{error}; {next}")));
    }

    fn propose(&mut self, height: BlockHeight, round: bft::Round) -> Result<(), HostError> {
        // The engine may ask late: a block of the next height was committed meanwhile, and this proposal is
        // void.
        if height == self.height() {
            let value = self.deps.executor.propose(self.deps.net.node(), clock::now())?;
            self.inputs.push_back(Input::Proposed { height, round, value });
        }
        Ok(())
    }

    /// Says whether a proposed block is valid, when it is known; fetches it otherwise.
    fn validate(&mut self, candidate: Candidate) {
        let Candidate { height, value, .. } = candidate;
        match self.deps.executor.stamp_of(&value) {
            stamp @ Some(_) => self.inputs.push_back(Input::Validated { height, value, stamp }),
            None => self.deps.net.body(candidate, self.sync.paused(Instant::now())),
        }
    }

    /// A fetched block of this height.
    pub(super) fn on_block_fetched(&mut self, candidate: &Candidate, block: &Block) -> Result<(), HostError> {
        let Candidate { height, value, .. } = *candidate;
        // The height may be over, or another peer was faster: the fetch ran beside the engine.
        if height != self.height() || self.deps.executor.holds(&value) {
            return Ok(());
        }
        let outcome = self.deps.executor.validate(block)?;
        if let Err(BlockError::UnknownVersion(unknown)) = &outcome {
            self.current.unknown_version = Some(*unknown);
        }
        if let Err(error) = &outcome {
            tracing::warn!(%height, proposer = %candidate.proposer, %error, "an invalid block was proposed");
            self.deps.metrics.refused_blocks.inc();
        }
        let stamp = self.deps.executor.stamp_of(&value);
        self.inputs.push_back(Input::Validated { height, value, stamp });
        self.commit_awaited()
    }

    fn save_signer(&mut self, record: &SignerRecord) -> Result<(), HostError> {
        self.deps.executor.save_signer(record)?;
        let height = record.last_signed.map(|last| last.position().height);
        self.deps.view.send_if_modified(|view| {
            // Readers need not wake up for every signature.
            view.signed = view.signed.max(height);
            false
        });
        Ok(())
    }

    fn broadcast(&mut self, message: &bft::Message) {
        // Part of the frame: gossipsub drops a message that it has seen, and the engine sends some of them
        // again.
        self.sent = self.sent.wrapping_add(1);
        if let Some(ended) = self.steps.on_sent(message, Instant::now()) {
            self.deps.metrics.step(ended);
        }
        match gossip::frame(message, self.sent) {
            Ok(frame) => {
                // Fault injection: crash tests end the process on both sides of this line.
                reach(Point::Publish);
                self.deps.net.publish(CONSENSUS.name, frame);
                reach(Point::Published);
            }
            Err(error) => tracing::error!(%error, "a consensus message does not encode"),
        }
    }

    /// A block was refused because of what it says about its making.
    fn untimely(&self, proposer: NodeId, stamp: Option<BlockStamp>, received: UnixMillis) {
        self.deps.metrics.untimely_proposals.inc();
        // Milliseconds that the block's time is ahead of this node's clock.
        let ahead = stamp.map(|stamp| i128::from(stamp.time.0) - i128::from(received.0));
        tracing::warn!(
            height = %self.height(), %proposer, made_by = ?stamp.map(|stamp| stamp.proposer), milliseconds_ahead = ahead,
            "a proposed block is refused: its time is too far from this node's clock, or another validator made it; if \
             several proposers are refused, check this machine's clock"
        );
    }

    fn round_started(&mut self, round: bft::Round, proposer: NodeId) {
        if round.0 > 0 {
            self.deps.metrics.extra_rounds.inc();
            tracing::debug!(height = %self.height(), round = round.0, %proposer, "another round");
        }
        self.steps.on_round(Instant::now());
        self.span = span::of_height(self.height(), round.0);
        self.current.proposers.insert(round.0, proposer);
        self.deps.view.send_modify(|view| view.round = round.0);
    }

    fn silenced(&self, through: BlockHeight, key_used_twice: bool) {
        // While a restored validator listens, each block moves the end by one: said once, it is no news.
        let is_known = self.deps.view.borrow().silent_through.is_some_and(|end| end >= self.height());
        match (key_used_twice, is_known) {
            (true, _) => {
                tracing::error!(%through, "another process signs with this node's key: stop one of the two")
            }
            (false, false) => {
                tracing::warn!(%through, "this node's key signed before: it votes again after this height")
            }
            (false, true) => tracing::debug!(%through, "it votes again after a later height"),
        }
        self.deps.view.send_modify(|view| view.silent_through = Some(through));
    }
}

impl bft::Host for Host {
    type Error = HostError;

    fn perform(&mut self, effect: Effect) -> Result<(), HostError> {
        match effect {
            Effect::Append(entry) => self.deps.executor.append(&entry)?,
            Effect::SaveSigner(record) => self.save_signer(&record)?,
            Effect::Sync => self.deps.executor.sync()?,
            Effect::Broadcast(message) => self.broadcast(&message),
            Effect::Schedule { timer, after } => self.schedule.start(timer, Instant::now() + after),
            Effect::Cancel(timer) => drop(self.schedule.cancel(&timer)),
            Effect::CancelAll => self.schedule.cancel_all(),
            Effect::Propose { height, round, .. } => self.propose(height, round)?,
            Effect::Validate(candidate) => self.validate(candidate),
            Effect::Decided(certificate) => {
                if let Some(ended) = self.steps.on_decided(Instant::now()) {
                    self.deps.metrics.step(ended);
                }
                self.decided(certificate)?
            }
            Effect::LatePrecommit(vote) => self.deps.executor.late_precommit(&vote),
            Effect::Evidence(equivocation) => {
                self.deps.metrics.equivocations.inc();
                let (culprit, height) = (equivocation.culprit(), equivocation.position().height);
                tracing::warn!(%culprit, %height, "a validator equivocated: it is reported to the ledger");
                self.deps.evidence.keep(equivocation);
            }
            // The driver returns it to the thread, which judges the message.
            Effect::Refused { .. } => {}
            Effect::Behind { peer, .. } => self.catch_up(peer),
            Effect::Silenced { through, key_used_twice } => self.silenced(through, key_used_twice),
            Effect::Contradicted(certificate) => {
                let (height, id) = (certificate.height, certificate.value);
                // The others decided a block that this program could not check.
                let unknown = self.current.unknown_version.map(HostError::UnknownVersion);
                return Err(unknown.unwrap_or(HostError::Contradicted { height, id }));
            }
            Effect::Untimely { proposer, stamp, received, .. } => self.untimely(proposer, stamp, received),
            Effect::RoundStarted { round, proposer, .. } => self.round_started(round, proposer),
        }
        Ok(())
    }
}
