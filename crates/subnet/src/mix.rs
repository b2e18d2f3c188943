//! Mixing: one answer from those of several experts.
//!
//! | rule | for | |
//! | --- | --- | --- |
//! | [`best`] | anything | the answer of the most trusted expert |
//! | [`majority`] | answers that are right or wrong | the answer with the most trust |
//! | [`median_number`] | numbers | the median by trust |
//! | [`average`] | embeddings of one model | the mean direction |
//! | [`mixture`] | byte-level models | the weighted mean of the next byte's distributions |
//!
//! A mixture is made at every byte: [`LockStep`] waits for enough experts and not for all, and [`FixedShare`] moves
//! the weights to the experts that predict the current text.
//!
//! Floats are used here and nowhere near the ledger: a mixed answer goes to one client, and no two nodes have to
//! agree on it.
//!
//! # What a hostile expert can do
//! * *Return an invalid distribution or vector*: it is left out, in lock-step for the rest of the answer.
//! * *Stall*: a step waits for it for the grace time at most, and is mixed without it.
//! * *Mislead*: each wrong prediction costs weight, down to the floor; see [`FixedShare`] for the bound.

mod average;
mod distribution;
mod fixed_share;
mod lock_step;
mod majority;

pub use average::average;
pub use distribution::{ByteDistribution, mixture};
pub use fixed_share::{FixedShare, MAX_EXPERTS};
pub use lock_step::{LockStep, LockStepRules, MAX_MISSED_STEPS, Progress, StepResult};
pub use majority::{MajorityVote, best, majority, median_number};
