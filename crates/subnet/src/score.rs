//! Scores: what answers were worth, what miners are worth, and what of that goes onto the ledger.
//!
//! # Design
//! [`judge`] scores one task's answers and lets look-alikes share one reward. A [`Scoreboard`] keeps the running
//! average of every neuron and makes the validator's weights of it. Between two epochs, [`LiveScores`] tell others
//! what a validator thinks so far; an [`LiveScoreBook`] makes one opinion of many, by stake.
//!
//! Everything is bound to a [`Registration`](crate::Registration): who registers again inherits nothing. Everything
//! is an integer: the same scores make the same weights on every machine.
//!
//! # What a hostile node can do
//! * *Answer for two*: look-alikes share a reward, see [`judge`]; what they lose of it is no measure of how good they
//!   are, so that nobody loses questions by being copied.
//! * *Spam scores*: only validators' are taken, one message of each is kept, and it is bounded.
//! * *Praise its own*: the median by stake moves only within what honest validators say, while they have half the
//!   stake.

mod board;
mod book;
mod judge;
mod median;
mod weights;

pub use board::{MAX_NEURONS, RuleError, Scoreboard, ScoringRules, Standing, StateError};
pub use book::{LiveScoreBook, MAX_VALIDATORS, Opinion};
pub use judge::{Judged, Mark, judge};
pub(crate) use median::median;
// For the crates that do not name nervure_protocol yet.
pub use nervure_protocol::{
    LiveScore, LiveScores, LiveScoresError, Score, SignedLiveScores,
    bounds::{MAX_LIVE_SCORES_LEN, MAX_SCORES},
};
