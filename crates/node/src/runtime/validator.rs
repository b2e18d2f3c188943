//! A validator's work in its subnets: it sets tasks, scores what comes back, tells others, and puts weights onto the
//! ledger.
//!
//! # Design
//! One task follows the chain. With each block it looks at every subnet in which this node holds a permit: a task is
//! due five times per tempo (at a moment of this validator's own, so that validators do not all ask at once), and
//! once per epoch there are weights to commit, and those of the epoch before to reveal. Tasks run beside it, at most
//! one per subnet. Averages and promised weights are on the disk before anybody hears of them: see [`Desk`].
//!
//! # What a hostile miner can do
//! Answer late, wrongly, with too much or not at all: each costs that miner's task and nothing else. All its answers
//! are bounded where they arrive, and what judges them neither panics nor takes long.

mod ask;
mod corpus;
mod desk;
mod task;
mod weights;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nervure_ledger::{chain::Tip, spec, subnet::Subnet};
use nervure_p2p::NetworkHandle;
use nervure_primitives::{MeshId, Netuid, NodeId, NodeKey};
use nervure_protocol::topics::SCORES;
use nervure_router::Router;
use nervure_subnet::{
    Seed,
    mechanism::{Corpus, Mechanism, build},
    score::SignedLiveScores,
};
use rand::Rng;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{catalog::ExpertCatalog, chain::ChainHandle, clock, opinions::Opinions};
use desk::Desk;

pub(crate) use corpus::CorpusError;

/// Tasks of one validator per tempo.
const TASKS_PER_TEMPO: u64 = 5;

/// Name of the directory with this validator's averages and promises, in the node's own.
const DIR: &str = "validator";

/// How long a task may take, in block times, and its bounds.
const BLOCKS_PER_TASK: u32 = 10;
const TASK_TIME: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));

/// What a validator works with.
pub(crate) struct Validator {
    pub(crate) key: NodeKey,
    pub(crate) mesh: MeshId,
    pub(crate) chain: ChainHandle,
    pub(crate) catalog: Arc<ExpertCatalog>,
    pub(crate) opinions: Arc<Opinions>,
    pub(crate) router: Router,
    pub(crate) network: NetworkHandle,
    pub(crate) corpus: Arc<Corpus>,
    pub(crate) dir: PathBuf,
    pub(crate) block_time: Duration,
}

/// One subnet in which this node validates.
struct Seat {
    desk: Arc<Mutex<Desk>>,
    mechanism: Option<Arc<dyn Mechanism>>,
    /// What the mechanism was built from.
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
        let mut seats = BTreeMap::new();
        let mut sent = weights::Sent::default();
        while stop.run_until_cancelled(view.changed()).await.is_some_and(|changed| changed.is_ok()) {
            let tip = view.borrow_and_update().tip.clone();
            this.look(&tip, &mut seats);
            sent.next(&this, &tip, &seats).await;
        }
        for seat in seats.into_values() {
            if let Some(running) = seat.running {
                running.abort();
            }
        }
    }

    fn own(&self) -> NodeId {
        self.key.node_id()
    }

    /// Takes seats, gives up those that are lost, and sets the tasks that are due.
    fn look(self: &Arc<Self>, tip: &Tip, seats: &mut BTreeMap<Netuid, Seat>) {
        let own = self.own();
        let permitted = |subnet: &Subnet| {
            subnet.uid_of(&own).and_then(|uid| subnet.neuron(uid)).is_some_and(|neuron| neuron.permit)
        };
        let subnets = tip.state.subnets();
        seats.retain(|netuid, _| subnets.get(netuid).is_some_and(permitted));
        for (netuid, subnet) in subnets.iter().filter(|(_, subnet)| permitted(subnet)) {
            let height = tip.header.height.0;
            let seat = seats.entry(*netuid).or_insert_with(|| self.sit(*netuid, height, subnet));
            seat.follow(*netuid, subnet);
            lock(&seat.desk).registered(subnet, &own);
            let idle = seat.running.as_ref().is_none_or(JoinHandle::is_finished);
            let Some(mechanism) = seat.mechanism.clone().filter(|_| idle && height >= seat.next_task) else {
                continue;
            };
            seat.next_task = height + interval(subnet);
            let (this, desk, netuid) = (self.clone(), seat.desk.clone(), *netuid);
            seat.running = Some(tokio::spawn(async move {
                if this.set_tasks(netuid, &mechanism, &desk).await {
                    this.tell(netuid, &desk).await;
                }
            }));
        }
    }

    fn sit(&self, netuid: Netuid, height: u64, subnet: &Subnet) -> Seat {
        let path = self.dir.join(DIR).join(format!("{netuid}.cbor"));
        // Not with the others' first tasks: each begins somewhere within the interval.
        let next_task = height + rand::rng().random_range(0..interval(subnet));
        let desk = Arc::new(Mutex::new(Desk::open(path, subnet, &self.own())));
        Seat { desk, mechanism: None, spec: None, next_task, running: None }
    }

    /// Tells everybody what this validator thinks of a subnet's neurons.
    async fn tell(&self, netuid: Netuid, desk: &Mutex<Desk>) {
        let now = clock::now();
        let scores = lock(desk).board().live_scores((self.own(), netuid), now);
        match SignedLiveScores::sign(&self.key, &self.mesh, scores) {
            Ok(signed) => {
                self.opinions.take(&signed);
                self.publish(SCORES.name, signed.bytes().to_vec()).await;
            }
            Err(error) => tracing::error!(%netuid, %error, "interim scores cannot be signed"),
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

impl Seat {
    /// Builds the subnet's mechanism when its owner has changed it.
    fn follow(&mut self, netuid: Netuid, subnet: &Subnet) {
        if self.spec == subnet.mechanism {
            return;
        }
        self.spec.clone_from(&subnet.mechanism);
        self.mechanism = match self.spec.as_ref().map(build).transpose() {
            Ok(mechanism) => mechanism.map(Arc::from),
            Err(error) => {
                tracing::warn!(%netuid, %error, "no tasks are set: this program does not know the subnet's mechanism");
                None
            }
        };
    }
}

/// Blocks from one task of a validator to its next.
fn interval(subnet: &Subnet) -> u64 {
    (subnet.hyperparameters.tempo / TASKS_PER_TEMPO).max(1)
}

/// Randomness that nobody else knows.
fn new_seed() -> Seed {
    Seed::from_bytes(rand::rng().random())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
