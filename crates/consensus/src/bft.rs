//! Byzantine agreement on one block per height.
//!
//! Validators, weighted by [voting power](crate::checkpoint::ValidatorSet), decide heights one after
//! the other by Tendermint's protocol. As long as less than a third of the power is Byzantine, no
//! two honest nodes decide differently, whatever the network does; and once messages arrive within
//! some bound, every height gets decided. A decision comes with its
//! [`CommitCertificate`](crate::checkpoint::CommitCertificate).
//!
//! # Design
//!
//! The [`Engine`] is a function from [`Input`]s to ordered [`Effect`]s, without clock, randomness,
//! disk or socket. The rounds, locks and thresholds are the Malachite core's, which stays hidden
//! behind our types (`core`). Around it stand
//!
//! * admission: bounds first, one signature check per message, and a [`Refusal`] that names who to
//!   blame;
//! * the [`Signer`], which remembers the highest position it signed at and never goes back;
//! * the write-ahead log ([`WalEntry`]), which brings a restarted engine to the same state;
//! * sending again what may be lost, and two hints that a peer is at another height
//!   ([`Effect::Behind`], [`Refusal::Old`]).
//!
//! Blocks are named by their hash. The node moves their bodies, and asks an [`Application`] to
//! build, check and commit them. A [`Driver`] performs effects in order on a [`Host`].
//!
//! # What the node must do
//!
//! 1. Keep one process per key (an exclusive lock), the signer's record for ever, and the log of the
//!    current height; never let a record be durable before the entries appended before it.
//! 2. Perform effects in order; after a failed [`Effect::Sync`] stop the process.
//! 3. Have a block durable before it says [`Input::Proposed`] or that it is valid, so that a
//!    decided block always exists somewhere; discard bodies that do not hash to the id asked for.
//! 4. Answer [`Effect::Behind`] by fetching certificates from that peer, and [`Refusal::Old`] by
//!    sending the peer the certificate of that height, both at a limited rate. Without the second, a
//!    mesh whose validators change can wait for a message that nobody may send.
//! 5. Commit on [`Effect::Decided`], again if it comes again, and give [`Input::Start`] for the next
//!    height when its block is due.
//!
//! # Hazards
//!
//! The core is unaudited; `simulation` (behind the feature of that name) is where it is tried. The
//! order of proposers is public, so they can be attacked in time. A record that is older than the
//! key's signatures is only noticed if the network shows one of them ([`Signer`]).

mod application;
mod core;
mod driver;
mod effect;
mod engine;
mod input;
mod justification;
mod message;
mod proposer;
mod refusal;
mod signer;
#[cfg(feature = "simulation")]
pub mod simulation;
mod statement;
mod timer;
mod vote;
mod wal;

pub use application::{Application, Block, CommitFailed};
pub use driver::{Driver, DriverError, Host};
pub use effect::{Candidate, Effect, Equivocation};
pub use engine::{Config, Engine, EngineError, ROUNDS_AHEAD};
pub use input::Input;
pub use justification::{PolkaCertificate, RoundCertificate, RoundReason, RoundVote};
pub use message::{MAX_MESSAGE_LEN, MAX_STATEMENT_MESSAGE_LEN, Message};
pub use refusal::Refusal;
pub use signer::{Mark, Placed, Position, SignRefusal, Signer, SignerRecord, Step, Witness};
pub use statement::{MAX_STATEMENT_LEN, Signed, Statement};
pub use timer::{Timeouts, Timer, TimerKind};
pub use vote::{MAX_ROUND, Proposal, Round, SignedProposal, SignedVote, Vote, VoteKind};
pub use wal::{Verdict, WalEntry};
