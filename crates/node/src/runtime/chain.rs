//! The chain at work: this node's part in agreeing on blocks, and what everybody else asks of it.
//!
//! One thread owns the agreement engine, the store, the write-ahead log and the mempool ([`task`]); it
//! waits for the disk, which no task of the runtime should. It hears of everything through one bounded
//! queue, and says what it knows in a [`watch`] channel. What has to wait for the network (fetching a
//! block, publishing) is done by tasks that report back to the queue.
//!
//! What a hostile peer can do: fill the queue, at the rate that gossip allows it. What then does not fit is
//! dropped and counted; votes are sent again.

mod blocks;
mod bodies;
mod commit;
mod fetch;
mod gossip;
mod host;
mod open;
mod pace;
mod pending;
mod settled;
mod task;

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use nervure_consensus::bft::{Config, Engine, Signer};
use nervure_ledger::{
    chain::Tip,
    event::Event as LedgerEvent,
    mempool::MempoolError,
    spec::{MeshSpec, Scope},
};
use nervure_p2p::{GossipMessage, InboundRequest, NetworkHandle, Verdict};
use nervure_primitives::{BlockHeight, Envelope, Hash, NodeKey};
use nervure_protocol::topics::{BLOCKS, CONSENSUS};
use nervure_store::{Reader, Store, StoreError};
use tokio::sync::{oneshot, watch};

use super::anchor::Anchoring;
use bodies::Bodies;
use settled::Settled;
use task::{Event, Task};

pub(crate) use blocks::protocol;
pub(crate) use gossip::topics;
pub(crate) use open::{OpenError, Opened, exists, import};

/// Events that wait for the thread.
const QUEUE: usize = 2_048;

/// What a node does for the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Agrees on blocks with the other validators, whenever it is elected.
    Validator,
    /// Takes the blocks that validators agreed on.
    Follower,
}

/// What a node knows of the chain.
#[derive(Clone, Debug)]
pub(crate) struct ChainView {
    /// The last block and the state after it.
    pub tip: Arc<Tip>,
    /// When it was committed here.
    pub committed: Instant,
    /// From the beginning of its height to its commit; none before the first block.
    pub took: Option<Duration>,
    /// The round that the next block is in.
    pub round: u32,
    /// The highest block that others were heard to have, while it is not here.
    pub behind: Option<BlockHeight>,
    /// Transactions that wait for a block.
    pub waiting: usize,
    /// The highest block that this node's key signed something about.
    pub signed: Option<BlockHeight>,
    /// Up to which height this node's key signs nothing, because it was seen to have signed before.
    pub silent_through: Option<BlockHeight>,
    /// Why no block is made, as far as this validator can tell.
    pub stalled: Option<String>,
    /// Why this node follows no more; a restart is needed.
    pub failed: Option<String>,
}

impl ChainView {
    /// Of a node that has just opened its store.
    fn of(tip: Tip) -> Self {
        Self {
            tip: Arc::new(tip),
            committed: Instant::now(),
            took: None,
            round: 0,
            behind: None,
            waiting: 0,
            signed: None,
            silent_through: None,
            stalled: None,
            failed: None,
        }
    }

    /// That of the genesis of `spec`: what somebody knows who follows no chain.
    pub(crate) fn genesis(spec: &MeshSpec) -> Result<Self, StoreError> {
        Ok(Self::of(Tip::genesis(spec)?.0))
    }
}

/// What became of what came.
#[derive(Debug, Default)]
pub(crate) struct ChainCounters {
    /// Events that found the queue full.
    pub dropped: AtomicU64,
    /// Validators' contradictions that were proven.
    pub equivocations: AtomicU64,
    /// Blocks of others that this node refused.
    pub refused_blocks: AtomicU64,
    /// Rounds beyond the first.
    pub extra_rounds: AtomicU64,
}

impl ChainCounters {
    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Reaches the chain's thread. Dropped, the thread ends.
pub(crate) struct Chain {
    handle: ChainHandle,
    thread: Option<JoinHandle<()>>,
}

/// What the rest of the node holds of the chain. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ChainHandle {
    events: Arc<Mutex<Option<SyncSender<Event>>>>,
    view: watch::Receiver<ChainView>,
    store: Arc<Store>,
    bodies: Arc<Bodies>,
    counters: Arc<ChainCounters>,
    settled: Arc<Settled>,
}

impl Chain {
    /// Starts the thread.
    pub(crate) fn start(
        (opened, part): (Opened, Part),
        (spec, key): (&MeshSpec, &NodeKey),
        network: NetworkHandle,
        anchoring: Arc<Anchoring>,
    ) -> std::io::Result<Self> {
        let Opened { store, wal, recovered, pending, view } = opened;
        let (events, queue) = sync_channel(QUEUE);
        let handle = ChainHandle {
            events: Arc::new(Mutex::new(Some(events.clone()))),
            view: view.subscribe(),
            store: Arc::new(store),
            bodies: Arc::default(),
            counters: Arc::default(),
            settled: Arc::default(),
        };
        let signer = Signer::new(key.clone(), spec.mesh_id(), recovered.signer);
        let engine = Engine::new(engine_config(spec), signer);
        let net = fetch::Net { network, runtime: tokio::runtime::Handle::current(), events };
        let host = host::Host::new(host::Parts {
            store: handle.store.clone(),
            wal,
            pending,
            view,
            bodies: handle.bodies.clone(),
            counters: handle.counters.clone(),
            net,
            part,
            settled: handle.settled.clone(),
            anchoring,
            block_time: Duration::from_millis(spec.consensus.block_milliseconds.into()),
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        });
        let task = Task::new(engine, host, recovered, queue);
        let thread = std::thread::Builder::new().name("chain".into()).spawn(move || task.run())?;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// What others hold of it.
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
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.handle.close();
    }
}

impl ChainHandle {
    /// What is known now.
    pub(crate) fn view(&self) -> watch::Ref<'_, ChainView> {
        self.view.borrow()
    }

    /// What is known, and a word whenever that changes.
    pub(crate) fn watch(&self) -> watch::Receiver<ChainView> {
        self.view.clone()
    }

    /// What became of one of the latest transactions, and in which block.
    pub(crate) fn settled(&self, id: &Hash) -> Option<(BlockHeight, LedgerEvent)> {
        self.settled.of(id)
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

    /// What became of what came.
    pub(crate) fn counters(&self) -> &ChainCounters {
        &self.counters
    }

    /// A message of gossip, on one of the chain's topics. It gets its verdict there.
    pub(crate) async fn hear(&self, message: GossipMessage) {
        let event = match message.topic.as_str() {
            topic if topic == CONSENSUS.name => Event::Heard(message),
            topic if topic == BLOCKS.name => Event::Announced(message),
            _ => Event::Offered(message),
        };
        let dropped = self.send(event);
        if let Some(Event::Heard(message) | Event::Announced(message) | Event::Offered(message)) = dropped {
            ChainCounters::count(&self.counters.dropped);
            message.judge(Verdict::Ignore).await;
        }
    }

    /// Answers another node's request for blocks.
    pub(crate) async fn answer(&self, request: InboundRequest) {
        let (store, bodies) = (self.store.clone(), self.bodies.clone());
        let data = request.data.clone();
        // The store reads from the disk.
        let answer = tokio::task::spawn_blocking(move || blocks::answer(&store, &bodies, &data)).await;
        if let Ok(Some(answer)) = answer {
            request.respond(answer).await;
        }
    }

    /// Hands in a transaction; it is offered to the others when the pool takes it.
    pub(crate) async fn submit(&self, envelope: Envelope) -> Result<Hash, SubmitError> {
        let (reply, answer) = oneshot::channel();
        if self.send(Event::Submit(envelope, reply)).is_some() {
            return Err(SubmitError::Busy);
        }
        Ok(answer.await.map_err(|_| SubmitError::Stopped)??)
    }

    /// Gives the event back when there is no room for it, or nobody to take it.
    fn send(&self, event: Event) -> Option<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(events) = events.as_ref() else { return Some(event) };
        match events.try_send(event) {
            Ok(()) => None,
            Err(TrySendError::Full(event) | TrySendError::Disconnected(event)) => Some(event),
        }
    }

    fn close(&self) {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(events) = events {
            // Behind what is in the queue; a full queue means that the thread is awake and will see it soon.
            let _ = events.send(Event::Stop);
        }
    }
}

/// Why a transaction was not handed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    /// The pool does not take it.
    #[error(transparent)]
    Refused(#[from] MempoolError),
    /// Too much is going on.
    #[error("the node is busy: try again in a moment")]
    Busy,
    /// The chain's thread has ended.
    #[error("this node follows the chain no more: see `nervure status`")]
    Stopped,
}

/// How long validators wait for each other.
fn engine_config(spec: &MeshSpec) -> Config {
    match spec.mesh.scope {
        Scope::Local => Config::local(),
        Scope::Public => Config::public(),
    }
}
