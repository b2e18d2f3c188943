//! Audits of byte models: an answer is read again, and each of its bytes compared with the byte that is drawn here.
//!
//! # Design
//! The bytes that the miner's model wrote follow from the answer: its text, and after it what ended it, which the text does
//! not show (see [`written`]). They are read in one pass for each window, with the windows that the miner's session had, so
//! that the logits have the bits that the miner's program computed. An audit so costs a fraction of the answer.
//!
//! A model of bytes may write bytes that are no text; the answer has U+FFFD for them, and does not say which they were. Such
//! an answer is written again as a whole and compared: only a program with the same bits gives the same one.
//!
//! # What a hostile miner can do
//! Put U+FFFD into its answers, so that an auditor with another program can compare nothing after it. With this program
//! it is a mismatch like any other.

mod teacher;
mod written;

use nervure_experts::byte_text::{Continuation, ReplaySampler};
use nervure_protocol::{ExpertEvent, ExpertRequest, ModelIdentity, Sampling};
use nervure_subnet::audit::{Defect, GivenAnswer, Margin, Replay, ReplayError, Replayed};

use crate::{ByteModel, ModelError, Session, builtin::Builtin, expert::chat_prompt, next_distribution};
use written::Written;

/// Stands for bytes that are no text.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Repeats the answers of one byte model.
#[derive(Debug)]
pub struct ByteReplay {
    identity: ModelIdentity,
    model: ByteModel,
}

/// A text to continue.
struct Asked<'a> {
    prompt: &'a str,
    sampling: &'a Sampling,
}

impl ByteReplay {
    /// For the answers of `model`, which `identity` describes.
    #[must_use]
    pub const fn new(identity: ModelIdentity, model: ByteModel) -> Self {
        Self { identity, model }
    }

    /// For the answers of a built-in model.
    ///
    /// # Errors
    /// When the weights cannot be read.
    pub fn builtin(builtin: &Builtin) -> Result<Self, ModelError> {
        Ok(Self::new(builtin.identity(), builtin.load()?))
    }

    fn text(&self, asked: &Asked<'_>, answer: GivenAnswer<'_>) -> Result<Replayed, ReplayError> {
        let text = match answer.events {
            [] => "",
            [ExpertEvent::Text(text)] => text.as_str(),
            _ => return Ok(Replayed::defective(Defect::Form)),
        };
        if answer.usage.prompt_tokens as usize != asked.prompt.len() {
            return Ok(Replayed::defective(Defect::Usage));
        }
        if asked.sampling.seed.is_none() && asked.sampling.temperature_milli != 0 {
            return Err(ReplayError::NoSeed);
        }
        if text.contains(REPLACEMENT) {
            return self.write_again(asked, text, answer);
        }
        let mut best: Option<Replayed> = None;
        for written in written::candidates(asked.sampling, text, answer) {
            let replayed = self.compare(asked, &written)?;
            // Different endings of one text: the miner's is the one that fits best.
            if best.as_ref().is_none_or(|best| replayed.end < best.end) {
                best = Some(replayed);
            }
        }
        Ok(best.unwrap_or(Replayed::defective(Defect::End)))
    }

    /// The margins of the bytes of an answer.
    fn compare(&self, asked: &Asked<'_>, written: &Written) -> Result<Replayed, ReplayError> {
        let start = (asked.prompt.as_bytes(), asked.sampling.prefix.as_bytes());
        let rows = teacher::logits(&self.model, start, &written.bytes).map_err(failed)?;
        let mut sampler = ReplaySampler::new(asked.sampling);
        let mut margins: Vec<Margin> = rows
            .iter()
            .zip(&written.bytes)
            .map(|(row, byte)| Margin::of_mass(sampler.distance(row, *byte)))
            .collect();
        let end = margins.split_off(written.text).into_iter().max();
        Ok(Replayed { margins, end, defect: None })
    }

    /// Writes the whole answer, and compares the texts.
    fn write_again(
        &self,
        asked: &Asked<'_>,
        text: &str,
        answer: GivenAnswer<'_>,
    ) -> Result<Replayed, ReplayError> {
        let mut session = Session::new(self.model.clone());
        let mut own = Continuation::new(asked.sampling);
        let (prompt, prefix) = (asked.prompt.as_bytes(), asked.sampling.prefix.as_bytes());
        let mut logits = session.resume(prompt, prefix).map_err(failed)?;
        let (mut rest, mut margins, mut end) = (text, Vec::new(), own.finished());
        while end.is_none() {
            let byte = own.choose(&logits);
            let step = own.push(byte);
            let Some(after) = rest.strip_prefix(step.text.as_str()) else {
                margins.push(Margin::WHOLE);
                return Ok(Replayed { margins, end: None, defect: None });
            };
            (rest, end) = (after, step.end);
            margins.push(Margin::NONE);
            if end.is_none() {
                logits = session.push(byte).map_err(failed)?;
            }
        }
        let same =
            rest.is_empty() && end == Some(answer.reason) && own.written() == answer.usage.completion_tokens;
        Ok(Replayed { margins, end: Some(if same { Margin::NONE } else { Margin::WHOLE }), defect: None })
    }

    fn distribution(&self, context: &[u8], answer: GivenAnswer<'_>) -> Result<Replayed, ReplayError> {
        let [ExpertEvent::Distribution(given)] = answer.events else {
            return Ok(Replayed::defective(Defect::Form));
        };
        let own = next_distribution(&self.model, context).map_err(failed)?;
        if given.len() != own.len() {
            return Ok(Replayed::defective(Defect::Form));
        }
        // The distance in total variation: the mass that has to be moved to make one of the other.
        let apart = |(given, own): (&f32, f32)| (f64::from(*given) - f64::from(own)).abs();
        let moved: f64 = given.iter().zip(own).map(apart).sum();
        Ok(Replayed { margins: vec![Margin::of_mass(moved / 2.0)], end: None, defect: None })
    }
}

impl Replay for ByteReplay {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn replay(&self, request: &ExpertRequest, answer: GivenAnswer<'_>) -> Result<Replayed, ReplayError> {
        match request {
            ExpertRequest::Complete { prompt, sampling } => self.text(&Asked { prompt, sampling }, answer),
            ExpertRequest::Chat { messages, sampling } => {
                let prompt = chat_prompt(messages);
                self.text(&Asked { prompt: &prompt, sampling }, answer)
            }
            ExpertRequest::Distribution { context } => self.distribution(context, answer),
            ExpertRequest::Embed { .. } => Err(ReplayError::Unsupported),
        }
    }
}

fn failed(error: ModelError) -> ReplayError {
    ReplayError::Failed(error.to_string())
}

#[cfg(test)]
mod tests;
