//! This node's role in agreeing on blocks, and the handle through which the rest of the node uses the chain.
//!
//! One thread owns the agreement engine, the store, the write-ahead log and the mempool ([`task`]); it
//! waits for the disk, which no task of the runtime should. All inputs arrive through one [`inbox`],
//! and it publishes its state in a [`watch`] channel. Work that waits for the network (fetching a block,
//! publishing) runs in tasks that report back to the inbox.
//!
//! What a hostile peer can do: fill the lane of transactions, or of blocks, at the rate that gossip allows it. Events
//! beyond the bound are dropped and counted. Votes have a lane of their own, which goes first, and are sent again.

mod alerts;
mod blocks;
mod evidence;
mod executor;
mod fetch;
mod gossip;
mod host;
mod host_error;
mod inbox;
mod metrics;
mod open;
mod pacemaker;
mod pending;
mod proposed;
mod receipts;
mod schedule;
pub(super) mod span;
mod stall;
mod steps;
mod submission;
mod sync;
mod task;
mod unfunded;
mod validator_counters;
mod verifier;
mod view;

use std::{
    num::NonZeroUsize,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use futures::FutureExt;
use nervure_consensus::bft::{Config, Engine, Signer};
use nervure_ledger::{
    chain::Tip,
    event::Event as LedgerEvent,
    mempool::MempoolError,
    spec::{MeshSpec, Scope},
    transaction::{SignedTransaction, SignerKey},
};
use nervure_p2p::{GossipMessage, InboundRequest, NetworkHandle, ProtocolSpec, Verdict};
use nervure_primitives::{BlockHeight, Hash, NodeId, NodeKey};
use nervure_protocol::{
    protocols::{self as wire, CHAIN},
    topics::{BLOCKS, CONSENSUS, TRANSACTIONS},
};
use nervure_store::{Reader, Store, StoreError, WalMetrics};
use prometheus_client::registry::Registry;
use tokio::sync::{oneshot, watch};
use tracing::Instrument;

use super::{
    anchor::Anchoring,
    clock,
    directory::{ProtocolHandlers, register_concurrent},
    gossip::TopicHandlers,
    metrics::register_state,
};
use executor::{BlockExecutor, ExecutorDeps};
use fetch::Net;
use host::{Host, HostDeps};
use inbox::{Lane, NotQueued, Sender};
use proposed::ProposedBlocks;
use receipts::TxReceipts;
use task::{Event, Task};
use unfunded::UnfundedMeter;
use verifier::{Verifier, VerifierDeps};

pub(crate) use alerts::{Alert, AlertKind};
pub(crate) use evidence::read_evidence;
pub(crate) use gossip::topics;
pub(crate) use metrics::{ChainMetrics, STATE, STATE_DURATIONS};
pub(crate) use open::{EVIDENCE_FILE, LastBlock, OpenChain, OpenError, exists, has_file, import, last_block};
pub(crate) use submission::protocol as submission_protocol;
pub(crate) use view::ChainView;

/// A block is recent for so many block times, and for [`MIN_RECENT`] at least: a height may take several rounds.
const RECENT_BLOCKS: u32 = 4;
const MIN_RECENT: Duration = Duration::from_secs(4);

/// How long a client waits for the blocks after the state that it began with.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(10);

/// The bounds of the chain's request protocols: blocks, and transactions of nodes that are not registered.
pub(crate) fn protocols() -> [ProtocolSpec; 2] {
    [blocks::protocol(), submission::protocol()]
}

/// Registers the handlers of the chain's topics and request protocols.
pub(crate) fn register(topics: &mut TopicHandlers, handlers: &mut ProtocolHandlers, chain: &ChainHandle) {
    for topic in [BLOCKS, CONSENSUS, TRANSACTIONS] {
        let chain = chain.clone();
        topics.register(topic.name, move |message| {
            let chain = chain.clone();
            async move { chain.handle_gossip(message).await }.boxed()
        });
    }
    let chain = chain.clone();
    let submissions = chain.clone();
    register_concurrent(handlers, CHAIN.name, move |request| {
        let chain = chain.clone();
        async move { chain.answer(request).await }
    });
    register_concurrent(handlers, wire::TRANSACTIONS.name, move |request| {
        let chain = submissions.clone();
        async move { chain.answer_submission(request).await }
    });
}

/// What a node does for the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChainRole {
    /// Agrees on blocks with the other validators, whenever it is elected.
    Validator,
    /// Takes the blocks that validators agreed on.
    Follower,
}

/// Owns the chain's thread, which ends when this is dropped.
pub(crate) struct Chain {
    handle: ChainHandle,
    thread: Option<JoinHandle<()>>,
    verifier: Option<JoinHandle<()>>,
}

/// How the rest of the node reaches the chain. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ChainHandle {
    events: Sender<Event>,
    /// Transactions of peers, whose signatures are verified first.
    transactions: Sender<GossipMessage>,
    view: watch::Receiver<ChainView>,
    store: Arc<Store>,
    wal: WalMetrics,
    proposed: Arc<ProposedBlocks>,
    metrics: ChainMetrics,
    receipts: Arc<TxReceipts>,
    unfunded: Arc<UnfundedMeter>,
    block_time: Duration,
}

impl Chain {
    /// Starts the thread.
    pub(crate) fn start(
        (opened, role): (OpenChain, ChainRole),
        (spec, key): (&MeshSpec, &NodeKey),
        network: NetworkHandle,
        anchoring: Arc<Anchoring>,
    ) -> std::io::Result<Self> {
        let OpenChain { store, wal, recovered, pending, evidence, view } = opened;
        let (events, inbox) = inbox::inbox();
        let metrics = ChainMetrics::default();
        let receipts = Arc::<TxReceipts>::default();
        let deps = VerifierDeps {
            mesh: spec.mesh_id(),
            events: events.clone(),
            metrics: metrics.clone(),
            receipts: receipts.clone(),
        };
        let Verifier { transactions, thread: verifier } = Verifier::start(deps)?;
        let block_time = Duration::from_millis(spec.consensus.block_milliseconds.into());
        let handle = ChainHandle {
            block_time,
            wal: wal.metrics().clone(),
            events: events.clone(),
            transactions,
            view: view.subscribe(),
            store: Arc::new(store),
            proposed: Arc::default(),
            metrics,
            receipts,
            unfunded: Arc::default(),
        };
        let signer = Signer::new(key.clone(), spec.mesh_id(), recovered.signer);
        let tip = Tip::clone(&view.borrow().tip);
        let executor = BlockExecutor::new(
            tip,
            ExecutorDeps {
                store: handle.store.clone(),
                wal,
                proposed: handle.proposed.clone(),
                receipts: handle.receipts.clone(),
                metrics: handle.metrics.clone(),
                threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            },
        );
        let host = Host::new(HostDeps {
            executor,
            pending,
            evidence,
            key: key.clone(),
            view,
            metrics: handle.metrics.clone(),
            net: Net::new(network, events),
            role,
            anchoring,
            block_time,
            unfunded: handle.unfunded.clone(),
        });
        let task = Task::new(Engine::new(engine_config(spec), signer), host, recovered, inbox);
        let thread = std::thread::Builder::new().name("chain".into()).spawn(move || task.run())?;
        Ok(Self { handle, thread: Some(thread), verifier: Some(verifier) })
    }

    /// A handle to the chain.
    pub(crate) fn handle(&self) -> ChainHandle {
        self.handle.clone()
    }

    /// Ends the thread and waits for it: the store is closed then. Blocks for as long as a commit takes.
    pub(crate) fn end(mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the chain's thread panicked");
        }
        if let Some(verifier) = self.verifier.take()
            && verifier.join().is_err()
        {
            tracing::error!("the thread that verifies transactions panicked");
        }
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.handle.close();
    }
}

impl ChainHandle {
    /// The current state.
    pub(crate) fn view(&self) -> watch::Ref<'_, ChainView> {
        self.view.borrow()
    }

    /// The current state, and a notification of every change.
    pub(crate) fn watch(&self) -> watch::Receiver<ChainView> {
        self.view.clone()
    }

    /// Waits until a peer had no later block than the last one here, and that is a recent one, for [`CATCH_UP_TIMEOUT`] at
    /// most. Returns its age if it is not recent.
    pub(crate) async fn catch_up(&self) -> Option<Duration> {
        let mut view = self.watch();
        let recent = self.block_time.saturating_mul(RECENT_BLOCKS).max(MIN_RECENT);
        let is_recent = |view: &ChainView| view.block_age(clock::now()) <= recent;
        let is_newest = |view: &ChainView| view.is_current && is_recent(view);
        // The result says nothing that the last block does not say.
        let _ = tokio::time::timeout(CATCH_UP_TIMEOUT, view.wait_for(is_newest)).await;
        let last = view.borrow();
        (!is_recent(&last)).then(|| last.block_age(clock::now()))
    }

    /// The outcome of one of the latest transactions, and its block.
    pub(crate) fn receipt_of(&self, id: &Hash) -> Option<(BlockHeight, LedgerEvent)> {
        self.receipts.of(id)
    }

    /// Reads from the store, off the runtime's own threads: it waits for the disk.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        let reading = tokio::task::spawn_blocking(move || read(&store.read()?)).await;
        reading.unwrap_or_else(|error| Err(StoreError::Io(std::io::Error::other(error))))
    }

    /// Registers the metrics of the chain and its files.
    pub(crate) fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
        self.store.metrics().register(registry);
        self.wal.register(registry);
        let view = self.view.clone();
        register_state(registry, STATE, move || view.borrow().clone());
        let view = self.view.clone();
        register_state(registry, STATE_DURATIONS, move || view.borrow().clone());
    }

    /// Hands a gossip message on one of the chain's topics to the thread, which returns its verdict.
    pub(crate) async fn handle_gossip(&self, message: GossipMessage) {
        let (lane, event) = match message.topic.as_str() {
            // The time of a proposal counts from its arrival, and not from its turn in the inbox.
            topic if topic == CONSENSUS.name => (Lane::Consensus, Event::Consensus(message, clock::now())),
            topic if topic == BLOCKS.name => (Lane::Blocks, Event::BlockAnnounced(message)),
            // Transactions: no other topic is registered with this handler.
            _ => {
                let from = NodeId::try_from(message.from).ok();
                let is_in_debt = from.is_some_and(|from| self.unfunded.is_in_debt(&from, Instant::now()));
                let lane = if is_in_debt { Lane::InDebt } else { Lane::Transactions };
                // To the thread that verifies their signatures first.
                let sent = self.transactions.send(lane, message);
                if let Err(NotQueued::Full(message) | NotQueued::Closed(message)) = sent {
                    self.metrics.dropped(lane);
                    message.judge(Verdict::Ignore).await;
                }
                return;
            }
        };
        if let Err(NotQueued::Full(event) | NotQueued::Closed(event)) = self.events.send(lane, event)
            && let Event::Consensus(message, _) | Event::BlockAnnounced(message) = event
        {
            self.metrics.dropped(lane);
            message.judge(Verdict::Ignore).await;
        }
    }

    /// The next nonce of a key, after what is pending on this node; none when the ledger does not know the key, or the
    /// chain's thread does not answer.
    pub(crate) async fn next_nonce(&self, key: SignerKey, signer: NodeId) -> Option<u64> {
        let (reply, answer) = oneshot::channel();
        self.events.send(Lane::Transactions, Event::NextNonce { key, signer, reply }).ok()?;
        answer.await.ok().flatten()
    }

    /// What is pending on this node of an owner key; nothing when the chain's thread does not answer.
    pub(crate) async fn pending_of(&self, owner: NodeId) -> Vec<SignedTransaction> {
        let (reply, answer) = oneshot::channel();
        if self.events.send(Lane::Transactions, Event::PendingOf { owner, reply }).is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }

    /// Answers another node's request for blocks.
    pub(crate) async fn answer(&self, request: InboundRequest) {
        let (store, proposed) = (self.store.clone(), self.proposed.clone());
        let data = request.data.clone();
        // The store reads from the disk.
        let answer = tokio::task::spawn_blocking(move || blocks::answer(&store, &proposed, &data)).await;
        if let Ok(Some(answer)) = answer {
            request.respond(answer).await;
        }
    }

    /// Submits a transaction; it is gossiped when the mempool accepts it.
    pub(crate) async fn submit(&self, signed: SignedTransaction) -> Result<Hash, SubmitError> {
        let span = span::of_transaction(&signed.checked().id());
        let (reply, answer) = oneshot::channel();
        let submitted = async {
            let event = Event::Submit(Box::new(signed), reply);
            self.events.send(Lane::Transactions, event).map_err(|refused| match refused {
                NotQueued::Full(_) => SubmitError::Busy,
                NotQueued::Closed(_) => SubmitError::Stopped,
            })?;
            Ok(answer.await.map_err(|_| SubmitError::Stopped)??)
        };
        let submitted = submitted.instrument(span.clone()).await;
        if let Err(error) = &submitted {
            span.in_scope(|| tracing::debug!(%error, "not submitted"));
        }
        submitted
    }
}

impl ChainHandle {
    /// Ends the threads of the chain.
    fn close(&self) {
        self.transactions.close();
        self.events.close();
    }
}

/// Why a transaction was not submitted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    /// The mempool rejects it.
    #[error(transparent)]
    Refused(#[from] MempoolError),
    /// Its queue is full.
    #[error("the node is busy: try again in a moment")]
    Busy,
    /// The chain's thread has ended.
    #[error("this node has stopped following the chain: see `nervure status`")]
    Stopped,
}

/// How long validators wait for each other. How far block times may be from their clocks follows from the state.
fn engine_config(spec: &MeshSpec) -> Config {
    match spec.mesh.scope {
        Scope::Local => Config::local(),
        Scope::Public => Config::public(),
    }
}
