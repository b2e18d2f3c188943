//! Every wire message, name, domain, topic and bound of a mesh, with frozen fixtures.
//!
//! # Design
//! [`names`], [`topics`], [`protocols`], [`domains`] and [`bounds`] are the five lists: whatever two nodes must agree
//! on before they can talk stands in one of them. The other modules hold the messages. A message type is a plain
//! value with a canonical CBOR form; signed ones have a `Signed*` type that is verified or does not exist.
//!
//! A message that carries a document of consensus or the ledger (a block, a certificate, a record of the state)
//! carries it as bytes, so that this crate knows neither. Messages that *are* such a document (consensus messages,
//! transactions, attestations, submissions) keep their types in those crates; here are their topics, protocols and
//! bounds, and the node asserts at compile time that both agree.
//!
//! # Hazards
//! Everything here is frozen: `fixtures/` holds the bytes of every message, and a test compares the table of all
//! names and bounds. A changed fixture is another protocol and needs another name.

mod answer_bounds;
mod asker;
mod assignment;
mod audit;
pub mod bounds;
pub mod chain;
pub mod clock;
pub mod directory;
pub mod domains;
mod expert;
mod expert_id;
pub mod fair_places;
pub mod faucet;
pub mod forward;
pub mod invite;
pub mod light;
mod live_scores;
mod model_identity;
pub mod names;
pub mod protocols;
pub mod query;
pub mod reach;
mod receipt;
mod record;
mod registry;
mod score;
mod scores_request;
pub mod state_sync;
pub mod submission;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod topics;
mod traffic;

pub use answer_bounds::{AnswerBounds, AnswerMeter, BoundExceeded};
pub use asker::{AskerClass, AskerStanding};
pub use assignment::{
    Assignment, AssignmentError, AssignmentOpening, BATCH_LEAVES, SignedTaskBatch, TaskBatch, TaskTree,
    commitment,
};
pub use audit::{AuditCase, AuditResponse, CaseError, VerifiedCase};
pub use expert::{
    AnswerFields, AnswerRules, ChatMessage, ExpertEvent, ExpertRequest, ExtraFields, FieldError, FieldRules,
    FinishReason, JsonFields, MessageFields, MessageRules, RequestRules, Role, Sampling, Unset, Usage,
    text_of_parts, text_tokens,
};
pub use expert_id::ExpertId;
pub use live_scores::{LiveScore, LiveScores, LiveScoresError, SignedLiveScores};
pub use model_identity::{IdentityText, ModelDigest, ModelIdentity};
pub use receipt::{
    AnswerHasher, Receipt, ReceiptError, ReceiptSampling, SignedReceipt, query_name, request_hash,
};
pub use record::{ExpertRecord, ModelName, RecordError, SignedRecord};
pub use registry::{Neurons, Registry};
pub use score::Score;
pub use scores_request::{ScoresRequest, ScoresResponse};
pub use traffic::{
    COMMON_STOPS, FormCount, PairCount, QueryKind, SignedTrafficStatistics, SizeCount, TrafficError,
    TrafficStatistics,
};

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
