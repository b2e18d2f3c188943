//! Checkpoints kept outside of the mesh: this node's part.
//!
//! Every node that follows the chain gathers the validators' signatures under each election's checkpoint, and keeps
//! those that enough of them signed in a file of its own ([`keep`]). A validator signs, with its anchor key. A node that
//! can reach the chain of the mesh's contract reads what is kept there, and a validator hands in what is not
//! ([`forward`]), in turns. Nothing of the mesh waits for any of this.
//!
//! What a hostile peer can do is said where its messages are read: [`collector`], [`wire`].

mod collector;
#[cfg(feature = "anchor-evm")]
mod forward;
mod keep;
mod read;
mod wire;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use nervure_anchor::{
    AnchorDomain, AnchorError, AnchorKey, AnchorKeyFileError, AnchoredCheckpoint, CheckpointStore,
    LocalAnchor, LocalAnchorError, Submission,
};
use nervure_ledger::{
    chain::Tip,
    spec::{MeshSpec, Role},
};
use nervure_p2p::{InboundRequest, Verdict};
use nervure_primitives::{BlockHeight, Hash, MeshId};
use tokio::sync::Notify;

use crate::{
    config::NodeConfig,
    service::{AnchorRecordView, AnchorStatus},
};
use collector::AttestationCollector;
use wire::{Request, Said};

#[cfg(feature = "anchor-evm")]
pub(crate) use forward::Forwarder;
#[cfg(not(feature = "anchor-evm"))]
pub(crate) use read::check_supported;
pub(crate) use read::{AnchoredError, last_anchored};
pub(crate) use wire::{protocol, read as read_answer, topic};

/// Name of the file of a validator's anchor key, in its directory.
pub(crate) const KEY_FILE: &str = "anchor.key";

/// How long a validator waits before it signs a checkpoint of the past, which others most likely have signed.
const PAST: Duration = Duration::from_secs(10);

/// Checkpoints of the chain that are remembered.
#[cfg(feature = "anchor-evm")]
const REMEMBERED: usize = 1_024;

/// What became of attestations.
#[derive(Debug, Default)]
pub(crate) struct AnchorCounters {
    /// Taken in.
    pub accepted: AtomicU64,
    /// Early, known, or for another contract.
    pub ignored: AtomicU64,
    /// Wrong in themselves.
    pub rejected: AtomicU64,
}

/// What this node does for anchored checkpoints; shared by the chain's thread, gossip, and the HTTP API.
pub(crate) struct Anchoring {
    mesh: MeshId,
    domain: AnchorDomain,
    key: Option<AnchorKey>,
    path: PathBuf,
    attestations: Mutex<AttestationCollector>,
    /// What the file begins with, once the ledger knows who signs.
    beginning: OnceLock<(BlockHeight, Hash)>,
    log: OnceLock<LocalAnchor>,
    outside: Mutex<Outside>,
    /// There is something to keep or to say.
    stirred: Notify,
    /// Another checkpoint is kept.
    kept: Notify,
    counters: AnchorCounters,
}

/// What is known of the contract.
#[derive(Default)]
struct Outside {
    anchored: BTreeMap<BlockHeight, AnchoredCheckpoint>,
    trouble: Option<String>,
}

/// Asks a peer for submissions of `domain` from a height on.
pub(crate) fn request(domain: AnchorDomain, from: BlockHeight) -> Option<Vec<u8>> {
    Request { domain, from }.encode().ok()
}

impl Anchoring {
    /// For the mesh of `spec`; a validator signs with the key in its directory, which it makes if there is none.
    ///
    /// # Errors
    /// When the key cannot be read or made.
    pub(crate) fn new(config: &NodeConfig, spec: &MeshSpec) -> Result<Self, AnchorKeyFileError> {
        let domain = spec.network.anchor.map_or(AnchorDomain::LOCAL, |place| place.domain());
        let validator = config.role == Some(Role::Validator);
        let name = match spec.network.anchor {
            Some(place) => format!("anchor-{}-{}.log", place.chain, place.contract),
            None => "anchor.log".into(),
        };
        Ok(Self {
            mesh: spec.mesh_id(),
            domain,
            key: validator.then(|| own_key(config)).transpose()?,
            path: config.dir.join(name),
            attestations: Mutex::new(AttestationCollector::new(domain)),
            beginning: OnceLock::new(),
            log: OnceLock::new(),
            outside: Mutex::default(),
            stirred: Notify::new(),
            kept: Notify::new(),
            counters: AnchorCounters::default(),
        })
    }

    /// Another block is final. `live` when it is the last one that anybody is known to have.
    pub(crate) fn committed(&self, tip: &Tip, live: bool) {
        let interval = tip.state.params().election_interval;
        let anchors = tip.state.anchors();
        if let Some(successors) = anchors.successors().filter(|_| self.beginning.get().is_none()) {
            let elected = tip.header.height.0 - tip.header.height.0 % interval.max(1);
            let _ = self.beginning.set((BlockHeight(elected), successors.hash()));
            self.stirred.notify_one();
        }
        let Some((checkpoint, signers)) = tip.state.anchor_checkpoint(&tip.header) else { return };
        let height = checkpoint.height();
        if self.log.get().is_some_and(|log| log.latest() >= height) {
            return;
        }
        let times = (Instant::now(), if live { Duration::ZERO } else { PAST });
        if lock(&self.attestations).open((checkpoint, signers), self.key.as_ref(), times) {
            self.stirred.notify_one();
        }
    }

    /// Judges an attestation that came by gossip.
    pub(crate) fn hear(&self, data: &[u8]) -> Verdict {
        let verdict = match Said::decode(data) {
            Err(_) => Verdict::Reject,
            // Whoever knows another contract than we do lies about nothing.
            Ok(said) if said.domain != self.domain => Verdict::Ignore,
            Ok(said) => lock(&self.attestations).take(said.attestation),
        };
        let counter = match verdict {
            Verdict::Accept => &self.counters.accepted,
            Verdict::Ignore => &self.counters.ignored,
            Verdict::Reject => &self.counters.rejected,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if verdict == Verdict::Accept {
            self.stirred.notify_one();
        }
        verdict
    }

    /// Answers another node's request for submissions.
    pub(crate) async fn answer(self: std::sync::Arc<Self>, request: InboundRequest) {
        let Ok(Request { domain, from }) = Request::decode(&request.data) else { return };
        if domain != self.domain {
            return;
        }
        // It reads from the disk.
        let answer = tokio::task::spawn_blocking(move || wire::answer(self.log.get()?, from)).await;
        if let Ok(Some(answer)) = answer {
            request.respond(answer).await;
        }
    }

    /// What became of attestations.
    pub(crate) fn counters(&self) -> &AnchorCounters {
        &self.counters
    }

    /// The anchored checkpoint that says what was final at `height`: the first one from there on.
    pub(crate) fn covering(&self, height: BlockHeight) -> Option<AnchorRecordView> {
        let anchored = match self.is_local() {
            true => self.log.get()?.first_from(height)?,
            false => lock(&self.outside).anchored.range(height..).next().map(|(_, one)| one.clone())?,
        };
        let reference = anchored.reference;
        Some(AnchorRecordView {
            height: anchored.height,
            id: anchored.id,
            transaction: reference.map(|reference| format!("0x{}", reference.transaction)),
            block: reference.map(|reference| reference.block),
        })
    }

    /// The whole of a checkpoint that is kept here. Reads from the disk.
    pub(crate) fn submission(&self, height: BlockHeight) -> Result<Option<Submission>, LocalAnchorError> {
        let found = self.log.get().map(|log| log.submission(height)).transpose()?.flatten();
        Ok(found.filter(|found| found.checkpoint.height() == height))
    }

    /// How it goes.
    pub(crate) fn status(&self) -> AnchorStatus {
        let place = (!self.is_local()).then_some(self.domain);
        let outside = lock(&self.outside);
        AnchorStatus {
            chain: place.map(|domain| domain.chain),
            contract: place.map(|domain| domain.contract.to_string()),
            key: self.key.as_ref().map(|key| key.address().to_string()),
            kept: self.log.get().map(LocalAnchor::latest),
            anchored: outside.anchored.keys().next_back().copied(),
            open: lock(&self.attestations).waiting().0 as u32,
            trouble: outside.trouble.clone(),
        }
    }

    /// Whether checkpoints are kept in files only.
    fn is_local(&self) -> bool {
        self.domain == AnchorDomain::LOCAL
    }

    /// Opens the file, once it is known what it begins with. Waits for the disk.
    fn open_log(&self) -> Result<Option<&LocalAnchor>, AnchorError> {
        if let (None, Some((height, validators))) = (self.log.get(), self.beginning.get()) {
            let store = CheckpointStore::new(self.domain, self.mesh, *height, *validators);
            let _ = self.log.set(LocalAnchor::open(&self.path, store)?);
        }
        Ok(self.log.get())
    }

    #[cfg(feature = "anchor-evm")]
    fn note(&self, anchored: Vec<AnchoredCheckpoint>) {
        let mut outside = lock(&self.outside);
        outside.anchored.extend(anchored.into_iter().map(|one| (one.height, one)));
        while outside.anchored.len() > REMEMBERED {
            outside.anchored.pop_first();
        }
    }

    /// Says what is wrong, once; nothing when all is well again.
    fn trouble(&self, trouble: Option<String>) {
        let mut outside = lock(&self.outside);
        if outside.trouble != trouble {
            match &trouble {
                Some(trouble) => tracing::warn!(%trouble, "checkpoints are not anchored"),
                None => tracing::info!("checkpoints are anchored again"),
            }
            outside.trouble = trouble;
        }
    }
}

fn own_key(config: &NodeConfig) -> Result<AnchorKey, AnchorKeyFileError> {
    let path = config.dir.join(KEY_FILE);
    if path.exists() { AnchorKey::read(&path) } else { AnchorKey::create(&path) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
