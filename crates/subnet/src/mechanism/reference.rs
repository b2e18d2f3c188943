//! `reference`: whether a miner runs the model that the subnet's owner names.
//!
//! A task is a few chats and completions as users have them, each with a seed. The validator has the model itself, asks it
//! the same, and compares: with the same weights, sampling and seed the text is the same, so that a question is worth the
//! part of the model's answer up to the first byte that differs. There is no right answer that a program could compute: it
//! would have to compute the model.
//!
//! The owner names the model by a number, [`model_tag`] of its name; a validator's operator brings it (`--reference`).
//!
//! # What a hostile miner can do
//! * *Write plausible text* without the model: it differs within the first bytes, and a beginning shorter than `least`
//!   is worth nothing.
//! * *Run a smaller or another model*: it differs where the two would draw different tokens, so early in a long answer.
//! * *Stop early*: it gets the part that it wrote.
//! * *Relay*: all right answers are alike, so that relayed ones cannot be detected. [`Task::alike`] is always false.
//!
//! # Hazard
//! Rounding that differs between machines makes an honest text differ somewhere, and costs its rest. A subnet whose
//! model is served by different runtimes should compare greedy answers only (`greedy`), and expect less than 1.

use nervure_primitives::Hash;
use nervure_protocol::{ExpertRequest, QueryKind, Score};
use serde::Deserialize;

use super::{
    Answer, DrawError, Material, Mechanism, Parameters, Reply, Task,
    conversation::{self, passage},
};
use crate::{
    Dice, Seed,
    task::{QueryShape, Series},
};

/// The largest tag: parameters on the ledger have 63 bits, a JSON number has 53.
const TAG_BITS: u32 = 48;

/// Fewest and most tokens of an answer that is compared: of a short one chance decides, and the validator has to write
/// a long one itself.
const TOKENS: (u32, u32) = (32, 1024);

/// The number by which a subnet's owner names a model.
///
/// ```
/// use nervure_subnet::mechanism::reference::model_tag;
///
/// assert_ne!(model_tag("byte-rust"), model_tag("byte-python"));
/// ```
#[must_use]
pub fn model_tag(name: &str) -> u64 {
    let hash = Hash::of("nervure/model-tag", &[name.as_bytes()]);
    let first = hash.as_bytes().iter().take(8);
    first.fold(0u64, |tag, byte| tag << 8 | u64::from(*byte)) >> (u64::BITS - TAG_BITS)
}

/// Parameters of the mechanism.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reference {
    /// Questions of one task, 1 to 16; 4 by default.
    pub questions: u16,
    /// The [`model_tag`] of the model; 0, the default, takes what each validator has.
    pub model: u64,
    /// Thousandths of the model's answer that a miner's has to begin with to be worth anything, 0 to 1,000; 100 by
    /// default.
    pub least: u16,
    /// 1: the likeliest token is always asked for; 0, the default: the sampling that users set, with a seed.
    pub greedy: u8,
}

impl Default for Reference {
    fn default() -> Self {
        Self { questions: 4, model: 0, least: 100, greedy: 0 }
    }
}

impl Parameters for Reference {
    fn out_of_bounds(&self) -> Option<&'static str> {
        let good = [
            ("questions", (1..=16).contains(&self.questions)),
            ("model", self.model < 1 << TAG_BITS),
            ("least", self.least <= 1000),
            ("greedy", self.greedy <= 1),
        ];
        good.into_iter().find(|(_, good)| !good).map(|(name, _)| name)
    }
}

impl Reference {
    /// The questions of a task, a few of each kind after another, as one client asks them.
    fn questions(&self, material: &Material, dice: &mut Dice) -> Vec<ExpertRequest> {
        let kinds = [QueryKind::Chat, QueryKind::Complete];
        let traffic = &material.traffic;
        let mut drawn = || traffic.kind(&kinds, dice) == Some(QueryKind::Chat);
        let chats = (0..self.questions).filter(|_| drawn()).count();
        let mut requests = Vec::new();
        for (kind, count) in
            [(QueryKind::Chat, chats), (QueryKind::Complete, usize::from(self.questions) - chats)]
        {
            let mut series = Series::new(traffic, kind);
            for _ in 0..count {
                // Clients with other lengths are left to users: a shorter or longer answer cannot be compared.
                let tokens = TOKENS.0..=TOKENS.1;
                let shape = series.draw_where(dice, |shape| tokens.contains(&shape.sampling.max_tokens));
                requests.push(self.question((kind, shape), material, dice));
            }
        }
        requests
    }

    fn question(
        &self,
        (kind, mut shape): (QueryKind, QueryShape),
        material: &Material,
        dice: &mut Dice,
    ) -> ExpertRequest {
        shape.sampling.max_tokens = shape.sampling.max_tokens.clamp(TOKENS.0, TOKENS.1);
        // As long as those that the router draws for users.
        shape.sampling.seed = Some(shape.sampling.seed.unwrap_or_else(|| dice.bits() >> 33));
        if self.greedy == 1 {
            shape.sampling.temperature_milli = 0;
        }
        match kind {
            QueryKind::Chat => chat(&shape, material, dice),
            _ => {
                let prompt = passage(&material.corpus, shape.bytes, dice);
                let prompt = prompt.unwrap_or_else(|| conversation::asked(&material.corpus, dice));
                ExpertRequest::Complete { prompt, sampling: shape.sampling }
            }
        }
    }
}

fn chat(shape: &QueryShape, material: &Material, dice: &mut Dice) -> ExpertRequest {
    let question = conversation::asked(&material.corpus, dice);
    let messages = conversation::around(&question, shape, &material.corpus, dice);
    ExpertRequest::Chat { messages, sampling: shape.sampling.clone() }
}

impl Mechanism for Reference {
    fn draw(&self, seed: Seed, material: &Material) -> Result<Box<dyn Task>, DrawError> {
        let mut dice = Dice::new(seed);
        let requests = self.questions(material, &mut dice);
        Ok(Box::new(ReferenceTask { requests, reference: Vec::new(), rules: self.clone() }))
    }

    fn reference_model(&self) -> Option<u64> {
        Some(self.model)
    }
}

/// Questions, and the model's answers once the validator has them.
struct ReferenceTask {
    requests: Vec<ExpertRequest>,
    reference: Vec<Answer>,
    rules: Reference,
}

impl ReferenceTask {
    /// The part of the model's answer that a miner's begins with.
    fn worth(&self, reference: &str, said: &str) -> Score {
        if said == reference {
            return Score::ONE;
        }
        let same = reference.bytes().zip(said.bytes()).take_while(|(left, right)| left == right).count();
        // A text that continues after the model's end counts as no longer than its beginning up to there.
        let part = Score::ratio(same.min(reference.len().saturating_sub(1)) as u64, reference.len() as u64);
        if part < Score::ratio(self.rules.least.into(), 1000) { Score::ZERO } else { part }
    }
}

impl Task for ReferenceTask {
    fn requests(&self) -> &[ExpertRequest] {
        &self.requests
    }

    fn set_reference(&mut self, answers: Vec<Answer>) {
        self.reference = answers;
    }

    fn score(&self, replies: &[Reply]) -> Score {
        let worth = |(at, reference): (usize, &Answer)| {
            let Answer::Text(reference) = reference else { return None };
            // What the model itself leaves empty says nothing about a miner.
            if reference.is_empty() {
                return None;
            }
            Some(match replies.get(at).map(Reply::answer) {
                Some(Answer::Text(said)) => self.worth(reference, said),
                _ => Score::ZERO,
            })
        };
        Score::mean(self.reference.iter().enumerate().filter_map(worth))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reply(text: &str) -> Reply {
        Reply::new(Answer::Text(text.into()), Duration::ZERO)
    }

    fn task(reference: &[&str]) -> Box<dyn Task> {
        let rules = Reference { questions: reference.len() as u16, ..Reference::default() };
        let mut task = rules.draw(1.into(), &Material::default()).unwrap();
        task.set_reference(reference.iter().map(|text| Answer::Text((*text).into())).collect());
        task
    }

    #[test]
    fn an_answer_is_worth_what_it_shares_with_the_models() {
        let task = task(&["0123456789"; 2]);
        let score = |text: &str| task.score(&[reply(text), reply(text)]).to_string();
        assert_eq!(score("0123456789"), "1.0000");
        assert_eq!(score("01234xxxxx"), "0.5000");
        assert_eq!(score("0123456789 and more"), "0.9000", "it did not end where the model did");
        assert_eq!(score("x123456789"), "0.0000");
        assert_eq!(score(""), "0.0000");
        assert_eq!(task.score(&[]), Score::ZERO);
    }

    #[test]
    fn a_beginning_by_chance_is_worth_nothing() {
        let reference = "the quick brown fox jumps over the lazy dog";
        let task = task(&[reference]);
        assert_eq!(task.score(&[reply("the best answer is this one")]), Score::ZERO);
        assert!(task.score(&[reply("the quick brown dog")]) > Score::ZERO);
    }

    #[test]
    fn questions_without_a_reference_do_not_count() {
        let task = task(&["abc", ""]);
        assert_eq!(task.score(&[reply("abc"), reply("whatever")]), Score::ONE);
        let without = Reference::default().draw(1.into(), &Material::default()).unwrap();
        assert_eq!(without.score(&[reply("abc")]), Score::ZERO);
    }

    #[test]
    fn questions_can_be_repeated_and_have_users_kinds() {
        let mut chats = 0;
        for seed in 0..40u64 {
            let task = Reference::default().draw(seed.into(), &Material::default()).unwrap();
            for request in task.requests() {
                let (ExpertRequest::Complete { sampling, .. } | ExpertRequest::Chat { sampling, .. }) =
                    request
                else {
                    panic!("{request:?}")
                };
                assert!(sampling.seed.is_some() && request.validate().is_ok());
                chats += usize::from(matches!(request, ExpertRequest::Chat { .. }));
            }
        }
        assert!((60..140).contains(&chats), "{chats} of 160");
        assert!(model_tag("byte-rust") < 1 << TAG_BITS);
    }
}
