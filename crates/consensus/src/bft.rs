//! Byzantine agreement on one block per height.

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

pub use application::{Application, Block};
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
