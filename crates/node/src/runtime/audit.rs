//! Audits: this node repeats answers with the models that it has, and shows answers to validators that do.
//!
//! A validator audits ([`Auditor`]): some of the answers to its own tasks, and what users and gateways release to it.
//! A mismatch is a task result of zero for the expert, and evidence for anyone with the model ([`log`]). A match is worth
//! nothing: a miner would release answers of its own otherwise.
//!
//! Any node releases ([`release`]), if its user or its operator wants it.
//!
//! # What a hostile peer can do
//! *Release answers that were not given*: a case needs the miner's signature for exactly this request and this answer.
//! *Release one mismatch again and again*: each query counts once. *Release old ones*: a receipt counts for
//! [`MAX_CASE_AGE`], and only for the present registration of its miner. *Release much*: a peer has
//! [`PER_PEER_PER_SECOND`], the queue is bounded, and one case is worked on at a time, on a thread of its own.

mod handler;
mod log;
mod metrics;
mod models;
mod release;

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    sync::Arc,
    time::Duration,
};

use nervure_api::{AuditPage, EvidenceView};
use nervure_primitives::{Hash, MeshId, Netuid, NodeId, UnixMillis};
use nervure_protocol::{AuditCase, Neurons, Receipt, SignedReceipt, bounds::MAX_CLOCK_SKEW};
use nervure_subnet::audit::{AuditModels, AuditRules, Evidence, EvidenceError, Verdict};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{clock, registry::LedgerRegistry};
use log::EvidenceLog;

pub(crate) use handler::{protocol, register};
pub(crate) use metrics::AuditMetrics;
pub(crate) use models::built_in;
pub(crate) use release::Releaser;

/// Age from which a receipt is not audited: its model and its expert may have changed since.
const MAX_CASE_AGE: Duration = Duration::from_secs(3600);

/// Released answers of one registered peer per second; a stranger has a quarter.
const PER_PEER_PER_SECOND: u32 = 4;

/// Cases that wait for a model. A full queue refuses further ones.
const MAX_QUEUED_CASES: usize = 64;

/// Queries that were audited, so that each counts once. The oldest ones are forgotten; they are too old by then, unless
/// more than this number came in [`MAX_CASE_AGE`].
const MAX_SEEN: usize = 16_384;

/// One of so many answers to this validator's own tasks is audited.
const OWN_SHARE: u32 = 8;

/// Why a case is not audited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAudited {
    /// The receipt is not one of this mesh.
    #[error("its receipt is not valid")]
    BadReceipt,
    /// Not a subnet in which this node is a validator, or the miner is not registered there.
    #[error("this node is no validator of that subnet, or its miner is not registered there")]
    NotHere,
    /// Too old, or of the future.
    #[error("its receipt is not of the last hour")]
    NotRecent,
    /// No model with that digest.
    #[error("this node has no model with the digest that the receipt names")]
    NoModel,
    /// It was audited before.
    #[error("it was audited before")]
    Again,
    /// Too many wait.
    #[error("too many answers wait for an audit")]
    Busy,
}

/// Repeats answers, one at a time.
pub(crate) struct Auditor {
    node: NodeId,
    mesh: MeshId,
    registry: LedgerRegistry,
    models: AuditModels,
    rules: AuditRules,
    queue: mpsc::Sender<AuditCase>,
    seen: Mutex<SeenQueries>,
    failed: Mutex<BTreeMap<Netuid, Vec<FailedExpert>>>,
    log: Mutex<EvidenceLog>,
    metrics: AuditMetrics,
}

/// An expert whose answer is not of the model that it names: its task result is zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailedExpert {
    /// Its node.
    pub(crate) miner: NodeId,
    /// Its name on that node.
    pub(crate) expert: String,
}

/// The queries that were audited, the oldest first.
#[derive(Default)]
struct SeenQueries(VecDeque<Hash>);

impl SeenQueries {
    /// False when it was there before.
    fn insert(&mut self, query: Hash) -> bool {
        if self.0.contains(&query) {
            return false;
        }
        if self.0.len() >= MAX_SEEN {
            self.0.pop_front();
        }
        self.0.push_back(query);
        true
    }
}

impl Auditor {
    /// An auditor with these models, which keeps its evidence in `dir`; and the queue that [`Self::run`] works on.
    pub(crate) fn new(
        (node, mesh): (NodeId, MeshId),
        registry: LedgerRegistry,
        models: AuditModels,
        dir: &Path,
    ) -> (Arc<Self>, mpsc::Receiver<AuditCase>) {
        let (queue, cases) = mpsc::channel(MAX_QUEUED_CASES);
        let auditor = Self {
            node,
            mesh,
            registry,
            models,
            rules: AuditRules::default(),
            queue,
            seen: Mutex::default(),
            failed: Mutex::default(),
            log: Mutex::new(EvidenceLog::open(dir)),
            metrics: AuditMetrics::default(),
        };
        (Arc::new(auditor), cases)
    }

    /// Queues a case that another node released.
    pub(crate) fn take(&self, case: AuditCase) -> Result<(), NotAudited> {
        let taken = self.queue_case(case, clock::now());
        self.metrics.case(taken.is_ok());
        taken
    }

    /// Queues some of the answers to this validator's own tasks.
    pub(crate) fn take_own(&self, case: Option<AuditCase>) {
        if rand::random_ratio(1, OWN_SHARE)
            && let Some(case) = case
            && let Err(reason) = self.queue_case(case, clock::now())
        {
            tracing::trace!(%reason, "an answer to a task is not audited");
        }
    }

    fn queue_case(&self, case: AuditCase, now: UnixMillis) -> Result<(), NotAudited> {
        let signed = SignedReceipt::verify(&case.receipt, &self.mesh).map_err(|_| NotAudited::BadReceipt)?;
        self.may_audit(signed.receipt(), now)?;
        let Ok(permit) = self.queue.try_reserve() else { return Err(NotAudited::Busy) };
        // Last, so that a case that was refused for another reason can come again.
        if !self.seen.lock().insert(signed.receipt().query) {
            return Err(NotAudited::Again);
        }
        permit.send(case);
        Ok(())
    }

    fn may_audit(&self, receipt: &Receipt, now: UnixMillis) -> Result<(), NotAudited> {
        let Receipt { netuid, miner, received_at, .. } = receipt;
        let here = *miner != self.node && self.registry.may_validate(&self.node, *netuid);
        if !here || self.registry.registered_at(miner, *netuid).is_none() {
            return Err(NotAudited::NotHere);
        }
        let recent = *received_at <= now.plus(MAX_CLOCK_SKEW) && now.since(*received_at) <= MAX_CASE_AGE;
        if !recent {
            return Err(NotAudited::NotRecent);
        }
        self.models.of(&receipt.identity).map(|_| ()).ok_or(NotAudited::NoModel)
    }

    /// Works on the cases of the queue until `stop`.
    pub(crate) async fn run(self: Arc<Self>, mut cases: mpsc::Receiver<AuditCase>, stop: CancellationToken) {
        while let Some(Some(case)) = stop.run_until_cancelled(cases.recv()).await {
            let this = self.clone();
            // A model computes for longer than a task of the runtime may.
            let audited = tokio::task::spawn_blocking(move || this.audit(case)).await;
            if audited.is_err() {
                tracing::error!("an audit panicked");
            }
        }
    }

    fn audit(&self, case: AuditCase) {
        match Evidence::audit(self.mesh, case, &self.models, &self.rules) {
            Ok(evidence) => {
                self.metrics.audited(&evidence.judgement);
                self.log.lock().count();
                if evidence.judgement.verdict == Verdict::Mismatch {
                    self.mismatch(&evidence);
                }
            }
            Err(error) => {
                self.metrics.undecided();
                self.log.lock().count_undecided();
                let forged = matches!(error, EvidenceError::Case(_));
                tracing::debug!(%error, forged, "an answer was not audited");
            }
        }
    }

    /// An expert's answer is not of the model that it names: it gets nothing for it, and anyone with the model can check why.
    fn mismatch(&self, evidence: &Evidence) {
        let view = match EvidenceView::of(evidence, clock::now()) {
            Ok(view) => view,
            Err(error) => return tracing::error!(%error, "evidence of a mismatch has no document"),
        };
        let (netuid, miner) = (view.summary.netuid, view.summary.miner);
        tracing::warn!(
            %netuid, %miner, expert = %view.summary.expert, query = %view.summary.query,
            judgement = %view.summary.judgement,
            "an answer is not of the model that its receipt names"
        );
        let failed = FailedExpert { miner, expert: view.summary.expert.clone() };
        self.failed.lock().entry(netuid).or_default().push(failed);
        self.log.lock().add(view);
    }

    /// The experts of `netuid` with a mismatch since the last call, once for each.
    pub(crate) fn failed(&self, netuid: Netuid) -> Vec<FailedExpert> {
        self.failed.lock().remove(&netuid).unwrap_or_default()
    }

    /// What was found so far.
    pub(crate) fn page(&self) -> AuditPage {
        self.log.lock().page()
    }

    /// The evidence of a mismatch.
    pub(crate) fn evidence(&self, query: &Hash) -> Option<EvidenceView> {
        self.log.lock().find(query)
    }

    /// What is counted.
    pub(crate) const fn metrics(&self) -> &AuditMetrics {
        &self.metrics
    }
}

#[cfg(test)]
#[cfg(feature = "byte-lm")]
mod tests;
