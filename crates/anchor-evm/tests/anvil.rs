//! The contract and its client on a real chain (anvil), and against endpoints that lie.
//!
//! Needs node and npm, which install anvil and the compiler once into the build directory; where they are missing,
//! each test says SKIPPED. `NERVURE_ANVIL` names another binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[path = "anvil/broken.rs"]
mod broken;
#[path = "anvil/chain.rs"]
mod chain;
#[path = "anvil/keep.rs"]
mod keep;
#[path = "anvil/lies.rs"]
mod lies;
#[path = "anvil/mesh.rs"]
mod mesh;
#[path = "anvil/neuron.rs"]
mod neuron;
#[path = "anvil/outage.rs"]
mod outage;
#[path = "anvil/same_rules.rs"]
mod same_rules;
#[path = "anvil/tools.rs"]
mod tools;
