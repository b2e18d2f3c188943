//! The contract as this crate calls it, made from its source; its compiled form is part of the program.

// What the macro makes of the source is documented there.
#![allow(missing_docs, unreachable_pub, clippy::all)]

use alloy::sol;

sol!("../../contracts/CheckpointAnchor.sol");
