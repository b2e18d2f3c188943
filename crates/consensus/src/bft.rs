//! Byzantine agreement on one block per height.
//!
//! Validators, weighted by [voting power](crate::checkpoint::ValidatorSet), decide one height after
//! the other by the Tendermint protocol (Buchman, Kwon and Milosevic, 2018). While less than a third
//! of the power is Byzantine, no two honest nodes decide differently, whatever the network does; and
//! once messages arrive within some bound, every height is decided. A decision comes with its
//! [`CommitCertificate`](crate::checkpoint::CommitCertificate).
//!
//! # Design
//!
//! The [`Engine`] is a function from [`Input`]s to ordered [`Effect`]s, without clock, randomness,
//! disk or socket. Rounds, locks and thresholds are those of the Malachite core, which is hidden
//! behind our types (`core`). The engine adds
//!
//! * checks of messages: bounds first, then one signature verification per message, and a
//!   [`MessageError`] that says whether the sender is to blame;
//! * the [`Signer`], which keeps the highest position that it signed at and never signs below it;
//! * the write-ahead log ([`WalEntry`]), which brings a restarted engine to the same state;
//! * rebroadcasts of what may be lost, and two hints that a peer is at another height
//!   ([`Effect::Behind`], [`MessageError::OldHeight`]).
//!
//! Blocks are named by their hash. The node transfers their bodies, and asks an [`Application`] to
//! build, validate and commit them. A [`Driver`] performs effects in order on a [`Host`].
//!
//! # What the node must do
//!
//! 1. Run one process per key (an exclusive lock). Keep the signer's record for ever, and the log of
//!    the current height; never make a record durable before the entries appended before it.
//! 2. Perform effects in order; after a failed [`Effect::Sync`] stop the process.
//! 3. Make a block durable before [`Input::Proposed`] and before [`Input::Validated`] calls it valid,
//!    so that a decided block always exists somewhere; discard bodies that do not hash to their id.
//! 4. Answer [`Effect::Behind`] by fetching certificates from that peer, and [`MessageError::OldHeight`] by
//!    sending the peer the certificate of that height, both at a limited rate. Without the second, a
//!    mesh whose validators change can wait for a message that no validator may send.
//! 5. Commit on [`Effect::Decided`], also when it repeats, and send [`Input::Start`] for the next
//!    height when its block is due.
//!
//! # Hazards
//!
//! The core is unaudited; `simulation` (behind the feature of that name) tests it under faults. The
//! order of proposers is public, so a proposer can be attacked in its turn. A record that is older than
//! the key's signatures is only noticed if a peer shows one of them ([`Signer`]).

mod application;
mod core;
mod driver;
mod effect;
mod engine;
mod input;
mod justification;
mod message;
mod message_error;
mod proposer;
mod signer;
#[cfg(feature = "simulation")]
pub mod simulation;
mod timer;
mod wal;

pub use application::{Application, Block, BlockStamp, CommitError, Turn};
pub use driver::{Driver, DriverError, Host};
pub use effect::{Candidate, Effect};
pub use engine::{Config, Engine, EngineError, MAX_ROUNDS_AHEAD};
pub use input::Input;
pub use justification::{PolkaCertificate, RoundCertificate, RoundReason, RoundVote};
pub use message::{MAX_MESSAGE_BYTES, MAX_STATEMENT_MESSAGE_BYTES, Message};
pub use message_error::MessageError;
pub use signer::{HighWaterMark, OwnSignatureCheck, SignError, Signer, SignerRecord};
pub use timer::{Timeouts, Timer, TimerKind};
pub use wal::{Verdict, WalEntry};

pub use crate::statement::{
    Equivocation, EquivocationError, MAX_EQUIVOCATION_BYTES, MAX_ROUND, MAX_STATEMENT_BYTES, Position,
    Proposal, Round, SignedProposal, SignedStatement, SignedVote, Statement, Step, Vote, VoteKind,
};
pub use crate::synchrony::Synchrony;
