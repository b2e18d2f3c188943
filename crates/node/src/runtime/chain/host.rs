//! Performs the engine's effects: disk, network, timers and the state.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_consensus::{
    bft::{self, Candidate, Effect, Input, MessageError, SignerRecord, Timer},
    checkpoint::CommitCertificate,
};
use nervure_ledger::{
    block::Block,
    chain::{BlockError, Tip},
    proposals::Proposals,
};
use nervure_primitives::{BlockHeight, Hash, NodeId};
use nervure_protocol::topics::{CONSENSUS, TRANSACTIONS};
use nervure_store::fail_point::{Point, reach};
use nervure_store::{Store, StoreError, Wal};
use tokio::sync::watch;
use tracing::Span;

use super::{
    ChainMetrics, ChainRole, ChainView, fetch::Net, gossip, pacemaker::Pacemaker, pending::Pending,
    proposed::ProposedBlocks, receipts::TxReceipts, span,
};
use crate::runtime::anchor::Anchoring;

/// How often a follower that receives no blocks asks for them.
const FOLLOWER_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// How long a validator commits nothing, beyond three blocks, before it asks others.
const STALL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a validator that has just started looks for peers before it begins with its own last block.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a response with blocks may take before another peer is asked.
const SYNC_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a node stops following the chain.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the write-ahead log: {0}")]
    Wal(#[from] io::Error),
    #[error("a block cannot be made: {0}")]
    Block(BlockError),
    #[error(
        "validators agreed on block {height} ({id}), which this node computes differently: either it or a third of \
         them is faulty; compare versions and check the logs"
    )]
    Contradicted { height: BlockHeight, id: Hash },
}

impl HostError {
    /// What to do next.
    pub(super) const fn hint(&self) -> &'static str {
        match self {
            Self::Wal(_) | Self::Store(StoreError::Io(_)) => {
                "make room on the disk, or mend it, and start this node again: nothing that is not on the disk was \
                 signed or is final"
            }
            Self::Store(_) => {
                "stop this node, move chain.redb away, and never consensus.wal, and start it again: the blocks come \
                 from others"
            }
            Self::Block(_) => "start this node again, and report it with the log",
            Self::Contradicted { .. } => "ask the other validators before starting it again",
        }
    }
}

/// What a host depends on.
pub(super) struct HostDeps {
    pub(super) store: Arc<Store>,
    pub(super) wal: Wal,
    pub(super) pending: Pending,
    pub(super) view: watch::Sender<ChainView>,
    pub(super) proposed: Arc<ProposedBlocks>,
    pub(super) metrics: ChainMetrics,
    pub(super) net: Net,
    pub(super) role: ChainRole,
    pub(super) receipts: Arc<TxReceipts>,
    pub(super) anchoring: Arc<Anchoring>,
    pub(super) block_time: Duration,
    pub(super) threads: NonZeroUsize,
}

/// Disk, network, timers and state of the chain.
pub(super) struct Host {
    pub(super) deps: HostDeps,
    /// The tip, and blocks that may follow it.
    pub(super) chain: Proposals,
    /// A decision whose block is not here yet.
    pub(super) awaited: Option<CommitCertificate>,
    /// Inputs for the engine that effects produced.
    pub(super) inputs: VecDeque<Input>,
    pub(super) timers: BTreeMap<Timer, Instant>,
    /// Why the message that is being handled was refused.
    pub(super) refused: Option<MessageError>,
    /// When the next height begins, once the last one is committed; for a follower, when others are asked for it.
    pub(super) begin_at: Option<Instant>,
    pub(super) pacemaker: Pacemaker,
    /// Since when blocks are awaited that others have.
    pub(super) syncing: Option<Instant>,
    /// When something was last committed, or others asked because nothing was.
    pub(super) last_activity: Instant,
    /// Validators that sent messages for this height since it began, or since the last stall.
    pub(super) heard: BTreeSet<NodeId>,
    /// This node's height when it first learned the height of a peer; none before that.
    pub(super) handshake_height: Option<BlockHeight>,
    /// The proposer of each round of this height.
    pub(super) proposers: BTreeMap<u32, NodeId>,
    /// The span of the height and round in which the thread works.
    pub(super) span: Span,
    /// Blocks that were committed one by one since the start.
    pub(super) commits: u32,
    sent: u16,
}

impl Host {
    pub(super) fn new(deps: HostDeps) -> Self {
        let chain = Proposals::new(Tip::clone(&deps.view.borrow().tip), deps.threads);
        let now = Instant::now();
        let pacemaker = Pacemaker::new(deps.block_time, now);
        let span = span::of_height(chain.height(), 0);
        Self {
            deps,
            chain,
            awaited: None,
            inputs: VecDeque::new(),
            timers: BTreeMap::new(),
            refused: None,
            begin_at: Some(now + HANDSHAKE_TIMEOUT),
            pacemaker,
            syncing: None,
            last_activity: now,
            heard: BTreeSet::new(),
            handshake_height: None,
            proposers: BTreeMap::new(),
            span,
            commits: 0,
            sent: 0,
        }
    }

    /// Puts transactions that were pending when the last process ended back into the mempool.
    pub(super) fn restore_pending(&mut self) {
        let pending: Vec<_> = self.deps.pending.iter().cloned().collect();
        for envelope in pending {
            let id = envelope.id();
            match self.chain.insert(envelope) {
                Ok(_) => tracing::info!(%id, "a pending transaction was restored"),
                Err(refusal) => tracing::info!(%id, %refusal, "a pending transaction was dropped"),
            }
        }
        self.prune_pending();
        let waiting = self.chain.pool().len();
        self.deps.view.send_modify(|view| view.waiting = waiting);
    }

    /// Forgets own transactions that are no longer in the mempool.
    pub(super) fn prune_pending(&mut self) {
        let pool = self.chain.pool();
        self.deps.pending.retain(|id| pool.contains(id));
    }

    /// Publishes own pending transactions again: peers that joined later do not know them.
    pub(super) fn rebroadcast_pending(&self) {
        for envelope in self.deps.pending.iter() {
            if let Ok(bytes) = envelope.encode() {
                self.deps.net.publish(TRANSACTIONS.name, bytes);
            }
        }
    }

    /// Asks a peer for its height before anything else. Signatures that this node's key made after its files were
    /// written are found in those blocks, and nothing is signed for heights that are decided already.
    pub(super) fn handshake_heights(&mut self) {
        let own = self.deps.net.node();
        let alone = self.chain.tip().state.validators().is_some_and(|validators| {
            let power = u128::from(validators.power_of(&own).unwrap_or(0));
            power * 3 > u128::from(validators.total_power()) * 2
        });
        match alone || self.deps.role == ChainRole::Follower {
            true => self.begin_at = Some(Instant::now()),
            false => self.deps.net.handshake_heights(self.height()),
        }
    }

    /// The height that is being decided.
    pub(super) fn height(&self) -> BlockHeight {
        self.chain.height()
    }

    fn propose(&mut self, height: BlockHeight, round: bft::Round) -> Result<(), HostError> {
        if height != self.height() {
            return Ok(());
        }
        let (value, body) = self.chain.make(&self.deps.store.read()?).map_err(HostError::Block)?;
        body.map_or(Ok(()), |body| self.keep(value, body))?;
        self.inputs.push_back(Input::Proposed { height, round, value });
        Ok(())
    }

    /// Says whether a proposed block is valid, when it is known; fetches it otherwise.
    fn validate(&mut self, candidate: Candidate) {
        let Candidate { height, value, .. } = candidate;
        match self.chain.holds(&value) {
            true => self.inputs.push_back(Input::Validated { height, value, valid: true }),
            false => self.deps.net.body(candidate),
        }
    }

    /// A fetched block of this height.
    pub(super) fn on_block_fetched(&mut self, candidate: &Candidate, block: &Block) -> Result<(), HostError> {
        let Candidate { height, value, .. } = *candidate;
        if height != self.height() || self.chain.holds(&value) {
            return Ok(());
        }
        let valid = match self.chain.check(&self.deps.store.read()?, block) {
            Ok(()) => {
                block.encode().map_or(Ok(()), |body| self.keep(value, body))?;
                true
            }
            Err(error @ BlockError::Tree(_)) => return Err(HostError::Block(error)),
            Err(error) => {
                tracing::warn!(%height, proposer = %candidate.proposer, %error, "an invalid block was proposed");
                self.deps.metrics.refused_blocks.inc();
                false
            }
        };
        self.inputs.push_back(Input::Validated { height, value, valid });
        self.commit_awaited()
    }

    /// Keeps a block of this height; the engine's next sync makes it durable, before anything is signed for it.
    fn keep(&mut self, id: Hash, body: Vec<u8>) -> Result<(), HostError> {
        self.deps.wal.append_block(&body)?;
        self.deps.proposed.keep(id, body);
        Ok(())
    }

    /// Blocks that were proposed before this process began.
    pub(super) fn recover(&mut self, blocks: Vec<Vec<u8>>) -> Result<(), HostError> {
        let decoded = blocks.iter().filter_map(|bytes| Block::decode(bytes).ok());
        for block in decoded.filter(|block| block.header.height == self.height()).collect::<Vec<_>>() {
            let followed = self.chain.check(&self.deps.store.read()?, &block).is_ok();
            if let (true, Ok(body)) = (followed, block.encode()) {
                self.deps.proposed.keep(block.header.id(), body);
            }
        }
        Ok(())
    }

    /// A validator sent a message of the next height: it begins here too when enough validators have.
    pub(super) fn on_next_height_message(&mut self, from: NodeId, height: BlockHeight) {
        let waiting = self.begin_at.is_some() && height == self.height();
        if waiting
            && let Some(validators) = self.chain.tip().state.validators()
            && self.pacemaker.on_next_height_message(from, validators)
        {
            self.begin_at = Some(Instant::now());
        }
    }

    /// A peer is ahead: asks for the missing blocks, one request at a time.
    pub(super) fn catch_up(&mut self, peer: NodeId, height: BlockHeight) {
        self.deps.view.send_modify(|view| view.behind = view.behind.max(Some(height)));
        let waiting = self.syncing.is_some_and(|since| since.elapsed() < SYNC_TIMEOUT);
        if !waiting {
            self.syncing = Some(Instant::now());
            self.deps.net.blocks(peer, self.height());
        }
    }

    /// Asks a peer for the next block, and again later if there is none.
    pub(super) fn poll(&mut self) {
        self.begin_at = Some(Instant::now() + FOLLOWER_POLL_INTERVAL);
        self.deps.net.poll(self.height());
    }

    /// When a validator that commits nothing asks whether others did. It may have missed a decision, and validators at
    /// a later height ignore its messages.
    pub(super) fn stall_deadline(&self) -> Option<Instant> {
        (self.deps.role == ChainRole::Validator)
            .then(|| self.last_activity + STALL_TIMEOUT + 3 * self.deps.block_time)
    }

    /// Asks a peer for the block that this validator waits for, and reports why there is none.
    pub(super) fn on_stall(&mut self) {
        self.last_activity = Instant::now();
        let why = self.why_stalled();
        if let Some(why) = &why {
            tracing::warn!(height = %self.height(), "{why}");
        }
        self.deps.view.send_modify(|view| view.stalled = why);
        self.heard.clear();
        self.deps.net.poll(self.height());
    }

    /// The voting power that sends messages, in words; none when it is enough.
    fn why_stalled(&self) -> Option<String> {
        let validators = self.chain.tip().state.validators()?;
        let heard = |node: &NodeId| self.heard.contains(node) || *node == self.deps.net.node();
        let members = validators.members().iter();
        let power: u128 =
            members.filter(|member| heard(&member.node)).map(|member| u128::from(member.power)).sum();
        let total = u128::from(validators.total_power());
        (power * 3 <= total * 2).then(|| {
            format!(
                "no block is made: validators with {} % of the voting power send messages, including this one, and it \
                 takes more than two thirds; check whether the others run and whether this machine reaches them \
                 (nervure peers)",
                power * 100 / total.max(1)
            )
        })
    }

    fn signs(&mut self, record: &SignerRecord) -> Result<(), HostError> {
        self.deps.wal.save_signer(record)?;
        let height = record.last_signed.map(|last| last.position().height);
        self.deps.view.send_if_modified(|view| {
            // Readers need not wake up for every signature.
            view.signed = view.signed.max(height);
            false
        });
        Ok(())
    }

    fn broadcast(&mut self, message: &bft::Message) {
        self.sent = self.sent.wrapping_add(1);
        match gossip::frame(message, self.sent) {
            Ok(frame) => {
                reach(Point::Publish);
                self.deps.net.publish(CONSENSUS.name, frame);
                reach(Point::Published);
            }
            Err(error) => tracing::error!(%error, "a consensus message does not encode"),
        }
    }

    fn round_started(&mut self, round: bft::Round, proposer: NodeId) {
        if round.0 > 0 {
            self.deps.metrics.extra_rounds.inc();
            tracing::debug!(height = %self.height(), round = round.0, %proposer, "another round");
        }
        self.span = span::of_height(self.height(), round.0);
        self.proposers.insert(round.0, proposer);
        self.deps.view.send_modify(|view| view.round = round.0);
    }

    fn silenced(&self, through: BlockHeight, key_used_twice: bool) {
        match key_used_twice {
            true => {
                tracing::error!(%through, "another process signs with this node's key: stop one of the two")
            }
            false => {
                tracing::warn!(%through, "this node's key signed before: it votes again after this height")
            }
        }
        self.deps.view.send_modify(|view| view.silent_through = Some(through));
    }
}

impl bft::Host for Host {
    type Error = HostError;

    fn perform(&mut self, effect: Effect) -> Result<(), HostError> {
        match effect {
            Effect::Append(entry) => self.deps.wal.append(&entry)?,
            Effect::SaveSigner(record) => self.signs(&record)?,
            Effect::Sync => self.deps.wal.sync()?,
            Effect::Broadcast(message) => self.broadcast(&message),
            Effect::Schedule { timer, after } => drop(self.timers.insert(timer, Instant::now() + after)),
            Effect::Cancel(timer) => drop(self.timers.remove(&timer)),
            Effect::CancelAll => self.timers.clear(),
            Effect::Propose { height, round, .. } => self.propose(height, round)?,
            Effect::Validate(candidate) => self.validate(candidate),
            Effect::Decided(certificate) => self.decided(certificate)?,
            Effect::Evidence(equivocation) => {
                self.deps.metrics.equivocations.inc();
                tracing::warn!(culprit = %equivocation.culprit(), "a validator equivocated");
            }
            Effect::Refused { reason, .. } => self.refused = Some(reason),
            Effect::Behind { peer, height } => self.catch_up(peer, height),
            Effect::Silenced { through, key_used_twice } => self.silenced(through, key_used_twice),
            Effect::Contradicted(certificate) => {
                let (height, id) = (certificate.height, certificate.value);
                return Err(HostError::Contradicted { height, id });
            }
            Effect::RoundStarted { round, proposer, .. } => self.round_started(round, proposer),
        }
        Ok(())
    }
}
