//! What signatures and hashes of this crate's messages are for.
//!
//! A signature covers its [`Domain`], so that a statement of one kind cannot be replayed as another. The domains of
//! transactions (`nervure/transaction/1`, `nervure/node-consent/1`, `nervure/owner-consent/1`) stand in the ledger, those of
//! votes and proposals (`nervure/vote/1`, `nervure/proposal/1`) in consensus; `docs/protocol.md` lists all.

use nervure_primitives::Domain;

/// Signature of an expert record.
pub const EXPERT_RECORD: Domain = Domain::new("nervure/expert/2");
/// Signature of a batch of tasks.
pub const TASK_BATCH: Domain = Domain::new("nervure/task-batch/1");
/// Signature of a gateway's traffic statistics.
pub const TRAFFIC: Domain = Domain::new("nervure/traffic/2");
/// Signature of a receipt.
pub const RECEIPT: Domain = Domain::new("nervure/receipt/2");
/// Signature of live scores. Until they were about experts they were about neurons, in `nervure/interim-scores/1`.
pub const LIVE_SCORES: Domain = Domain::new("nervure/expert-scores/1");

/// Hash that identifies an expert, to which scores are bound.
pub const SCORED_EXPERT: &str = "nervure/scored-expert/2";
/// Signature of an invite.
pub const INVITE: Domain = Domain::new("nervure/invite/1");

/// Hash of a claim to a faucet: the work for it.
pub const FAUCET_WORK: &str = "nervure/faucet/1";
/// Hash of what an invite says about a mesh spec beside the mesh id.
pub const INVITE_RULES: &str = "nervure/invite/rules";
/// Hash that commits to a task's requests.
pub const TASK: &str = "nervure/task";
/// Hash of an assignment with its salt: a leaf of a batch.
pub const TASK_LEAF: &str = "nervure/task/leaf";
/// Hash of two nodes of a batch's tree.
pub const TASK_NODE: &str = "nervure/task/node";
/// Hash of a query's request.
pub const REQUEST: &str = "nervure/request";
/// Hash of a query's answer.
pub const ANSWER: &str = "nervure/answer/2";
/// Hash of the text in a query's answer.
pub const ANSWER_TEXT: &str = "nervure/answer/text";
/// Hash of the vectors and distributions in a query's answer.
pub const ANSWER_NUMBERS: &str = "nervure/answer/numbers";
/// Hash that names a query.
pub const QUERY: &str = "nervure/query";
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
