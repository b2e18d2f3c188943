//! Scores: from task results to moving averages, live scores and weights.
//!
//! # Design
//! [`evaluate`] turns the answers to one task into [`TaskResult`]s; miners with alike answers share one
//! reward. A [`MovingAverageTable`] keeps the moving averages of every expert and computes the validator's
//! weights from them: a neuron is worth what the best of its experts is worth. Between two epochs a validator
//! publishes [`LiveScores`], which a [`ScorePublication`] keeps from telling what its next weights will say; a
//! [`LiveScoreTable`] computes their median by stake.
//!
//! Every value is bound to a [`ScoredExpert`](crate::ScoredExpert): a node that registers again, or puts another
//! model behind a name, inherits nothing. Every value is an integer: the same results give the same weights on every machine.
//!
//! # What a hostile node can do
//! * *Copy answers*: alike answers share a reward, see [`evaluate`] and [`CopyTable`]; their quality is not shared,
//!   so a copied miner loses no queries.
//! * *Serve a bad expert beside a good one*: the good one's scores are not about the bad one.
//! * *Spam scores*: only validators' are taken, one message of each is kept, and it is bounded.
//! * *Praise its own miners*: while honest validators have half the stake, the median by stake stays within
//!   their scores.
//!
//! [`LiveScores`]: nervure_protocol::LiveScores

mod best_expert;
mod choose;
mod copies;
mod groups;
mod live_score_table;
mod median;
mod moving_averages;
mod publication;
mod task_result;
mod weights;

pub use choose::{MAX_EXPERTS_PER_ROUND, choose_experts};
pub use copies::CopyTable;
pub use live_score_table::{LiveScoreTable, MAX_VALIDATORS, MedianScore};
pub(crate) use median::median;
pub use moving_averages::{
    MAX_EXPERTS, MAX_EXPERTS_OF_NEURON, MAX_NEURONS, MovingAverageTable, MovingAverages, RuleError,
    ScoringRules, StateError,
};
pub use publication::ScorePublication;
pub use task_result::{MinerResult, TaskResult, evaluate};
