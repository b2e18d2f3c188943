//! The thread of the chain: one event at a time.

use std::time::{Duration, Instant};

use nervure_consensus::bft::{Candidate, Driver, DriverError, Engine, Input, MessageError};
use nervure_ledger::{
    block::Block,
    mempool::MempoolError,
    transaction::{SignedTransaction, SignerKey},
};
use nervure_p2p::{GossipMessage, Verdict};
use nervure_primitives::{Hash, NodeId, UnixMillis};
use nervure_protocol::chain::BlockAnnouncement;
use nervure_store::RecoveredLog;
use tokio::sync::oneshot;

use super::{
    blocks::InvalidAnswer,
    fetch::BlocksAnswer,
    gossip,
    host::{DueHeight, Host},
    host_error::HostError,
    inbox::{Inbox, Received},
};
use crate::runtime::clock;

/// The longest that the thread sleeps.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// Something that happened.
pub(super) enum Event {
    /// A message of consensus, and this node's clock when it arrived.
    Consensus(GossipMessage, UnixMillis),
    /// A committed block by gossip.
    BlockAnnounced(GossipMessage),
    /// A transaction by gossip, whose signature holds.
    Transaction(GossipMessage, Box<SignedTransaction>),
    /// A transaction of this node's users.
    Submit(Box<SignedTransaction>, oneshot::Sender<Result<Hash, MempoolError>>),
    /// A transaction that another node asks this one to take.
    TakeSubmission {
        from: NodeId,
        signed: Box<SignedTransaction>,
        reply: oneshot::Sender<Result<Hash, MempoolError>>,
    },
    /// The next nonce of a key is asked for, after what is pending.
    NextNonce { key: SignerKey, signer: NodeId, reply: oneshot::Sender<Option<u64>> },
    /// What is pending of an owner key is asked for.
    PendingOf { owner: NodeId, reply: oneshot::Sender<Vec<SignedTransaction>> },
    /// The block of a proposal, or that no peer has it.
    Body(Candidate, Option<Box<Block>>),
    /// What a peer that was asked for committed blocks did.
    Blocks(NodeId, BlocksAnswer),
    /// A peer was to be asked for committed blocks, and none is left that may have them.
    NoPeerToAsk,
    /// A peer answered a request for a proposed block with what no honest node sends.
    InvalidBody(NodeId, InvalidAnswer),
    /// The peers that were asked for their heights at the start have answered, or failed to.
    HandshakeDone,
}

/// The engine with its host and its inbox.
pub(super) struct Task {
    driver: Driver<Host>,
    inbox: Inbox<Event>,
    recovered: RecoveredLog,
}

type TaskError = DriverError<HostError>;

impl Task {
    pub(super) fn new(engine: Engine, host: Host, recovered: RecoveredLog, inbox: Inbox<Event>) -> Self {
        Self { driver: Driver::new(engine, host), inbox, recovered }
    }

    /// Runs until the node stops, or a fatal error.
    pub(super) fn run(mut self) {
        if let Err(error) = self.work() {
            self.driver.host().fail(&error);
        }
    }

    fn work(&mut self) -> Result<(), TaskError> {
        self.driver.host().start();
        loop {
            let span = self.driver.host().span();
            span.in_scope(|| self.fire_timers())?;
            let deadline = self.driver.host().next_deadline();
            match self.inbox.receive(deadline.unwrap_or_else(|| Instant::now() + MAX_SLEEP)) {
                Received::Closed => return Ok(()),
                Received::Event(event) => {
                    let span = self.driver.host().span();
                    span.in_scope(|| self.handle(event))?;
                }
                Received::Timeout => {}
            }
        }
    }

    /// Fires what is due.
    fn fire_timers(&mut self) -> Result<(), TaskError> {
        let now = Instant::now();
        if let Some(due) = self.driver.host().begin_due_height(now).map_err(DriverError::Host)? {
            self.begin(due)?;
        }
        self.driver.host().check_stall(now);
        for timer in self.driver.host().due_timers(now) {
            // An input before it may have cancelled it.
            if self.driver.host().take_timer(&timer) {
                self.feed(Input::Elapsed(timer))?;
            }
        }
        Ok(())
    }

    /// Begins a height, with what the write-ahead log has of it.
    fn begin(&mut self, due: DueHeight) -> Result<(), TaskError> {
        let recovered = std::mem::take(&mut self.recovered);
        self.driver.host().recover(&recovered.blocks).map_err(DriverError::Host)?;
        let DueHeight { height, validators, silent, synchrony } = due;
        self.driver.set_synchrony(synchrony);
        let (log, now) = (recovered.of(height), clock::now());
        self.feed(Input::Start { height, validators, silent, log, now })
    }

    fn handle(&mut self, event: Event) -> Result<(), TaskError> {
        match event {
            Event::Consensus(message, at) => {
                let verdict = self.on_consensus(&message, at)?;
                self.driver.host().judge(message, verdict);
                Ok(())
            }
            Event::BlockAnnounced(message) => {
                let verdict = self.on_announcement(&message)?;
                self.driver.host().judge(message, verdict);
                Ok(())
            }
            Event::Transaction(message, signed) => {
                let from = NodeId::try_from(message.from).ok();
                let verdict = self.driver.host().on_transaction(from, *signed);
                self.driver.host().judge(message, verdict);
                Ok(())
            }
            Event::Submit(signed, reply) => {
                // The caller may have gone away.
                let _ = reply.send(self.driver.host().submit(*signed));
                Ok(())
            }
            Event::TakeSubmission { from, signed, reply } => {
                let _ = reply.send(self.driver.host().take_submission(from, *signed));
                Ok(())
            }
            Event::NextNonce { key, signer, reply } => {
                let _ = reply.send(self.driver.host().next_nonce(key, signer));
                Ok(())
            }
            Event::PendingOf { owner, reply } => {
                let _ = reply.send(self.driver.host().pending_of(owner));
                Ok(())
            }
            Event::Body(candidate, block) => self.on_body(&candidate, block.as_deref()),
            Event::Blocks(peer, answer) => {
                self.driver.host().on_blocks_answer(peer, answer).map_err(DriverError::Host)?;
                self.drain()
            }
            Event::InvalidBody(peer, invalid) => {
                self.driver.host().on_fault(peer, &invalid);
                Ok(())
            }
            Event::NoPeerToAsk => {
                self.driver.host().on_no_peer_to_ask();
                Ok(())
            }
            Event::HandshakeDone => {
                self.driver.host().on_handshake_done();
                Ok(())
            }
        }
    }

    /// A message of consensus: the engine judges it.
    fn on_consensus(&mut self, message: &GossipMessage, at: UnixMillis) -> Result<Verdict, TaskError> {
        let decoded = gossip::unframe(&message.data).ok().zip(NodeId::try_from(message.from).ok());
        let Some((message, from)) = decoded else { return Ok(Verdict::Reject) };
        let signer = message.signer();
        self.driver.host().on_message(from, message.height());
        let refusal = self.driver.handle(Input::Message { from, message, at })?;
        self.drain()?;
        if let (Some(signer), None | Some(MessageError::Duplicate)) = (signer, &refusal) {
            self.driver.host().on_heard(signer);
        }
        Ok(gossip::verdict(refusal.as_ref()))
    }

    /// The block of a proposal, or that no peer has it.
    fn on_body(&mut self, candidate: &Candidate, block: Option<&Block>) -> Result<(), TaskError> {
        match block {
            Some(block) => {
                self.driver.host().on_block_fetched(candidate, block).map_err(DriverError::Host)?;
                self.drain()
            }
            None => {
                tracing::debug!(height = %candidate.height, id = %candidate.value, "no peer has the proposed block");
                Ok(())
            }
        }
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

    /// Handles an input, then the inputs that its effects produced.
    fn feed(&mut self, input: Input) -> Result<(), TaskError> {
        self.driver.handle(input)?;
        self.drain()
    }

    fn drain(&mut self) -> Result<(), TaskError> {
        while let Some(input) = self.driver.host().take_input() {
            self.driver.handle(input)?;
        }
        Ok(())
    }
}
