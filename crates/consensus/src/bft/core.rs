//! The agreement core, behind types of our own.
//!
//! The state machine of Tendermint consensus (round steps, locking, thresholds, evidence) is the
//! Malachite core, pinned exactly. It is generic over a *context*: [`context`] gives it ours, and
//! [`convert`] turns our messages into its own and back. Nothing of it is visible outside `bft`.
//!
//! Hazards that the engine answers for: the core multiplies powers by three and aborts on
//! overflow (a validator set bounds its total), counts rounds without an upper end
//! ([`MAX_ROUND`](super::MAX_ROUND)), queues messages of future heights by arrival order (it is
//! never given any), and believes the answers to its questions about signatures. It notes the
//! time at which a height starts, but only for a target time, which it is never given.

mod context;
mod convert;

pub(super) use arc_malachitebft_core_consensus::{
    ConsensusMsg, Effect, Error, Input, LivenessMsg, LocallyProposedValue, MisbehaviorEvidence, Params,
    PeerId, ProposedValue, Resumable, Resume, SignedConsensusMsg, State, ThresholdParams, ValuePayload,
    process,
};
pub(super) use arc_malachitebft_core_types::{
    CommitCertificate, Round, SignedMessage, SignedProposal, SignedVote, ThresholdParam, Timeout,
    TimeoutKind, Validity, ValueOrigin, ValueResponse, VoteExtensionPolicy,
};
pub(super) use context::{Agreement, Block, CoreProposal, CoreVote, Height, Member, Members, Sig};
pub(super) use convert::*;
