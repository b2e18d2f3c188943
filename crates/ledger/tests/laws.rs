//! The laws of the ledger, through its public API.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "laws/accounts.rs"]
mod accounts;
#[path = "laws/anchor.rs"]
mod anchor;
#[path = "laws/chain.rs"]
mod chain;
#[path = "laws/equivocation.rs"]
mod equivocation;
#[path = "laws/fees.rs"]
mod fees;
#[path = "laws/lane.rs"]
mod lane;
#[path = "laws/random.rs"]
mod random;
#[path = "laws/rules.rs"]
mod rules;
#[path = "laws/subnets.rs"]
mod subnets;
#[path = "laws/tree.rs"]
mod tree;
#[path = "laws/validators.rs"]
mod validators;
#[path = "laws/weights.rs"]
mod weights;
#[path = "laws/world.rs"]
mod world;
