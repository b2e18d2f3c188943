//! The contract as this crate calls it, made from its source; its compiled form is part of the program.

// The Solidity source has the documentation.
#![allow(missing_docs, unreachable_pub, clippy::all)]

use alloy::sol;

sol!("../../contracts/CheckpointAnchor.sol");
