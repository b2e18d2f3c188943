//! Anchoring: this node's part in keeping checkpoints outside of the mesh.
//!
//! Every node that follows the chain collects the validators' attestations of each election's checkpoint, and keeps
//! those with a quorum in a file of its own ([`keep`]). A validator signs with its anchor key. A node that can reach the
//! chain of the mesh's contract reads the checkpoints there, and a validator submits missing ones when it is its turn
//! ([`forward`]). Nothing in the mesh waits for any of this.
//!
//! What a hostile peer can do stands with the messages, in [`nervure_anchor`], and in [`collector`].

mod collector;
#[cfg(feature = "anchor-evm")]
mod forward;
mod keep;
mod read;
mod wire;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use futures::FutureExt;
use nervure_anchor::{
    AnchorDomain, AnchorError, AnchorKey, AnchorKeyFileError, AnchoredCheckpoint, AttestationMessage,
    CheckpointStore, LocalAnchor, LocalAnchorError, Submission, SubmissionsRequest,
};
use nervure_api::{AnchorRecordView, AnchorStatus};
use nervure_ledger::{
    chain::Tip,
    spec::{MeshSpec, Role},
};
use nervure_p2p::{InboundRequest, Verdict};
use nervure_primitives::{BlockHeight, Hash, MeshId};
use nervure_protocol::{protocols::ANCHOR, topics::ATTESTATIONS};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::sync::Notify;

use super::{
    directory::{ProtocolHandlers, register_concurrent},
    gossip::TopicHandlers,
    metrics::{StateGauge, VerdictCounters, register_state},
};
use crate::config::NodeConfig;
use collector::AttestationCollector;

#[cfg(feature = "anchor-evm")]
pub(crate) use forward::Forwarder;
#[cfg(not(feature = "anchor-evm"))]
pub(crate) use read::check_supported;
pub(crate) use read::{AnchoredError, last_anchored};
pub(crate) use wire::{protocol, read as read_answer, topic};

/// Registers the handlers of attestations and of requests for submissions.
pub(crate) fn register(
    topics: &mut TopicHandlers,
    protocols: &mut ProtocolHandlers,
    anchoring: &Arc<Anchoring>,
) {
    let handling = anchoring.clone();
    topics.register(ATTESTATIONS.name, move |message| {
        let verdict = handling.handle_gossip(&message.data);
        message.judge(verdict).boxed()
    });
    let answering = anchoring.clone();
    register_concurrent(protocols, ANCHOR.name, move |request| answering.clone().answer(request));
}

/// Name of the file of a validator's anchor key, in its directory.
pub(crate) const KEY_FILE: &str = "anchor.key";

/// How long a validator waits before it signs a past checkpoint, which others have most likely signed.
const PAST_SIGNING_DELAY: Duration = Duration::from_secs(10);

/// Checkpoints of the contract that are kept in memory.
#[cfg(feature = "anchor-evm")]
const MAX_ANCHORED_CHECKPOINTS: usize = 1_024;

/// Names and help texts of what is counted about attestations.
pub(crate) const ATTESTATION_COUNTERS: [(&str, &str); 3] = [
    ("attestations_accepted", "Attestations of checkpoints accepted"),
    ("attestations_ignored", "Attestations of checkpoints that were early or already known"),
    ("attestations_rejected", "Attestations of checkpoints that were invalid"),
];

/// Gauges of the state of anchoring.
pub(crate) const STATE: &[StateGauge<AnchorStatus>] = &[
    StateGauge {
        name: "anchor_kept",
        help: "Height of the last checkpoint that is signed and kept here",
        value: |status| status.kept.map_or(0, |height| height.0),
    },
    StateGauge {
        name: "anchor_anchored",
        help: "Height of the last checkpoint in the contract",
        value: |status| status.anchored.map_or(0, |height| height.0),
    },
    StateGauge {
        name: "anchor_open",
        help: "Checkpoints that have no quorum of attestations yet",
        value: |status| status.open.into(),
    },
    StateGauge {
        name: "anchor_trouble",
        help: "1 when checkpoints cannot be anchored",
        value: |status| status.trouble.is_some().into(),
    },
];

/// This node's state of anchoring; shared by the chain's thread, gossip, and the HTTP API.
pub(crate) struct Anchoring {
    mesh: MeshId,
    domain: AnchorDomain,
    key: Option<AnchorKey>,
    path: PathBuf,
    attestations: Mutex<AttestationCollector>,
    /// The first height of the file and the hash of its validators, once the ledger knows the signers.
    beginning: OnceLock<(BlockHeight, Hash)>,
    log: OnceLock<LocalAnchor>,
    contract: Mutex<ContractState>,
    /// Wakes the task that keeps checkpoints and gossips attestations.
    wake_keeper: Notify,
    /// Wakes the forwarder after another checkpoint was kept.
    kept: Notify,
    counters: VerdictCounters,
}

/// What this node knows of the contract.
#[derive(Default)]
struct ContractState {
    anchored: BTreeMap<BlockHeight, AnchoredCheckpoint>,
    trouble: Option<String>,
}

/// Asks a peer for submissions of `domain` from a height on.
pub(crate) fn request(domain: AnchorDomain, from: BlockHeight) -> Option<Vec<u8>> {
    SubmissionsRequest { domain, from }.encode().ok()
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
            contract: Mutex::default(),
            wake_keeper: Notify::new(),
            kept: Notify::new(),
            counters: VerdictCounters::default(),
        })
    }

    /// Another block is final. `live` when no peer is known to have a later one.
    pub(crate) fn committed(&self, tip: &Tip, live: bool) {
        let interval = tip.state.params().election_interval;
        let anchors = tip.state.anchors();
        if let Some(successors) = anchors.successors().filter(|_| self.beginning.get().is_none()) {
            let elected = tip.header.height.0 - tip.header.height.0 % interval.max(1);
            let _ = self.beginning.set((BlockHeight(elected), successors.hash()));
            self.wake_keeper.notify_one();
        }
        let Some((checkpoint, signers)) = tip.state.anchor_checkpoint(&tip.header) else { return };
        let height = checkpoint.height();
        if self.log.get().is_some_and(|log| log.latest() >= height) {
            return;
        }
        let times = (Instant::now(), if live { Duration::ZERO } else { PAST_SIGNING_DELAY });
        if self.attestations.lock().open((checkpoint, signers), self.key.as_ref(), times) {
            self.wake_keeper.notify_one();
        }
    }

    /// Judges an attestation that came by gossip.
    pub(crate) fn handle_gossip(&self, data: &[u8]) -> Verdict {
        let verdict = match AttestationMessage::decode(data) {
            Err(_) => Verdict::Reject,
            // An attestation for another contract may be valid: the sender's spec may name that contract.
            Ok(message) if message.domain != self.domain => Verdict::Ignore,
            Ok(message) => self.attestations.lock().take(message.attestation),
        };
        self.counters.count(verdict);
        if verdict == Verdict::Accept {
            self.wake_keeper.notify_one();
        }
        verdict
    }

    /// Answers another node's request for submissions.
    pub(crate) async fn answer(self: Arc<Self>, request: InboundRequest) {
        let Ok(SubmissionsRequest { domain, from }) = SubmissionsRequest::decode(&request.data) else {
            return;
        };
        if domain != self.domain {
            return;
        }
        // It reads from the disk.
        let answer = tokio::task::spawn_blocking(move || wire::answer(self.log.get()?, from)).await;
        if let Ok(Some(answer)) = answer {
            request.respond(answer).await;
        }
    }

    /// Registers the metrics of anchoring.
    pub(crate) fn register_metrics(self: &Arc<Self>, registry: &mut Registry) {
        self.counters.register(registry, ATTESTATION_COUNTERS);
        let anchoring = self.clone();
        register_state(registry, STATE, move || anchoring.status());
    }

    /// The anchored checkpoint that covers `height`: the first one from there on.
    pub(crate) fn covering(&self, height: BlockHeight) -> Option<AnchorRecordView> {
        let anchored = match self.is_local() {
            true => self.log.get()?.first_from(height)?,
            false => self.contract.lock().anchored.range(height..).next().map(|(_, one)| one.clone())?,
        };
        let reference = anchored.reference;
        Some(AnchorRecordView {
            height: anchored.height,
            id: anchored.id,
            transaction: reference.map(|reference| format!("0x{}", reference.transaction)),
            block: reference.map(|reference| reference.block),
        })
    }

    /// The submission of a checkpoint that is kept here. Reads from the disk.
    pub(crate) fn submission(&self, height: BlockHeight) -> Result<Option<Submission>, LocalAnchorError> {
        let found = self.log.get().map(|log| log.submission(height)).transpose()?.flatten();
        Ok(found.filter(|found| found.checkpoint.height() == height))
    }

    /// The status for the HTTP API.
    pub(crate) fn status(&self) -> AnchorStatus {
        let place = (!self.is_local()).then_some(self.domain);
        let contract = self.contract.lock();
        AnchorStatus {
            chain: place.map(|domain| domain.chain),
            contract: place.map(|domain| domain.contract.to_string()),
            key: self.key.as_ref().map(|key| key.address().to_string()),
            kept: self.log.get().map(LocalAnchor::latest),
            anchored: contract.anchored.keys().next_back().copied(),
            open: self.attestations.lock().waiting().0 as u32,
            trouble: contract.trouble.clone(),
        }
    }

    /// Whether the mesh has no contract and keeps checkpoints in files only.
    fn is_local(&self) -> bool {
        self.domain == AnchorDomain::LOCAL
    }

    /// Opens the file, once its first height is known. Waits for the disk.
    fn open_log(&self) -> Result<Option<&LocalAnchor>, AnchorError> {
        if let (None, Some((height, validators))) = (self.log.get(), self.beginning.get()) {
            let store = CheckpointStore::new(self.domain, self.mesh, *height, *validators);
            let _ = self.log.set(LocalAnchor::open(&self.path, store)?);
        }
        Ok(self.log.get())
    }

    #[cfg(feature = "anchor-evm")]
    fn note(&self, anchored: Vec<AnchoredCheckpoint>) {
        let mut contract = self.contract.lock();
        contract.anchored.extend(anchored.into_iter().map(|one| (one.height, one)));
        while contract.anchored.len() > MAX_ANCHORED_CHECKPOINTS {
            contract.anchored.pop_first();
        }
    }

    /// Sets or clears the current problem, and logs each change once.
    fn trouble(&self, trouble: Option<String>) {
        let mut contract = self.contract.lock();
        if contract.trouble != trouble {
            match &trouble {
                Some(trouble) => tracing::warn!(%trouble, "checkpoints are not anchored"),
                None => tracing::info!("checkpoints are anchored again"),
            }
            contract.trouble = trouble;
        }
    }
}

fn own_key(config: &NodeConfig) -> Result<AnchorKey, AnchorKeyFileError> {
    let path = config.dir.join(KEY_FILE);
    if path.exists() { AnchorKey::read(&path) } else { AnchorKey::create(&path) }
}
