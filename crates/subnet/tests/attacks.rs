//! Attacks on scoring and routing, each played twice: against the defence, and against nothing.
//!
//! A test here holds when the attack fails against the defence *and* succeeds without it: a test that nothing can
//! fail proves nothing.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "attacks/assignment_forgery.rs"]
mod assignment_forgery;
#[path = "attacks/capability_liar.rs"]
mod capability_liar;
#[path = "attacks/receipt_replay.rs"]
mod receipt_replay;
#[path = "attacks/relaying_miner.rs"]
mod relaying_miner;
#[path = "attacks/score_spam.rs"]
mod score_spam;
#[path = "attacks/world.rs"]
mod world;
