//! A validator's work in its subnets: it sets tasks, scores the answers, gossips live scores, and commits and reveals
//! weights on the ledger.
//!
//! # Design
//! One task follows the chain. With each block it looks at every subnet in which this node holds a permit: a batch of
//! tasks is due five times per tempo (at a moment of this validator's own, so that validators do not all ask at once),
//! and once per epoch there are weights to commit, and those of the epoch before to reveal. Tasks run beside it, one
//! batch at a time in a subnet. Moving averages and committed weights are on the disk before they are published: see
//! [`ValidatorStore`].
//!
//! What this validator publishes comes at the pace of batches, whatever it asks: the commitment to a batch, also to one
//! without tasks; the assignments of a batch that has ended; and live scores, rounded and a batch late, so that a miner
//! does not learn from them what a single task was worth. Live scores also wait for the end of the epoch that they were
//! measured in, but for falls, so that no other validator makes its weights of them ([`ScorePublication`]).
//!
//! [`ScorePublication`]: nervure_subnet::score::ScorePublication
//!
//! # What a hostile miner can do
//! Answer late, wrongly, with too much or not at all: each costs that miner's task and nothing else. All its answers
//! are bounded where they arrive, and what judges them neither panics nor takes long.

mod ask;
mod cells;
mod corpus;
mod metrics;
mod reference;
mod store;
mod task;
mod weights;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nervure_ledger::{chain::Tip, spec, subnet::Subnet};
use nervure_p2p::NetworkHandle;
use nervure_primitives::{MeshId, Netuid, NodeId, NodeKey};
use nervure_protocol::{
    SignedLiveScores,
    topics::{ASSIGNMENTS, SCORES, TASK_BATCHES},
};
use nervure_router::Router;
use nervure_subnet::{
    Seed,
    mechanism::{Corpus, Mechanism, Mechanisms},
    task::OpenBatch,
};
use parking_lot::Mutex;
use rand::Rng;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    assignments::AssignmentGossip, audit::Auditor, catalog::ExpertCatalog, chain::ChainHandle, clock,
    score_gossip::ScoreGossip, traffic::TrafficGossip,
};
use ask::Pace;
use store::ValidatorStore;
use task::DueBatch;

pub(crate) use cells::CellStore;
pub(crate) use corpus::CorpusError;
pub(crate) use metrics::ValidatorMetrics;
pub(crate) use reference::ReferenceModels;

/// Batches of tasks of one validator per tempo.
const BATCHES_PER_TEMPO: u64 = 5;

/// Longest time over which the questions of a batch are spread.
const MAX_SPREAD: Duration = Duration::from_secs(1800);

/// Batches of one subnet that wait to be opened; older ones are not opened.
const MAX_UNOPENED: usize = 16;

/// Name of the directory with this validator's moving averages and weight commits, in the node's directory.
const STORE_DIR: &str = "validator";

/// Name of the file in it with the pieces of text that were asked.
const CELLS_FILE: &str = "asked-cells";

/// How long an answer may take, in block times, and its bounds.
const BLOCKS_PER_ANSWER: u32 = 10;
const ANSWER_TIME: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));

/// The validator and what it depends on.
pub(crate) struct Validator {
    pub(crate) key: NodeKey,
    pub(crate) mesh: MeshId,
    pub(crate) chain: ChainHandle,
    pub(crate) catalog: Arc<ExpertCatalog>,
    pub(crate) score_gossip: Arc<ScoreGossip>,
    pub(crate) auditor: Arc<Auditor>,
    pub(crate) assignments: Arc<AssignmentGossip>,
    pub(crate) traffic: Arc<TrafficGossip>,
    pub(crate) router: Router,
    pub(crate) network: NetworkHandle,
    pub(crate) corpus: Arc<Corpus>,
    /// The pieces of the texts that were asked.
    pub(crate) cells: Arc<Mutex<CellStore>>,
    pub(crate) mechanisms: Mechanisms,
    pub(crate) references: ReferenceModels,
    pub(crate) dir: PathBuf,
    pub(crate) block_time: Duration,
    pub(crate) metrics: ValidatorMetrics,
}

/// One subnet in which this node validates.
struct SubnetWorker {
    store: Arc<Mutex<ValidatorStore>>,
    mechanism: Option<Arc<dyn Mechanism>>,
    /// The spec from which the mechanism was built.
    spec: Option<nervure_primitives::MechanismSpec>,
    /// The block at which the next batch is due.
    next_batch: u64,
    running: Option<JoinHandle<()>>,
    /// Batches whose assignments are still to be opened.
    unopened: Arc<Mutex<Vec<OpenBatch>>>,
    /// Scores that are published with the next batch.
    late_scores: Option<SignedLiveScores>,
}

/// A message to publish, and its topic.
type Message = (&'static str, Vec<u8>);

/// The pieces of text that the validator in `dir` has asked.
pub(crate) fn cells(dir: &Path) -> std::io::Result<CellStore> {
    CellStore::open(&dir.join(STORE_DIR).join(CELLS_FILE))
}

/// The texts of a validator: those in `dir`, or the program's own in a mesh on one machine.
pub(crate) fn corpus(dir: Option<&Path>, scope: spec::Scope) -> Result<Corpus, CorpusError> {
    match (dir, scope) {
        (Some(dir), _) => corpus::read(dir),
        (None, spec::Scope::Local) => Ok(corpus::own()),
        (None, spec::Scope::Public) => Ok(Corpus::default()),
    }
}

impl Validator {
    /// Works until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut view = this.chain.watch();
        let mut workers = BTreeMap::new();
        let mut sent = weights::PendingWeights::default();
        while stop.run_until_cancelled(view.changed()).await.is_some_and(|changed| changed.is_ok()) {
            let tip = view.borrow_and_update().tip.clone();
            for (topic, message) in this.on_block(&tip, &mut workers) {
                this.publish(topic, message).await;
            }
            // After the workers follow the block: the weights are of neurons that are registered now.
            sent.next(&this, &tip, &workers).await;
        }
    }

    fn own(&self) -> NodeId {
        self.key.node_id()
    }

    /// Opens workers for new permits, drops those whose permit is lost, and begins the batches that are due. Returns what
    /// is to be published.
    fn on_block(self: &Arc<Self>, tip: &Tip, workers: &mut BTreeMap<Netuid, SubnetWorker>) -> Vec<Message> {
        let own = self.own();
        let permitted = |subnet: &Subnet| {
            subnet.uid_of(&own).and_then(|uid| subnet.neuron(uid)).is_some_and(|neuron| neuron.permit)
        };
        let subnets = tip.state.subnets();
        workers.retain(|netuid, _| subnets.get(netuid).is_some_and(permitted));
        let mut messages = Vec::new();
        for (netuid, subnet) in subnets.iter().filter(|(_, subnet)| permitted(subnet)) {
            let height = tip.header.height.0;
            let worker = workers.entry(*netuid).or_insert_with(|| self.open(*netuid, height, subnet));
            worker.follow(*netuid, subnet, &self.mechanisms);
            worker.store.lock().registered(subnet, &own);
            worker.store.lock().follow_epoch(subnet, height);
            self.fail(*netuid, worker);
            messages.extend(worker.openings());
            if height >= worker.next_batch {
                worker.next_batch = height + interval(subnet);
                let due = DueBatch { netuid: *netuid, number: height, pace: self.pace(subnet) };
                messages.extend(self.begin_batch(due, worker));
            }
        }
        messages
    }

    /// Records a task result of zero for each expert in which an audit found a mismatch.
    fn fail(&self, netuid: Netuid, worker: &SubnetWorker) {
        let failed = self.auditor.failed(netuid);
        if failed.is_empty() {
            return;
        }
        let records = self.catalog.in_subnet(netuid);
        worker.store.lock().fail(&failed, records);
    }

    /// Begins a batch: with tasks if none is running, because a slow one delays the next and does not pile up queries at
    /// the miners. Returns what is published with it in any case.
    fn begin_batch(self: &Arc<Self>, due: DueBatch, worker: &mut SubnetWorker) -> Vec<Message> {
        let mut messages: Vec<Message> = self.scores(due.netuid, worker).into_iter().collect();
        let idle = worker.running.as_ref().is_none_or(JoinHandle::is_finished);
        let Some(mechanism) = worker.mechanism.clone().filter(|_| idle) else {
            let empty = self.empty_batch(due);
            messages.extend(empty.map(|signed| (TASK_BATCHES.name, signed.bytes().to_vec())));
            return messages;
        };
        let (this, store, unopened) = (self.clone(), worker.store.clone(), worker.unopened.clone());
        worker.running = Some(tokio::spawn(async move {
            if let Some(batch) = this.set_tasks(due, &mechanism, &store).await {
                let mut unopened = unopened.lock();
                unopened.push(batch);
                let surplus = unopened.len().saturating_sub(MAX_UNOPENED);
                unopened.drain(..surplus);
            }
        }));
        messages
    }

    fn open(&self, netuid: Netuid, height: u64, subnet: &Subnet) -> SubnetWorker {
        let path = self.dir.join(STORE_DIR).join(format!("{netuid}.cbor"));
        // A random offset within the interval, so that validators do not all ask at once.
        let next_batch = height + rand::rng().random_range(0..interval(subnet));
        SubnetWorker::new(ValidatorStore::open(path, subnet, &self.own()), next_batch)
    }

    /// The live scores as they were at the last batch; those of now are published with the next one.
    fn scores(&self, netuid: Netuid, worker: &mut SubnetWorker) -> Option<Message> {
        let scores = worker.store.lock().live_scores((self.own(), netuid));
        let signed = SignedLiveScores::sign(&self.key, &self.mesh, scores);
        let signed =
            signed.inspect_err(|error| tracing::error!(%netuid, %error, "live scores cannot be signed")).ok();
        let late = std::mem::replace(&mut worker.late_scores, signed)?;
        // Gossipsub does not deliver own messages, so that the own scores are added here.
        self.score_gossip.take(&late);
        Some((SCORES.name, late.bytes().to_vec()))
    }

    async fn publish(&self, topic: &str, data: Vec<u8>) {
        if let Err(error) = self.network.publish(topic, data).await {
            tracing::debug!(topic, %error, "not published");
        }
    }

    /// When the questions of a batch are asked: spread over most of the time to the next one.
    fn pace(&self, subnet: &Subnet) -> Pace {
        let blocks = u32::try_from(interval(subnet)).unwrap_or(u32::MAX);
        let spread = (self.block_time.saturating_mul(blocks) * 3 / 4).min(MAX_SPREAD);
        let wait = (self.block_time * BLOCKS_PER_ANSWER).clamp(ANSWER_TIME.0, ANSWER_TIME.1);
        Pace { spread, wait }
    }
}

impl Drop for SubnetWorker {
    /// A worker goes with its permit, or with the validator. Its task must not ask miners and publish scores after that.
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

impl SubnetWorker {
    fn new(store: ValidatorStore, next_batch: u64) -> Self {
        let (store, unopened) = (Arc::new(Mutex::new(store)), Arc::default());
        Self { store, mechanism: None, spec: None, next_batch, running: None, unopened, late_scores: None }
    }

    /// The assignments of batches that have ended.
    fn openings(&self) -> Vec<Message> {
        let now = clock::now();
        let ended =
            self.unopened.lock().extract_if(.., |batch| batch.batch().opens_at <= now).collect::<Vec<_>>();
        let openings = ended.iter().flat_map(OpenBatch::openings).filter_map(|opening| opening.encode().ok());
        openings.map(|bytes| (ASSIGNMENTS.name, bytes)).collect()
    }

    /// Builds the subnet's mechanism when its owner has changed it.
    fn follow(&mut self, netuid: Netuid, subnet: &Subnet, mechanisms: &Mechanisms) {
        if self.spec == subnet.mechanism {
            return;
        }
        // Also when the mechanism is unknown: the warning is given once for a spec, not with each block.
        self.spec.clone_from(&subnet.mechanism);
        self.mechanism = match self.spec.as_ref().map(|spec| mechanisms.build(spec)).transpose() {
            Ok(mechanism) => mechanism.map(Arc::from),
            Err(error) => {
                tracing::warn!(%netuid, %error, "no tasks are set: the subnet's mechanism is unknown to this version");
                None
            }
        };
    }
}

/// Blocks from one batch of a validator to its next.
fn interval(subnet: &Subnet) -> u64 {
    (subnet.hyperparameters.tempo / BATCHES_PER_TEMPO).max(1)
}

/// A seed from the operating system's randomness, known to this node only.
pub(super) fn new_seed() -> Seed {
    Seed::from_bytes(rand::rng().random())
}

#[cfg(test)]
mod tests {
    use nervure_ledger::spec::MeshSpec;
    use nervure_primitives::MechanismSpec;
    use nervure_subnet::mechanism::{DrawError, Material, Parameters, Task};

    use super::*;

    /// A mechanism of a program that embeds a validator.
    #[derive(Debug, serde::Deserialize)]
    struct Custom {}

    impl Parameters for Custom {
        fn out_of_bounds(&self) -> Option<&'static str> {
            None
        }
    }

    impl Mechanism for Custom {
        fn draw(&self, _: Seed, _: &Material) -> Result<Box<dyn Task>, DrawError> {
            Err(DrawError::TooLittleText { what: "pieces", have: 0, need: 1 })
        }
    }

    #[tokio::test]
    async fn a_worker_without_a_permit_takes_its_task_along() {
        let (tip, _) = Tip::genesis(&MeshSpec::local("permit")).unwrap();
        let subnet = &tip.state.subnets()[&Netuid(1)];
        let dir = tempfile::tempdir().unwrap();
        let node = NodeKey::from_seed(&[1; 32]).node_id();
        // A task that ends only when it is aborted; the receiver then sees that its sender is gone.
        let task = || {
            let (alive, ended) = tokio::sync::oneshot::channel::<()>();
            let running = tokio::spawn(async move {
                std::future::pending::<()>().await;
                drop(alive);
            });
            (running, ended)
        };
        let (running, ended) = task();
        let path = dir.path().join("1.cbor");
        let mut worker = SubnetWorker::new(ValidatorStore::open(path, subnet, &node), 0);
        worker.running = Some(running);
        let mut workers = BTreeMap::from([(Netuid(1), worker)]);
        workers.retain(|_, _| false);
        assert!(ended.await.is_err(), "the task has ended");
        // A handle alone lets its task go on.
        let (running, mut ended) = task();
        drop(running);
        tokio::task::yield_now().await;
        assert!(ended.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty));
    }

    #[test]
    fn a_subnet_with_a_custom_mechanism_needs_a_validator_that_knows_it() {
        let mut spec = MeshSpec::local("custom");
        spec.subnets[0].mechanism = Some(MechanismSpec::named("custom"));
        let (tip, _) = Tip::genesis(&spec).unwrap();
        let subnet = &tip.state.subnets()[&Netuid(1)];
        let dir = tempfile::tempdir().unwrap();
        let worker = |mechanisms: &Mechanisms| {
            let path = dir.path().join("1.cbor");
            let node = NodeKey::from_seed(&[1; 32]).node_id();
            let mut worker = SubnetWorker::new(ValidatorStore::open(path, subnet, &node), 0);
            worker.follow(Netuid(1), subnet, mechanisms);
            worker
        };
        let mut mechanisms = Mechanisms::built_in();
        assert!(worker(&mechanisms).mechanism.is_none());
        mechanisms.add::<Custom>("custom").unwrap();
        assert!(worker(&mechanisms).mechanism.is_some());
    }
}
