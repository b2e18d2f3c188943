//! The agreement core, behind our own types.
//!
//! The state machine of Tendermint consensus (round steps, locking, thresholds, evidence) is the
//! Malachite core, pinned to an exact version. It is generic over a *context*: [`context`] defines
//! ours, and [`convert`] translates messages. None of its types are visible outside `bft`.
//!
//! Hazards that the engine prevents: the core multiplies powers by three and aborts on overflow (a
//! validator set bounds its total), counts rounds without a limit ([`MAX_ROUND`](super::MAX_ROUND)),
//! queues messages of future heights by arrival order (the engine feeds none), and trusts the answers
//! to its questions about signatures. It reads the clock when a height starts, but uses the time only
//! with a target time, which the engine never sets.

mod context;
mod convert;
mod round;

pub(super) use arc_malachitebft_core_consensus::{
    ConsensusMsg, Effect, Error, Input, LivenessMsg, LocallyProposedValue, MisbehaviorEvidence, Params,
    PeerId, ProposedValue, Resumable, Resume, SignedConsensusMsg, State, ThresholdParams, ValuePayload,
    process,
};
pub(super) use arc_malachitebft_core_types::{
    CommitCertificate, Round, SignedMessage, SignedProposal, SignedVote, ThresholdParam, Timeout,
    TimeoutKind, Validity, ValueOrigin, ValueResponse, VoteExtensionPolicy,
};
pub(super) use context::{
    BftContext, Block, CoreAddress, CoreProposal, CoreSignature, CoreValidatorSet, CoreVote, Height,
};
pub(super) use convert::*;
pub(super) use round::{core_round, round_of};
