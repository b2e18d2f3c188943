//! A validator's work in its subnets: it sets tasks, scores the answers, gossips live scores, and commits and reveals
//! weights on the ledger.
//!
//! # Design
//! One task follows the chain. With each block it looks at every subnet in which this node holds a permit: a task is
//! due five times per tempo (at a moment of this validator's own, so that validators do not all ask at once), and
//! once per epoch there are weights to commit, and those of the epoch before to reveal. Tasks run beside it, at most
//! one per subnet. Moving averages and committed weights are on the disk before they are published: see [`ValidatorStore`].
//!
//! # What a hostile miner can do
//! Answer late, wrongly, with too much or not at all: each costs that miner's task and nothing else. All its answers
//! are bounded where they arrive, and what judges them neither panics nor takes long.

mod ask;
mod corpus;
mod metrics;
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
use nervure_protocol::{SignedLiveScores, topics::SCORES};
use nervure_router::Router;
use nervure_subnet::{
    Seed,
    mechanism::{Corpus, Mechanism, Mechanisms},
};
use parking_lot::Mutex;
use rand::Rng;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{catalog::ExpertCatalog, chain::ChainHandle, clock, score_gossip::ScoreGossip};
use store::ValidatorStore;

pub(crate) use corpus::CorpusError;
pub(crate) use metrics::ValidatorMetrics;

/// Tasks of one validator per tempo.
const TASKS_PER_TEMPO: u64 = 5;

/// Name of the directory with this validator's moving averages and weight commits, in the node's directory.
const STORE_DIR: &str = "validator";

/// How long a task may take, in block times, and its bounds.
const BLOCKS_PER_TASK: u32 = 10;
const TASK_TIME: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));

/// The validator and what it depends on.
pub(crate) struct Validator {
    pub(crate) key: NodeKey,
    pub(crate) mesh: MeshId,
    pub(crate) chain: ChainHandle,
    pub(crate) catalog: Arc<ExpertCatalog>,
    pub(crate) score_gossip: Arc<ScoreGossip>,
    pub(crate) router: Router,
    pub(crate) network: NetworkHandle,
    pub(crate) corpus: Arc<Corpus>,
    pub(crate) mechanisms: Mechanisms,
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
    /// The block at which the next task is due.
    next_task: u64,
    running: Option<JoinHandle<()>>,
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
            this.on_block(&tip, &mut workers);
            // After the workers follow the block: the weights are of neurons that are registered now.
            sent.next(&this, &tip, &workers).await;
        }
    }

    fn own(&self) -> NodeId {
        self.key.node_id()
    }

    /// Opens workers for new permits, drops those whose permit is lost, and sets the tasks that are due.
    fn on_block(self: &Arc<Self>, tip: &Tip, workers: &mut BTreeMap<Netuid, SubnetWorker>) {
        let own = self.own();
        let permitted = |subnet: &Subnet| {
            subnet.uid_of(&own).and_then(|uid| subnet.neuron(uid)).is_some_and(|neuron| neuron.permit)
        };
        let subnets = tip.state.subnets();
        workers.retain(|netuid, _| subnets.get(netuid).is_some_and(permitted));
        for (netuid, subnet) in subnets.iter().filter(|(_, subnet)| permitted(subnet)) {
            let height = tip.header.height.0;
            let worker = workers.entry(*netuid).or_insert_with(|| self.open(*netuid, height, subnet));
            worker.follow(*netuid, subnet, &self.mechanisms);
            worker.store.lock().registered(subnet, &own);
            // One task at a time in a subnet: a slow one delays the next and does not pile up queries at the
            // miners.
            let idle = worker.running.as_ref().is_none_or(JoinHandle::is_finished);
            let Some(mechanism) = worker.mechanism.clone().filter(|_| idle && height >= worker.next_task)
            else {
                continue;
            };
            worker.next_task = height + interval(subnet);
            let (this, store, netuid) = (self.clone(), worker.store.clone(), *netuid);
            worker.running = Some(tokio::spawn(async move {
                if this.set_tasks(netuid, &mechanism, &store).await {
                    this.publish_scores(netuid, &store).await;
                }
            }));
        }
    }

    fn open(&self, netuid: Netuid, height: u64, subnet: &Subnet) -> SubnetWorker {
        let path = self.dir.join(STORE_DIR).join(format!("{netuid}.cbor"));
        // A random offset within the interval, so that validators do not all ask at once.
        let next_task = height + rand::rng().random_range(0..interval(subnet));
        let store = Arc::new(Mutex::new(ValidatorStore::open(path, subnet, &self.own())));
        SubnetWorker { store, mechanism: None, spec: None, next_task, running: None }
    }

    /// Publishes this validator's live scores of a subnet's neurons.
    async fn publish_scores(&self, netuid: Netuid, store: &Mutex<ValidatorStore>) {
        let now = clock::now();
        let scores = store.lock().board().live_scores((self.own(), netuid), now);
        match SignedLiveScores::sign(&self.key, &self.mesh, scores) {
            Ok(signed) => {
                // Gossipsub does not deliver own messages, so that the own scores are added here.
                self.score_gossip.take(&signed);
                self.publish(SCORES.name, signed.bytes().to_vec()).await;
            }
            Err(error) => tracing::error!(%netuid, %error, "live scores cannot be signed"),
        }
    }

    async fn publish(&self, topic: &str, data: Vec<u8>) {
        if let Err(error) = self.network.publish(topic, data).await {
            tracing::debug!(topic, %error, "not published");
        }
    }

    /// How long a task may take.
    fn task_time(&self) -> Duration {
        (self.block_time * BLOCKS_PER_TASK).clamp(TASK_TIME.0, TASK_TIME.1)
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

/// Blocks from one task of a validator to its next.
fn interval(subnet: &Subnet) -> u64 {
    (subnet.hyperparameters.tempo / TASKS_PER_TEMPO).max(1)
}

/// A seed from the operating system's randomness, known to this validator only.
fn new_seed() -> Seed {
    Seed::from_bytes(rand::rng().random())
}

#[cfg(test)]
mod tests {
    use nervure_ledger::spec::MeshSpec;
    use nervure_primitives::MechanismSpec;
    use nervure_subnet::mechanism::{DrawError, Parameters, Task};

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
        fn draw(&self, _: Seed, _: &Corpus) -> Result<Box<dyn Task>, DrawError> {
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
        let store = Arc::new(Mutex::new(ValidatorStore::open(path, subnet, &node)));
        let worker =
            SubnetWorker { store, mechanism: None, spec: None, next_task: 0, running: Some(running) };
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
            let store = Arc::new(Mutex::new(ValidatorStore::open(path, subnet, &node)));
            let mut worker = SubnetWorker { store, mechanism: None, spec: None, next_task: 0, running: None };
            worker.follow(Netuid(1), subnet, mechanisms);
            worker
        };
        let mut mechanisms = Mechanisms::built_in();
        assert!(worker(&mechanisms).mechanism.is_none());
        mechanisms.add::<Custom>("custom").unwrap();
        assert!(worker(&mechanisms).mechanism.is_some());
    }
}
