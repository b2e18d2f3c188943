//! The computation of an audit: one answer, read again by the model that should have written it.

use nervure_protocol::{AuditCase, ExpertEvent, ExpertRequest, FinishReason, ModelIdentity, Usage};

/// Repeats answers of one model. Object-safe: a validator holds one for each model that it has.
pub trait Replay: Send + Sync {
    /// The model that it has. Its digest is what a receipt has to name; where its runtime and sampler are those of a
    /// receipt too, both compute the same bits.
    fn identity(&self) -> &ModelIdentity;

    /// Reads `answer` as this model's answer to `request`. Takes about as long as reading the answer, not as writing it.
    ///
    /// # Errors
    /// When the answer cannot be repeated at all.
    fn replay(&self, request: &ExpertRequest, answer: GivenAnswer<'_>) -> Result<Replayed, ReplayError>;
}

/// A complete answer.
#[derive(Debug, Clone, Copy)]
pub struct GivenAnswer<'a> {
    /// Its events without the end. A text is one event.
    pub events: &'a [ExpertEvent],
    /// Tokens read and written.
    pub usage: Usage,
    /// Why it ended.
    pub reason: FinishReason,
}

impl<'a> GivenAnswer<'a> {
    /// The answer of `case`.
    #[must_use]
    pub fn of(case: &'a AuditCase) -> Self {
        Self { events: &case.events, usage: case.usage, reason: case.reason }
    }
}

/// How far a token of an answer is from the auditor's draw, in millionths of probability mass: by how much the random
/// number, or the probabilities, would have to be moved for the auditor to draw that token. 0 is the same token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Margin(u32);

impl Margin {
    /// The token that the auditor drew.
    pub const NONE: Self = Self(0);

    /// A token that the auditor can never draw.
    pub const WHOLE: Self = Self(1_000_000);

    /// A distance in probability mass, 0 to 1. Anything above 0 is at least a millionth, and what is not a number is
    /// [`Self::WHOLE`]: rounded once, so that everything after it is in integers.
    #[must_use]
    pub fn of_mass(mass: f64) -> Self {
        if mass.is_nan() {
            return Self::WHOLE;
        }
        // In 0 to 1,000,000 after the clamp.
        Self((mass * 1e6).ceil().clamp(0.0, 1e6) as u32)
    }

    /// So many millionths, at most all.
    #[must_use]
    pub fn of_millionths(millionths: u32) -> Self {
        Self(millionths.min(Self::WHOLE.0))
    }

    /// Millionths of the probability mass.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }
}

/// A part of an answer that no model can have written in answer to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Defect {
    /// It ends in another way, or elsewhere, than it says.
    End,
    /// Its numbers of tokens are not those of its text.
    Usage,
    /// It is an answer of another kind than was asked for, or a malformed one.
    Form,
}

impl std::fmt::Display for Defect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::End => "it ends in another way, or elsewhere, than it says",
            Self::Usage => "its numbers of tokens are not those of its text",
            Self::Form => "it is not an answer of the kind that was asked for",
        })
    }
}

/// The result of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The margin of each token that was checked, in order.
    pub margins: Vec<Margin>,
    /// The margin of the end of a text, where the model itself ended it: of the token or the stop string that did.
    pub end: Option<Margin>,
    /// A part that is wrong whatever the model is.
    pub defect: Option<Defect>,
}

impl Replayed {
    /// An answer with a defect, of which no token was checked.
    #[must_use]
    pub const fn defective(defect: Defect) -> Self {
        Self { margins: Vec::new(), end: None, defect: Some(defect) }
    }

    /// Tokens that are farther from the auditor's draw than `margin`, the end among them.
    #[must_use]
    pub fn beyond(&self, margin: Margin) -> u32 {
        let beyond = self.margins.iter().chain(&self.end).filter(|token| **token > margin).count();
        u32::try_from(beyond).unwrap_or(u32::MAX)
    }

    /// Tokens that were checked, the end among them.
    #[must_use]
    pub fn tokens(&self) -> u32 {
        u32::try_from(self.margins.len() + usize::from(self.end.is_some())).unwrap_or(u32::MAX)
    }
}

/// Why an answer cannot be repeated. None of it is the miner's fault, as far as the auditor can tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Its seed is unknown and its temperature is not 0.
    #[error("the request names no sampling seed, so that its answer cannot be repeated")]
    NoSeed,
    /// The model cannot be asked this.
    #[error("the model does not answer requests of this kind")]
    Unsupported,
    /// The auditor's model failed.
    #[error("the model failed: {0}")]
    Failed(String),
}
