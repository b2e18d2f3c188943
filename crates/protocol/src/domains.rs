//! What signatures and hashes of this crate's messages are for.
//!
//! A signature covers its [`Domain`], so that a statement of one kind cannot be replayed as another. The domains of
//! transactions (`nervure/transaction/1`, `nervure/node-consent/1`) stand in the ledger, those of votes and proposals
//! (`nervure/vote/1`, `nervure/proposal/1`) in consensus; `docs/protocol.md` lists all.

use nervure_primitives::Domain;

/// Signature of an expert record.
pub const EXPERT_RECORD: Domain = Domain::new("nervure/expert/1");
/// Signature of an assignment.
pub const ASSIGNMENT: Domain = Domain::new("nervure/assignment/1");
/// Signature of a receipt.
pub const RECEIPT: Domain = Domain::new("nervure/receipt/1");
/// Signature of live scores. The name is that of an earlier version: it is on the wire and cannot change.
pub const LIVE_SCORES: Domain = Domain::new("nervure/interim-scores/1");

/// Hash that commits to a task's requests.
pub const TASK: &str = "nervure/task";
/// Hash of a query's request.
pub const REQUEST: &str = "nervure/request";
/// Hash of a query's answer.
pub const ANSWER: &str = "nervure/answer";
/// Hash by which a node's experts fall into a directory shard.
pub const DIRECTORY_SHARD: &str = "nervure/directory/shard";
/// Hash that is a key of the directory.
pub const DIRECTORY_KEY: &str = "nervure/directory/key";
/// Hash that identifies one incarnation of a node.
pub const INCARNATION: &str = "nervure/incarnation";
/// Hash that identifies a gossip message.
pub const GOSSIP_MESSAGE: &str = "nervure/gossip";
/// What a node signs to make the key of its QUIC stateless resets; the signature stays on the node.
pub const QUERY_RESET_SECRET: &[u8] = b"nervure/query/reset/1";
/// Hash of that signature: the key of the stateless resets.
pub const QUERY_RESET: &str = "nervure/query/reset";
