//! Incentive mechanisms: the tasks that a subnet's validators give to its miners, and the scores of the answers.
//!
//! # Design
//! A [`Mechanism`] draws a [`Task`] from a seed and a [`Material`]: [`ExpertRequest`]s, and the secret solution that
//! answers are scored against. The fields of a request (lengths, sampling, deadline) are drawn as users' queries have
//! them ([`Traffic`]), and the node sends it the same way; how far a miner can still tell a task from a query, the
//! example `recognise` measures. All miners of a task get the same requests at about the same time, so that their
//! scores can be compared; no request is sent twice, because no seed is used twice.
//!
//! A subnet names its mechanism and parameters in a [`MechanismSpec`], from which [`Mechanisms`] builds it. To add a
//! mechanism here: one file with a type of parameters that is a `Mechanism`, and one line in `BUILT_IN`;
//! `docs/mechanisms.md` walks through it. A program outside of this crate adds its own with [`Mechanisms::add`].
//!
//! # Hazards
//! * *Answers are hostile.* They are bounded where they enter a [`Reply`], and a scorer neither panics nor takes more
//!   than linear time.
//! * *Form is not everything.* A miner sees which node asks. Validators ask through gateways, which ask for users too.
//! * *A score is an integer.* Where an answer has floats, they are made integers by one rounding before anything is
//!   computed.
//!
//! [`Traffic`]: crate::task::Traffic

mod conversation;
mod corpus;
mod draw;
pub mod embedding;
pub mod exact_answer;
mod fingerprint;
mod log;
#[cfg(test)]
mod longest_word;
mod material;
mod mechanisms;
pub mod next_byte;
pub mod preference;
mod rank;
pub mod reference;
mod reply;
mod spec;

use std::fmt;

pub use corpus::{Corpus, Document, MAX_CORPUS, MAX_DOCUMENTS};
pub use draw::DrawError;
pub use fingerprint::{Fingerprint, MAX_FINGERPRINT};
pub use material::{CellId, Material, RetiredCells};
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
    ("reference", make::<reference::Reference>),
    ("preference", make::<preference::Preference>),
];

/// A way to set tasks and to score the answers.
pub trait Mechanism: fmt::Debug + Send + Sync {
    /// Draws a task: the same one from the same seed and material.
    ///
    /// # Errors
    /// When the texts do not suffice.
    fn draw(&self, seed: Seed, material: &Material) -> Result<Box<dyn Task>, DrawError>;

    /// The [tag](reference::model_tag) of the model that the validator has to ask the same, 0 for any; none where answers
    /// are scored without one.
    fn reference_model(&self) -> Option<u64> {
        None
    }

    /// How a miner without a model earns here, for people: then the subnet is a demonstration. None where, as far as we
    /// know, a model is needed.
    fn demonstration(&self) -> Option<&'static str> {
        None
    }
}

/// A task: its requests, and how answers are scored. Never leaves the validator as a whole, and has no
/// `Debug`, so that no log shows it.
pub trait Task: Send + Sync {
    /// The requests that each miner is sent, at moments of their own.
    fn requests(&self) -> &[ExpertRequest];

    /// The cells of private text that it asks for: the validator retires them before it asks.
    fn cells(&self) -> &[CellId] {
        &[]
    }

    /// Takes the answers of the validator's own model to the requests, where the mechanism has a
    /// [reference model](Mechanism::reference_model).
    fn set_reference(&mut self, answers: Vec<Answer>) {
        let _ = answers;
    }

    /// The task result of a miner (`docs/glossary.md`): `replies[i]` answers request `i`; absent ones count as missing.
    fn score(&self, replies: &[Reply]) -> Score;

    /// The fingerprint by which a miner's replies are compared with others'; empty where all right answers are alike.
    fn fingerprint(&self, replies: &[Reply]) -> Fingerprint {
        let _ = replies;
        Fingerprint::default()
    }

    /// The final scores of all miners of the task, where these depend on the answers of others: `scores[i]` is the
    /// [`score`](Self::score) of `replies[i]`, and miners with the same number in `groups` share one reward.
    fn settle(&self, replies: &[&[Reply]], groups: &[usize], scores: Vec<Score>) -> Vec<Score> {
        let _ = (replies, groups);
        scores
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
