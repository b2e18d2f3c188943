//! The seam between the HTTP API and the running node.
//!
//! The gateway knows [`MeshService`] and nothing below it. A node implements the trait; tests implement it with a mock.
//!
//! The query's deadline and the size of its answer are enforced by the caller ([`nervure_api::ask_within_bounds`]).
//! Two rules bind an implementation. *Dropping cancels*: dropping the future of [`MeshService::ask`], or the
//! [`AnswerStream`] that it returned, frees the expert at once. *An answer has an explicit end*: `events` yields
//! `ExpertEvent::Done` or an error last; a stream that just stops counts as interrupted.

mod ledger;

use std::sync::Arc;

use futures::future::BoxFuture;
use nervure_api::{
    AccountView, AnswerStream, AuditPage, Catalog, EvidenceView, ExpertPage, ExpertSearch, NodeStatus,
    PeerReachView, PeerView, Query, ServiceError, TransactionView,
};
use nervure_primitives::{Envelope, Hash, NodeId};

pub use ledger::LedgerReader;

/// The node behind an HTTP API.
pub trait MeshService: Send + Sync + 'static {
    /// Finds an expert and asks it. Ready as soon as one has begun to answer: until then the implementation may
    /// fail over to the next; after that the answer is bound to its expert.
    fn ask(&self, query: Query) -> BoxFuture<'_, Result<AnswerStream, ServiceError>>;

    /// A page of the expert records that this node knows.
    fn experts(&self, search: ExpertSearch) -> BoxFuture<'_, Result<ExpertPage, ServiceError>>;

    /// The models and capabilities that this node knows now, each once, in order of name.
    fn catalog(&self) -> BoxFuture<'_, Catalog>;

    /// The state of the node.
    fn status(&self) -> BoxFuture<'_, NodeStatus>;

    /// The account of an owner key.
    fn account(&self, owner: NodeId) -> BoxFuture<'_, Result<AccountView, ServiceError>>;

    /// Submits a signed transaction; with `dry_run`, checks it only.
    fn submit(
        &self,
        envelope: Envelope,
        dry_run: bool,
    ) -> BoxFuture<'_, Result<TransactionView, ServiceError>>;

    /// The state of a transaction.
    fn transaction(&self, id: Hash) -> BoxFuture<'_, Result<TransactionView, ServiceError>>;

    /// What this node's audits found; nothing for a node that audits none.
    fn audits(&self) -> AuditPage {
        AuditPage::default()
    }

    /// The evidence of a mismatch, by the name of its query.
    fn evidence(&self, query: &Hash) -> Option<EvidenceView> {
        let _ = query;
        None
    }

    /// Answers a client without a state, over HTTP as over the swarm.
    fn light(&self, call: LightCall) -> BoxFuture<'_, Result<Vec<u8>, ServiceError>>;

    /// Read access to this node's ledger.
    fn ledger(&self) -> &dyn LedgerReader;

    /// The nodes that this one is connected to.
    fn peers(&self) -> BoxFuture<'_, Vec<PeerView>>;

    /// How this node and `peer` reach each other.
    fn peer_reach(&self, peer: NodeId) -> BoxFuture<'_, PeerReachView>;

    /// The node's metrics in the OpenMetrics text format; those of [`HttpMetrics`](crate::HttpMetrics) are among them.
    fn metrics(&self) -> String;
}

/// What a client without a state asks, encoded as on the swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LightCall {
    /// A request of `light/1`.
    Proof(Vec<u8>),
    /// A request of `transactions/1`.
    Transaction(Vec<u8>),
}

/// A shared service, as the gateway holds it.
pub type SharedService = Arc<dyn MeshService>;
