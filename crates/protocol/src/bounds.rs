//! Bounds that all nodes share, in bytes unless the name says otherwise.
//!
//! A receiver checks a length before it reads or decodes, so a sender that goes beyond is refused and not
//! understood. A larger bound is therefore another protocol, as much as another field is.

use std::time::Duration;

/// Bytes of text in one expert request, all its parts together.
pub const MAX_TEXT: usize = 256 * 1024;
/// A filter over expert records.
pub const MAX_FILTER: usize = 512;
/// Messages of one chat.
pub const MAX_MESSAGES: usize = 256;
/// Inputs of one embedding request.
pub const MAX_INPUTS: usize = 128;
/// Stop strings of one request.
pub const MAX_STOPS: usize = 4;
/// Longest stop string.
pub const MAX_STOP_LEN: usize = 64;
/// Further fields of a request, as JSON.
pub const MAX_EXTRA: usize = 64 * 1024;
/// Names of these fields.
pub const MAX_EXTRA_FIELDS: usize = 64;
/// Levels of arrays and objects in the value of each.
pub const MAX_EXTRA_DEPTH: usize = 32;
/// Tokens that one request may ask for; a model may give fewer.
pub const MAX_TOKENS: u32 = 1 << 20;
/// Highest temperature, in thousandths.
pub const MAX_TEMPERATURE_MILLI: u32 = 5000;

/// Body of an open frame: the bound on text, and room for the other fields.
pub const MAX_REQUEST_BODY: usize = 512 * 1024;
/// Event in a chunk: an embedding of 16,384 dimensions at nine bytes each, and its header.
pub const MAX_EVENT: usize = 160 * 1024;

/// How often a question may be passed on from one server to the next: a gateway of another mesh as an upstream is one, and
/// each gateway on the way may be the upstream of a miner again.
pub const MAX_HOPS: u8 = 4;

/// Open frame of a query: the largest request and its terms.
pub const MAX_OPEN: usize = 640 * 1024;
/// Chunk frame.
pub const MAX_CHUNK: usize = 256 * 1024;
/// End or error frame.
pub const MAX_CLOSING: usize = 2 * 1024;
/// Message in an error frame; a longer one is cut before it is sent, and refused when it arrives.
pub const MAX_ERROR_MESSAGE: usize = 512;

/// Expert record, without its signature.
pub const MAX_RECORD_LEN: usize = 1536;
/// Longest time from an expert record's issue to its expiry.
pub const MAX_RECORD_LIFETIME: Duration = Duration::from_secs(3600);
/// Addresses in an expert record.
pub const MAX_ADDRESSES: usize = 4;
/// Relays in an expert record.
pub const MAX_RELAYS: usize = 3;
/// Name of an expert.
pub const MAX_EXPERT_LEN: usize = 32;
/// Name of a model.
pub const MAX_MODEL_LEN: usize = 128;
/// Digest of a model's weights.
pub const MAX_DIGEST_LEN: usize = 96;
/// Each other part of a model's identity.
pub const MAX_IDENTITY_LEN: usize = 48;

/// Batch of tasks, without its signature.
pub const MAX_TASK_BATCH_LEN: usize = 512;
/// Longest time from a batch's issue to the opening of its assignments.
pub const MAX_BATCH_TIME: Duration = Duration::from_secs(3600);
/// Opening of an assignment.
pub const MAX_ASSIGNMENT_LEN: usize = 4096;
/// Miners of one task.
pub const MAX_MINERS: usize = 64;
/// Longest time that a task may take.
pub const MAX_TASK_TIME: Duration = Duration::from_secs(600);

/// Traffic statistics of one gateway, without their signature.
pub const MAX_TRAFFIC_LEN: usize = 24 << 10;
/// Rows of their table of settings, and of that of lengths.
pub const MAX_TRAFFIC_ROWS: usize = 128;
/// Rows of their table of settings and lengths together.
pub const MAX_TRAFFIC_PAIRS: usize = 512;
/// Age from which they no longer count.
pub const MAX_TRAFFIC_AGE: Duration = Duration::from_secs(24 * 3600);

/// Receipt, without its signature.
pub const MAX_RECEIPT_LEN: usize = 1024;
/// Longest time that a receipt may claim for an answer, in milliseconds: as long as a query may take.
pub const MAX_ANSWER_MS: u32 = 600_000;

/// Question, answer and receipt that are released to a validator. Longer ones are not audited.
pub const MAX_AUDIT: usize = 384 << 10;
/// Answer that a gateway forwards: the vectors of an embedding task of large models.
pub const MAX_FORWARDED: usize = 2 << 20;

/// Live scores of one validator, without their signature.
pub const MAX_LIVE_SCORES_LEN: usize = 48 << 10;
/// Scores in one message: four experts for each of the 256 slots of a subnet.
pub const MAX_SCORES: usize = 1024;
/// Validators' live scores in one response.
pub const MAX_SCORES_PAGE: usize = 4;
/// Age from which live scores no longer count.
pub const MAX_SCORES_AGE: Duration = Duration::from_secs(3600);

/// How far ahead of the receiver's clock a signed message may be issued.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(30);

/// What an envelope adds to a record, an assignment or live scores: signature, signer and field names, rounded up.
pub const ENVELOPE_OVERHEAD: usize = 256;

/// Records in one request to publish.
pub const MAX_PUBLISH: usize = 32;
/// Records in one page; their bytes bound it as well.
pub const MAX_PAGE: usize = 256;
/// Reason of a directory that refuses a request; as a message in an error frame.
pub const MAX_REFUSAL: usize = 200;

/// Message of the consensus engine: 64 validators' votes as one certificate.
pub const MAX_CONSENSUS_MESSAGE: usize = 64 * 168 + 128;
/// Counter before a consensus message; see [`crate::chain::frame_consensus`].
pub const CONSENSUS_COUNTER: usize = 2;
/// Transaction in its envelope.
pub const MAX_TRANSACTION: usize = 8 * 1024 + 160;
/// Announcement of a block; of a larger block only the height is announced.
pub const MAX_BLOCK_ANNOUNCEMENT: usize = 256 * 1024;
/// Block.
pub const MAX_BLOCK: usize = 4 << 20;
/// Blocks in one response.
pub const MAX_BLOCKS: u16 = 500;

/// Records in a page of the state, before the last one that goes over.
pub const STATE_PAGE: usize = 512 << 10;
/// One record of the state.
pub const MAX_STATE_RECORD: usize = 96 * 1024;

/// Invite, without its signature.
pub const MAX_INVITE_LEN: usize = 2048;
/// Seeds of an invite.
pub const MAX_SEEDS: usize = 8;
/// Multiaddress of a seed.
pub const MAX_SEED_LEN: usize = 160;

/// Addresses of a node that another one is asked to reach.
pub const MAX_REACH_ADDRESSES: usize = 2;
/// Name of the program in a report on reachability.
pub const MAX_AGENT_LEN: usize = 64;

/// Keys in one request for records with proofs.
pub const MAX_LIGHT_KEYS: usize = 32;
/// Longest text of a key of a record.
pub const MAX_LIGHT_KEY: usize = 200;
/// Nodes in one request for neurons.
pub const MAX_LIGHT_SLOTS: usize = 128;
/// Keys in one response.
pub const MAX_LIGHT_HINTS: usize = 2048;
/// Records with proofs in one response, before the last one that goes over.
pub const LIGHT_PAGE: usize = 256 << 10;
/// The largest parts of one response: an epoch's proof and a checkpoint.
pub const MAX_LIGHT_RESPONSE: usize = (2 << 20) - 1024;

/// Attestation of a checkpoint.
pub const MAX_ATTESTATION: usize = 160;
/// Checkpoint with the attestations of its quorum.
pub const MAX_SUBMISSION: usize = (256 * 56 + 256) + 64 * (34 + 66) + 64;
/// Submissions in one response.
pub const MAX_SUBMISSIONS: usize = 64;
