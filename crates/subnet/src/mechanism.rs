//! Incentive mechanisms: the tasks that a subnet's validators give to its miners, and the scores of the answers.
//!
//! # Design
//! A [`Mechanism`] draws a [`Task`] from a seed: [`ExpertRequest`]s, and the secret solution that answers are scored
//! against. A request has the form of a user's query, so that the node sends it the same way and *no miner can tell a
//! task from a query by its form*. All miners of a task get the same requests at the same time, so that their scores
//! can be compared; no request is sent twice, because no seed is used twice.
//!
//! A subnet names its mechanism and parameters in a [`MechanismSpec`], from which [`Mechanisms`] builds it. To add a
//! mechanism here: one file with a type of parameters that is a `Mechanism`, and one line in `BUILT_IN`;
//! `docs/mechanisms.md` walks through it. A program outside of this crate adds its own with [`Mechanisms::add`].
//!
//! # Hazards
//! * *Answers are hostile.* They are bounded where they enter a [`Reply`], and a scorer neither panics nor takes more
//!   than linear time.
//! * *Form is not everything.* A miner sees which node asks, and sees itself in an assignment. What hides a task then
//!   is that the same node asks for users as well.
//! * *A score is an integer.* Where an answer has floats, they are made integers by one rounding before anything is
//!   computed.

mod corpus;
mod draw;
pub mod embedding;
pub mod exact_answer;
mod fingerprint;
mod log;
#[cfg(test)]
mod longest_word;
mod mechanisms;
pub mod next_byte;
mod reply;
mod spec;

use std::fmt;

pub use corpus::{Corpus, Document, MAX_CORPUS, MAX_DOCUMENTS};
pub use draw::DrawError;
pub use fingerprint::{Fingerprint, MAX_FINGERPRINT};
pub use mechanisms::{AddMechanismError, Mechanisms};
use nervure_primitives::MechanismSpec;
use nervure_protocol::{ExpertRequest, Score};
pub use reply::{Answer, MAX_ANSWER_TEXT, MAX_DIMENSIONS, MAX_VECTORS, Reply};
use serde::de::DeserializeOwned;
pub use spec::{SpecError, build};

use crate::Seed;

/// The mechanisms that every validator knows.
const BUILT_IN: &[(&str, Make)] = &[
    ("next-byte", make::<next_byte::NextByte>),
    ("exact-answer", make::<exact_answer::ExactAnswer>),
    ("embedding", make::<embedding::Embedding>),
];

/// A way to set tasks and to score the answers.
pub trait Mechanism: fmt::Debug + Send + Sync {
    /// Draws a task: the same one from the same seed and texts.
    ///
    /// # Errors
    /// When the texts do not suffice.
    fn draw(&self, seed: Seed, corpus: &Corpus) -> Result<Box<dyn Task>, DrawError>;
}

/// A task: its requests, and how answers are scored. Never leaves the validator as a whole, and has no
/// `Debug`, so that no log shows it.
pub trait Task: Send + Sync {
    /// The requests that each miner is sent, in this order.
    fn requests(&self) -> &[ExpertRequest];

    /// The task result of a miner (`docs/glossary.md`): `replies[i]` answers request `i`; absent ones count as missing.
    fn score(&self, replies: &[Reply]) -> Score;

    /// The fingerprint by which a miner's replies are compared with others'; empty where all right answers are alike.
    fn fingerprint(&self, replies: &[Reply]) -> Fingerprint {
        let _ = replies;
        Fingerprint::default()
    }

    /// Whether two miners' replies are so alike that one computation must have made both.
    fn alike(&self, left: &Fingerprint, right: &Fingerprint) -> bool {
        let _ = (left, right);
        false
    }
}

/// The parameters of a mechanism: named whole numbers, each with a default, deserialized from a [`MechanismSpec`].
pub trait Parameters: Mechanism + DeserializeOwned + 'static {
    /// The name of the first parameter out of its bounds.
    fn out_of_bounds(&self) -> Option<&'static str>;
}

/// Makes a mechanism from its parameters.
type Make = fn(&MechanismSpec) -> Result<Box<dyn Mechanism>, SpecError>;

fn make<M: Parameters>(spec: &MechanismSpec) -> Result<Box<dyn Mechanism>, SpecError> {
    let mechanism: M = spec::parameters(spec)?;
    match mechanism.out_of_bounds() {
        Some(parameter) => Err(SpecError::OutOfBounds { parameter }),
        None => Ok(Box::new(mechanism)),
    }
}

#[cfg(test)]
mod tests;
