//! What the engine wants done, done.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    num::NonZeroUsize,
    sync::{Arc, atomic::Ordering},
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

use super::{
    ChainCounters, ChainView, Part, bodies::Bodies, fetch::Net, gossip, pace::Pace, pending::Pending,
    settled::Settled,
};
use crate::runtime::anchor::Anchoring;

/// Between two requests of a follower that hears of no blocks.
const POLL: Duration = Duration::from_secs(2);

/// How long a validator commits nothing, beyond three blocks, before it asks others.
const STALLED: Duration = Duration::from_secs(2);

/// How long a validator that has just started looks for others, before it begins with the block that it has.
const MEETING: Duration = Duration::from_secs(3);

/// How long an answer to a request for blocks is waited for before another is asked.
const SYNC_PATIENCE: Duration = Duration::from_secs(10);

/// Why a node follows the chain no more.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the write-ahead log: {0}")]
    Wal(#[from] io::Error),
    #[error("a block cannot be made: {0}")]
    Block(BlockError),
    #[error(
        "validators agreed on block {height} ({id}), which this node finds wrong: either it or a third of them \
         is broken; compare versions and look at the logs"
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

/// What a host is made of.
pub(super) struct Parts {
    pub(super) store: Arc<Store>,
    pub(super) wal: Wal,
    pub(super) pending: Pending,
    pub(super) view: watch::Sender<ChainView>,
    pub(super) bodies: Arc<Bodies>,
    pub(super) counters: Arc<ChainCounters>,
    pub(super) net: Net,
    pub(super) part: Part,
    pub(super) settled: Arc<Settled>,
    pub(super) anchoring: Arc<Anchoring>,
    pub(super) block_time: Duration,
    pub(super) threads: NonZeroUsize,
}

/// The chain's hands: disk, network, timers, the state.
pub(super) struct Host {
    pub(super) parts: Parts,
    /// The tip, and blocks that may follow it.
    pub(super) chain: Proposals,
    /// A decision whose block is not here yet.
    pub(super) awaited: Option<CommitCertificate>,
    /// Answers to the engine.
    pub(super) inputs: VecDeque<Input>,
    pub(super) timers: BTreeMap<Timer, Instant>,
    /// Why the message that is being handled was refused.
    pub(super) refused: Option<MessageError>,
    /// When the next height begins, once the last one is committed; for a follower, when others are asked for it.
    pub(super) begin_at: Option<Instant>,
    pub(super) pace: Pace,
    /// Since when blocks are awaited that others have.
    pub(super) syncing: Option<Instant>,
    /// When something was last committed, or others asked because nothing was.
    pub(super) stirred: Instant,
    /// Validators that spoke of this height since it began, or since this node last wondered why it takes so long.
    pub(super) heard: BTreeSet<NodeId>,
    /// The height that this node had when it first knew what others have; none before that.
    pub(super) met_at: Option<BlockHeight>,
    /// Whose turn it was in each round of this height.
    pub(super) proposers: BTreeMap<u32, NodeId>,
    /// Blocks that were committed one by one since the start.
    pub(super) commits: u32,
    sent: u16,
}

impl Host {
    pub(super) fn new(parts: Parts) -> Self {
        let chain = Proposals::new(Tip::clone(&parts.view.borrow().tip), parts.threads);
        let now = Instant::now();
        let pace = Pace::new(parts.block_time, now);
        Self {
            parts,
            chain,
            awaited: None,
            inputs: VecDeque::new(),
            timers: BTreeMap::new(),
            refused: None,
            begin_at: Some(now + MEETING),
            pace,
            syncing: None,
            stirred: now,
            heard: BTreeSet::new(),
            met_at: None,
            proposers: BTreeMap::new(),
            commits: 0,
            sent: 0,
        }
    }

    /// Offers the pool what waited when this node's last process ended.
    pub(super) fn wait_again(&mut self) {
        let pending: Vec<_> = self.parts.pending.iter().cloned().collect();
        for envelope in pending {
            let id = envelope.id();
            match self.chain.insert(envelope) {
                Ok(_) => tracing::info!(%id, "a transaction waits again"),
                Err(refusal) => tracing::info!(%id, %refusal, "a transaction waits no more"),
            }
        }
        self.settle_pending();
        let waiting = self.chain.pool().len();
        self.parts.view.send_modify(|view| view.waiting = waiting);
    }

    /// Forgets own transactions that wait no more.
    pub(super) fn settle_pending(&mut self) {
        let pool = self.chain.pool();
        self.parts.pending.retain(|id| pool.contains(id));
    }

    /// Says own transactions again: who was not there when they were handed in does not know them.
    pub(super) fn say_pending(&self) {
        for envelope in self.parts.pending.iter() {
            if let Ok(bytes) = envelope.encode() {
                self.parts.net.publish(TRANSACTIONS.name, bytes);
            }
        }
    }

    /// Asks what others have, before anything else: what this node's key may have signed since its files were written is
    /// seen there, and nothing is signed for heights that are long decided.
    pub(super) fn meet(&mut self) {
        let own = self.parts.net.node();
        let alone = self.chain.tip().state.validators().is_some_and(|validators| {
            let power = u128::from(validators.power_of(&own).unwrap_or(0));
            power * 3 > u128::from(validators.total_power()) * 2
        });
        match alone || self.parts.part == Part::Follower {
            true => self.begin_at = Some(Instant::now()),
            false => self.parts.net.meet(self.height()),
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
        let (value, body) = self.chain.make(&self.parts.store.read()?).map_err(HostError::Block)?;
        body.map_or(Ok(()), |body| self.keep(value, body))?;
        self.inputs.push_back(Input::Proposed { height, round, value });
        Ok(())
    }

    /// Says whether a proposed block is valid, when it is known; fetches it otherwise.
    fn validate(&mut self, candidate: Candidate) {
        let Candidate { height, value, .. } = candidate;
        match self.chain.holds(&value) {
            true => self.inputs.push_back(Input::Validated { height, value, valid: true }),
            false => self.parts.net.body(candidate),
        }
    }

    /// A fetched block of this height.
    pub(super) fn take_body(&mut self, candidate: &Candidate, block: &Block) -> Result<(), HostError> {
        let Candidate { height, value, .. } = *candidate;
        if height != self.height() || self.chain.holds(&value) {
            return Ok(());
        }
        let valid = match self.chain.check(&self.parts.store.read()?, block) {
            Ok(()) => {
                block.encode().map_or(Ok(()), |body| self.keep(value, body))?;
                true
            }
            Err(error @ BlockError::Tree(_)) => return Err(HostError::Block(error)),
            Err(error) => {
                tracing::warn!(%height, proposer = %candidate.proposer, %error, "an invalid block was proposed");
                ChainCounters::count(&self.parts.counters.refused_blocks);
                false
            }
        };
        self.inputs.push_back(Input::Validated { height, value, valid });
        self.commit_awaited()
    }

    /// Keeps a block of this height; the engine's next sync makes it durable, before anything is signed for it.
    fn keep(&mut self, id: Hash, body: Vec<u8>) -> Result<(), HostError> {
        self.parts.wal.append_block(&body)?;
        self.parts.bodies.keep(id, body);
        Ok(())
    }

    /// Blocks that were proposed before this process began.
    pub(super) fn recover(&mut self, blocks: Vec<Vec<u8>>) -> Result<(), HostError> {
        let decoded = blocks.iter().filter_map(|bytes| Block::decode(bytes).ok());
        for block in decoded.filter(|block| block.header.height == self.height()).collect::<Vec<_>>() {
            let followed = self.chain.check(&self.parts.store.read()?, &block).is_ok();
            if let (true, Ok(body)) = (followed, block.encode()) {
                self.parts.bodies.keep(block.header.id(), body);
            }
        }
        Ok(())
    }

    /// A validator speaks of the next height: it begins here too when enough of them do.
    pub(super) fn hears(&mut self, from: NodeId, height: BlockHeight) {
        let waiting = self.begin_at.is_some() && height == self.height();
        if waiting
            && let Some(validators) = self.chain.tip().state.validators()
            && self.pace.hears(from, validators)
        {
            self.begin_at = Some(Instant::now());
        }
    }

    /// Somebody is further: asks for the blocks in between, one request at a time.
    pub(super) fn catch_up(&mut self, peer: NodeId, height: BlockHeight) {
        self.parts.view.send_modify(|view| view.behind = view.behind.max(Some(height)));
        let waiting = self.syncing.is_some_and(|since| since.elapsed() < SYNC_PATIENCE);
        if !waiting {
            self.syncing = Some(Instant::now());
            self.parts.net.blocks(peer, self.height());
        }
    }

    /// Asks somebody for the next block, and again later if that brings nothing.
    pub(super) fn poll(&mut self) {
        self.begin_at = Some(Instant::now() + POLL);
        self.parts.net.poll(self.height());
    }

    /// When a validator that commits nothing asks whether others did: it may have missed a decision, and the others,
    /// who have gone on, may not listen to it any more.
    pub(super) fn stalled_at(&self) -> Option<Instant> {
        (self.parts.part == Part::Validator).then(|| self.stirred + STALLED + 3 * self.parts.block_time)
    }

    /// Asks somebody for the block that this validator waits for, and says why there is none.
    pub(super) fn stalled(&mut self) {
        self.stirred = Instant::now();
        let why = self.why_stalled();
        if let Some(why) = &why {
            tracing::warn!(height = %self.height(), "{why}");
        }
        self.parts.view.send_modify(|view| view.stalled = why);
        self.heard.clear();
        self.parts.net.poll(self.height());
    }

    /// Who is heard, in voting power; nothing when enough are.
    fn why_stalled(&self) -> Option<String> {
        let validators = self.chain.tip().state.validators()?;
        let heard = |node: &NodeId| self.heard.contains(node) || *node == self.parts.net.node();
        let members = validators.members().iter();
        let power: u128 =
            members.filter(|member| heard(&member.node)).map(|member| u128::from(member.power)).sum();
        let total = u128::from(validators.total_power());
        (power * 3 <= total * 2).then(|| {
            format!(
                "no block is made: validators with {} % of the voting power are heard, this one among them, and it \
                 takes more than two thirds; see whether the others run and whether this machine reaches them \
                 (nervure peers)",
                power * 100 / total.max(1)
            )
        })
    }

    fn signs(&mut self, record: &SignerRecord) -> Result<(), HostError> {
        self.parts.wal.save_signer(record)?;
        let height = record.last_signed.map(|last| last.position().height);
        self.parts.view.send_if_modified(|view| {
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
                self.parts.net.publish(CONSENSUS.name, frame);
                reach(Point::Published);
            }
            Err(error) => tracing::error!(%error, "a message of consensus does not encode"),
        }
    }

    fn round_started(&mut self, round: bft::Round, proposer: NodeId) {
        if round.0 > 0 {
            self.parts.counters.extra_rounds.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(height = %self.height(), round = round.0, %proposer, "another round");
        }
        self.proposers.insert(round.0, proposer);
        self.parts.view.send_modify(|view| view.round = round.0);
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
        self.parts.view.send_modify(|view| view.silent_through = Some(through));
    }
}

impl bft::Host for Host {
    type Error = HostError;

    fn perform(&mut self, effect: Effect) -> Result<(), HostError> {
        match effect {
            Effect::Append(entry) => self.parts.wal.append(&entry)?,
            Effect::SaveSigner(record) => self.signs(&record)?,
            Effect::Sync => self.parts.wal.sync()?,
            Effect::Broadcast(message) => self.broadcast(&message),
            Effect::Schedule { timer, after } => drop(self.timers.insert(timer, Instant::now() + after)),
            Effect::Cancel(timer) => drop(self.timers.remove(&timer)),
            Effect::CancelAll => self.timers.clear(),
            Effect::Propose { height, round, .. } => self.propose(height, round)?,
            Effect::Validate(candidate) => self.validate(candidate),
            Effect::Decided(certificate) => self.decided(certificate)?,
            Effect::Evidence(equivocation) => {
                ChainCounters::count(&self.parts.counters.equivocations);
                tracing::warn!(culprit = %equivocation.culprit(), "a validator contradicted itself");
            }
            Effect::Refused { reason, .. } => self.refused = Some(reason),
            Effect::Behind { peer, height } => self.catch_up(peer, height),
            Effect::Silenced { through, key_used_twice } => self.silenced(through, key_used_twice),
            Effect::Contradicted(certificate) => {
                let (height, id) = (certificate.height, certificate.value);
                return Err(HostError::Contradicted { height, id });
            }
            Effect::RoundStarted { round, proposer, .. } => self.round_started(round, proposer),
            // What this version does not know it cannot be asked for.
            _ => {}
        }
        Ok(())
    }
}
