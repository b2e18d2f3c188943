//! What a node can do for whoever talks to it: the seam between the HTTP API and the running node.
//!
//! The gateway knows [`MeshService`] and nothing below it: no swarm, no index, no query client. The
//! runtime implements the trait; tests implement it with a double. Data that goes out over HTTP
//! ([`view`]) is both `Serialize` and `Deserialize`, so that the command line decodes with the very types that the
//! node encoded with.
//!
//! Two rules bind an implementation. *Dropping cancels*: dropping the future of [`MeshService::ask`], or the
//! [`Answer`] that it gave, frees the expert at once. *An answer ends with a word*: `events` yields
//! [`ExpertEvent::Done`] or an error last; a stream that just stops is taken for an interruption.

mod error;
mod ledger;
mod refused;
mod strategy;
mod view;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::{future::BoxFuture, stream::BoxStream};
use nervure_experts::{ExpertEvent, ExpertRequest};
use nervure_primitives::{Amount, Capability, Envelope, Hash, NodeId};
use nervure_subnet::Policy;
use serde::{Deserialize, Serialize};

pub(crate) use error::{AskError, Attempt};
pub(crate) use ledger::{
    AnchoredView, CheckpointPage, CheckpointRow, CheckpointView, EpochView, FactView, LedgerReader,
    NeuronView, NodeView, SubmissionView, SubnetDetail, SubnetPage, SubnetView,
};
pub(crate) use strategy::Strategy;
pub(crate) use view::{
    AccountView, AnchorStatus, CapabilityCount, Catalog, ChainStatus, Ending, ExpertView, FindPage,
    FindRequest, ModelView, NodeStatus, ParticipantView, PeerView, ReceiptView, RouteView, SuccessionView,
    TransactionState, TransactionView,
};

/// Whom a question is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// Any expert whose capability this one covers.
    Capability(Capability),
    /// An expert that serves the model of this name.
    Model(String),
    /// Either, as in the `model` field of the OpenAI API: a model where one is known under that name,
    /// else a capability, else [`AskError::UnknownModel`]. See [`Target::resolve`].
    Named(String),
}

impl Target {
    /// Settles [`Target::Named`] with what is known now; the other two stay as they are.
    pub(crate) fn resolve(self, knows_model: impl Fn(&str) -> bool) -> Result<Self, AskError> {
        let Self::Named(name) = self else { return Ok(self) };
        if knows_model(&name) {
            return Ok(Self::Model(name));
        }
        match Capability::new(&name) {
            Ok(capability) => Ok(Self::Capability(capability)),
            Err(_) => Err(AskError::UnknownModel { model: name, known: Vec::new() }),
        }
    }
}

/// One question to the mesh.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// Whom it is for.
    pub target: Target,
    /// What the expert is asked.
    pub request: ExpertRequest,
    /// How many experts are asked at once.
    pub strategy: Strategy,
    /// What counts when they are chosen.
    pub policy: Policy,
    /// The most that the asker pays; zero means free experts only.
    pub budget: Amount,
    /// How long the whole answer may take.
    pub deadline: Duration,
    /// Whether [`RouteView::detail`] is wanted; it costs an allocation per candidate.
    pub explain: bool,
    /// Whether [`Ending::receipts`] are wanted; each costs the check of a signature.
    pub receipt: bool,
    /// A filter over record fields, such as `context >= 4096 and price <= 5`.
    pub filter: Option<String>,
}

/// An expert that has begun to answer. Dropping it cancels the query.
pub(crate) struct Answer {
    /// How the expert was chosen.
    pub route: RouteView,
    /// Who answers; of several who do together, the one that counts most.
    pub expert: ExpertView,
    /// The answer as it comes; [`ExpertEvent::Done`] or an error is the last item.
    pub events: BoxStream<'static, Result<ExpertEvent, AskError>>,
    /// What is known in the end only: there before [`ExpertEvent::Done`] is, where there is something to say.
    pub ending: Arc<OnceLock<Ending>>,
}

/// What every node offers to its HTTP API.
pub(crate) trait MeshService: Send + Sync + 'static {
    /// Finds an expert and asks it. Ready as soon as one has begun to answer: until then the implementation may
    /// fail over to the next, after that the answer is bound to its expert.
    fn ask(&self, ask: Ask) -> BoxFuture<'_, Result<Answer, AskError>>;

    /// A page of the expert records that this node knows.
    fn experts(&self, find: FindRequest) -> BoxFuture<'_, Result<FindPage, AskError>>;

    /// The models and capabilities that this node knows now, each once, in order of name.
    fn catalog(&self) -> BoxFuture<'_, Catalog>;

    /// The state of the node.
    fn status(&self) -> BoxFuture<'_, NodeStatus>;

    /// What an owner key holds.
    fn account(&self, owner: NodeId) -> BoxFuture<'_, Result<AccountView, AskError>>;

    /// Hands in a signed transaction; with `dry_run`, only says what it would do.
    fn submit(&self, envelope: Envelope, dry_run: bool) -> BoxFuture<'_, Result<TransactionView, AskError>>;

    /// What became of a transaction.
    fn transaction(&self, id: Hash) -> BoxFuture<'_, Result<TransactionView, AskError>>;

    /// What it tells about the ledger.
    fn ledger(&self) -> &dyn LedgerReader;

    /// The nodes that this one is connected to.
    fn peers(&self) -> BoxFuture<'_, Vec<PeerView>>;

    /// The node's metrics in the OpenMetrics text format, with or without the closing `# EOF`.
    fn metrics(&self) -> BoxFuture<'_, String>;
}

/// A shared service, as the gateway holds it.
pub(crate) type SharedService = Arc<dyn MeshService>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_model_first_and_a_capability_second() {
        let knows = |name: &str| name == "gpt-4" || name == "llama3:8b";
        let named = |name: &str| Target::Named(name.into()).resolve(knows);
        assert_eq!(named("gpt-4"), Ok(Target::Model("gpt-4".into())), "though it reads as a capability");
        assert_eq!(named("text.generate"), Ok(Target::Capability("text.generate".parse().unwrap())));
        assert!(matches!(named("Llama 9"), Err(AskError::UnknownModel { .. })));
    }
}
