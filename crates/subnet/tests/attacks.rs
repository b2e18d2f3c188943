//! Attacks on scoring and routing, each run twice: with the defence and without it.
//!
//! A test here passes when the attack fails against the defence *and* succeeds without it: a test that cannot fail
//! proves nothing. That a minority of the stake cannot lift its miner is a law of Yuma consensus, and tested in the
//! same way in `crates/consensus/tests/laws.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail where it stands")]

#[path = "attacks/assignment_forgery.rs"]
mod assignment_forgery;
#[path = "attacks/built_in.rs"]
mod built_in;
#[path = "attacks/capability_liar.rs"]
mod capability_liar;
#[path = "attacks/early_praise.rs"]
mod early_praise;
#[path = "attacks/economy.rs"]
mod economy;
#[path = "attacks/kit.rs"]
mod kit;
#[path = "attacks/kit/oracle.rs"]
mod oracle;
#[path = "attacks/preference.rs"]
mod preference;
#[path = "attacks/receipt_replay.rs"]
mod receipt_replay;
#[path = "attacks/relayed_seed.rs"]
mod relayed_seed;
#[path = "attacks/relaying_miner.rs"]
mod relaying_miner;
#[path = "attacks/revealers.rs"]
mod revealers;
#[path = "attacks/score_oracle.rs"]
mod score_oracle;
#[path = "attacks/score_spam.rs"]
mod score_spam;
#[path = "attacks/second_expert.rs"]
mod second_expert;
#[path = "attacks/task_detector.rs"]
mod task_detector;
#[path = "attacks/weight_copier.rs"]
mod weight_copier;
#[path = "attacks/world.rs"]
mod world;
