//! The anchor on an EVM chain: `contracts/CheckpointAnchor.sol` and the client that submits to it.
//!
//! [`EvmAnchor`] implements [`Anchor`](nervure_anchor::Anchor). Whoever runs it is only a messenger: the
//! contract checks the quorum, so a validator that submits can neither forge a checkpoint nor hold one back
//! that another one submits.
//!
//! **The endpoint is hostile.** What it answers is bounded in size and time ([`EvmConfig`]); it is asked for the
//! chain's id and the contract's code, which have to be ours; a transaction's hash is computed here; what it says
//! is kept is read back from the state of the contract, at a depth that a reorganisation is not expected to reach,
//! and from every other endpoint that is configured. What cannot be checked without following the chain: an
//! endpoint that invents all of it, alone. A mesh that relies on what it reads configures several of
//! different operators.
//!
//! It is a crate of its own, because its dependencies (alloy) take longer to build than all of a core
//! crate, and nothing but the node needs it.

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
pub use deploy::{Deployed, Deployment, deploy};
pub use read::NeuronProof;
pub use rpc::RpcError;
pub use send::Account;

#[doc(hidden)]
pub mod testing;
