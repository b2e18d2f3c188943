//! Attacks on the ledger, each with the variant that lacks the defence.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "attacks/dust_validators.rs"]
mod dust_validators;
#[path = "attacks/equivocator.rs"]
mod equivocator;
#[path = "attacks/staked_miner.rs"]
mod staked_miner;
