//! The anchor on an EVM chain: `contracts/CheckpointAnchor.sol` and the client that submits to it.
//!
//! [`EvmAnchor`] implements [`Anchor`](nervure_anchor::Anchor). The node that runs it is only a
//! messenger: the contract checks the quorum, so a validator that submits can neither forge a checkpoint nor
//! hold one back that another validator submits.
//!
//! **The endpoint is hostile.** Its answers are bounded in size and time ([`EvmConfig`]). The chain's id and the
//! contract's code have to match. A transaction's hash is computed here. Stored checkpoints are read back from
//! the state of the contract, at a depth that a reorganisation is not expected to reach, and from every other
//! configured endpoint. Without following the chain one lie cannot be detected: a single endpoint that invents
//! everything. A mesh that relies on these reads configures several endpoints of different operators.
//!
//! It is a separate crate because its dependencies (alloy) take longer to build than a core crate, and only the
//! node needs it.

mod anchor;
pub mod anvil;
mod artefact;
mod config;
mod contract;
mod convert;
mod deploy;
mod read;
mod rpc;
mod send;
mod submit;
mod transport;

pub use anchor::EvmAnchor;
pub use config::{EvmConfig, Finality, Limits};
pub use deploy::{DeployedContract, Deployment, deploy};
pub use read::NeuronProof;
pub use rpc::RpcError;
pub use send::Account;

#[doc(hidden)]
pub mod testing;

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
