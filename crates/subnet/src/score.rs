//! Scores: from task results to moving averages, live scores and weights.
//!
//! # Design
//! [`evaluate`] turns the answers to one task into [`TaskResult`]s; miners with alike answers share one
//! reward. A [`MovingAverageTable`] keeps the moving averages of every neuron and computes the validator's
//! weights from them. Between two epochs a validator publishes [`LiveScores`]; a [`LiveScoreTable`] computes
//! their median by stake.
//!
//! Every value is bound to a [`Registration`](crate::Registration): a node that registers again inherits
//! nothing. Every value is an integer: the same results give the same weights on every machine.
//!
//! # What a hostile node can do
//! * *Copy answers*: alike answers share a reward, see [`evaluate`]; their quality is not shared,
//!   so a copied miner loses no queries.
//! * *Spam scores*: only validators' are taken, one message of each is kept, and it is bounded.
//! * *Praise its own miners*: while honest validators have half the stake, the median by stake stays within
//!   their scores.
//!
//! [`LiveScores`]: nervure_protocol::LiveScores

mod live_score_table;
mod median;
mod moving_averages;
mod task_result;
mod weights;

pub use live_score_table::{LiveScoreTable, MAX_VALIDATORS, MedianScore};
pub(crate) use median::median;
pub use moving_averages::{
    MAX_NEURONS, MovingAverageTable, MovingAverages, RuleError, ScoringRules, StateError,
};
pub use task_result::{MinerResult, TaskResult, evaluate};
