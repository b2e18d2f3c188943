//! The thread of the chain: one event at a time.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use nervure_consensus::bft::{Candidate, Driver, DriverError, Engine, Input, MessageError};
use nervure_ledger::{block::Block, mempool::MempoolError, transaction};
use nervure_p2p::{GossipMessage, Verdict};
use nervure_primitives::{Envelope, Hash, NodeId};
use nervure_protocol::{chain::BlockAnnouncement, topics::TRANSACTIONS};
use nervure_store::RecoveredLog;
use tokio::sync::oneshot;

use super::{
    ChainRole,
    blocks::Certified,
    gossip,
    host::{Host, HostError},
    span,
};

/// The longest that the thread sleeps.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// Something that happened.
pub(super) enum Event {
    /// A message of consensus.
    Consensus(GossipMessage),
    /// A committed block by gossip.
    BlockAnnounced(GossipMessage),
    /// A transaction by gossip.
    Transaction(GossipMessage),
    /// A transaction of this node's users.
    Submit(Envelope, oneshot::Sender<Result<Hash, MempoolError>>),
    /// The block of a proposal, or that no peer has it.
    Body(Candidate, Option<Block>),
    /// Committed blocks of a peer, or that it has none.
    Blocks(NodeId, Option<Vec<Certified>>),
    /// The node ends.
    Stop,
}

/// The engine with its host and its inbox.
pub(super) struct Task {
    driver: Driver<Host>,
    queue: Receiver<Event>,
    recovered: RecoveredLog,
}

type TaskError = DriverError<HostError>;

impl Task {
    pub(super) fn new(engine: Engine, host: Host, recovered: RecoveredLog, queue: Receiver<Event>) -> Self {
        Self { driver: Driver::new(engine, host), queue, recovered }
    }

    /// Runs until the node stops, or a fatal error.
    pub(super) fn run(mut self) {
        if let Err(error) = self.work() {
            self.driver.host().fail(&error);
        }
    }

    fn work(&mut self) -> Result<(), TaskError> {
        self.driver.host().restore_pending();
        self.driver.host().handshake_heights();
        loop {
            let span = self.driver.host().span.clone();
            let within = span.enter();
            self.fire_timers()?;
            drop(within);
            let wait = self.next_deadline().saturating_duration_since(Instant::now());
            match self.queue.recv_timeout(wait) {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(event) => {
                    let span = self.driver.host().span.clone();
                    let _within = span.enter();
                    self.handle(event)?;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// When something is due next.
    fn next_deadline(&mut self) -> Instant {
        let host = self.driver.host();
        let due = host.timers.values().copied().chain(host.begin_at).chain(host.stall_deadline()).min();
        due.unwrap_or_else(|| Instant::now() + MAX_SLEEP)
    }

    /// Fires what is due.
    fn fire_timers(&mut self) -> Result<(), TaskError> {
        let now = Instant::now();
        if self.driver.host().begin_at.is_some_and(|at| at <= now) {
            self.begin()?;
        }
        let host = self.driver.host();
        if host.stall_deadline().is_some_and(|at| at <= now) {
            host.on_stall();
        }
        let due: Vec<_> = host.timers.iter().filter(|(_, at)| **at <= now).map(|(timer, _)| *timer).collect();
        for timer in due {
            // An input before it may have cancelled it.
            if self.driver.host().timers.remove(&timer).is_some() {
                self.feed(Input::Elapsed(timer))?;
            }
        }
        Ok(())
    }

    /// Begins the next height.
    fn begin(&mut self) -> Result<(), TaskError> {
        let host = self.driver.host();
        host.begin_at = None;
        host.handshake_height.get_or_insert(host.chain.tip().header.height);
        host.pacemaker.begin(Instant::now());
        let height = host.height();
        if host.deps.role == ChainRole::Follower {
            host.poll();
            return Ok(());
        }
        let Some(validators) = host.chain.tip().state.validators().cloned() else {
            tracing::warn!("this mesh has no validators with stake: it makes no blocks");
            return Ok(());
        };
        let recovered = std::mem::take(&mut self.recovered);
        host.recover(recovered.blocks.clone()).map_err(DriverError::Host)?;
        let log = recovered.of(height);
        self.feed(Input::Start { height, validators, log })
    }

    fn handle(&mut self, event: Event) -> Result<(), TaskError> {
        match event {
            Event::Consensus(message) => self.handle_gossip(message),
            Event::BlockAnnounced(message) => {
                let verdict = self.on_announcement(&message)?;
                self.driver.host().deps.net.spawn(message.judge(verdict));
                Ok(())
            }
            Event::Transaction(message) => {
                let verdict = self.on_transaction(&message.data);
                self.driver.host().deps.net.spawn(message.judge(verdict));
                Ok(())
            }
            Event::Submit(envelope, reply) => {
                self.submit(envelope, reply);
                Ok(())
            }
            Event::Body(candidate, Some(block)) => {
                self.driver.host().on_block_fetched(&candidate, &block).map_err(DriverError::Host)?;
                self.drain()
            }
            Event::Body(candidate, None) => {
                tracing::debug!(height = %candidate.height, id = %candidate.value, "no peer has the proposed block");
                Ok(())
            }
            Event::Blocks(peer, blocks) => {
                self.driver.host().on_blocks_fetched(peer, blocks).map_err(DriverError::Host)?;
                self.drain()
            }
            Event::Stop => Ok(()),
        }
    }

    /// A message of consensus: the engine judges it.
    fn handle_gossip(&mut self, message: GossipMessage) -> Result<(), TaskError> {
        let decoded = gossip::unframe(&message.data).ok().zip(NodeId::try_from(message.from).ok());
        let verdict = match decoded {
            None => Verdict::Reject,
            Some((decoded, from)) => {
                let host = self.driver.host();
                host.on_next_height_message(from, decoded.height());
                host.refused = None;
                let signer = decoded.signer();
                self.feed(Input::Message { from, message: decoded })?;
                let host = self.driver.host();
                let refused = host.refused.take();
                if matches!(refused, None | Some(MessageError::Duplicate)) {
                    host.heard.extend(signer);
                }
                match refused {
                    None => Verdict::Accept,
                    Some(refusal) if refusal.blames_sender() => Verdict::Reject,
                    Some(_) => Verdict::Ignore,
                }
            }
        };
        self.driver.host().deps.net.spawn(message.judge(verdict));
        Ok(())
    }

    /// A committed block by gossip: forwarded when it is the next one here too.
    fn on_announcement(&mut self, message: &GossipMessage) -> Result<Verdict, TaskError> {
        let announcement =
            BlockAnnouncement::decode(&message.data).ok().zip(NodeId::try_from(message.from).ok());
        let Some((announcement, from)) = announcement else { return Ok(Verdict::Reject) };
        let verdict = self.driver.host().on_announcement(from, &announcement).map_err(DriverError::Host)?;
        self.drain()?;
        Ok(verdict)
    }

    /// A transaction by gossip: forwarded when the pool takes it.
    fn on_transaction(&mut self, data: &[u8]) -> Verdict {
        let Ok(envelope) = Envelope::decode(data, transaction::MAX_LEN) else { return Verdict::Reject };
        match self.insert(envelope) {
            Ok(_) => Verdict::Accept,
            Err(refusal) if refusal.blames_sender() => Verdict::Reject,
            Err(_) => Verdict::Ignore,
        }
    }

    fn submit(&mut self, envelope: Envelope, reply: oneshot::Sender<Result<Hash, MempoolError>>) {
        let taken = self.insert(envelope.clone());
        if let (Ok(id), Ok(bytes)) = (&taken, envelope.encode()) {
            let deps = &mut self.driver.host().deps;
            deps.pending.add(*id, &envelope);
            deps.net.publish(TRANSACTIONS.name, bytes);
        }
        // The caller may have gone away.
        let _ = reply.send(taken);
    }

    fn insert(&mut self, envelope: Envelope) -> Result<Hash, MempoolError> {
        let host = self.driver.host();
        let span = span::of_transaction(&envelope.id());
        let taken = host.chain.insert(envelope);
        match &taken {
            Ok(_) => span.in_scope(|| tracing::debug!("in the mempool")),
            Err(rejection) => span.in_scope(|| tracing::debug!(%rejection, "not taken into the mempool")),
        }
        let waiting = host.chain.pool().len();
        host.deps.view.send_modify(|view| view.waiting = waiting);
        taken
    }

    /// Handles an input, then the inputs that its effects produced.
    fn feed(&mut self, input: Input) -> Result<(), TaskError> {
        self.driver.handle(input)?;
        self.drain()
    }

    fn drain(&mut self) -> Result<(), TaskError> {
        while let Some(input) = self.driver.host().inputs.pop_front() {
            self.driver.handle(input)?;
        }
        Ok(())
    }
}
