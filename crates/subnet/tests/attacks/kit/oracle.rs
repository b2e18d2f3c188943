//! A miner without a model that learns the hidden bytes of `next-byte` from the scores of its tasks.
//!
//! It knows that all bytes are letters. For two unknown contexts of a task it names a distribution whose cost tells which
//! letter came: the letters of the first are digits of a number of 26, those of the second its next digits. Everything
//! else in the task costs what it can compute. So a score to the last bit tells it two letters; one in steps of 1/32
//! tells it nothing. What it has learnt it answers when the same piece of text is asked again.

use std::{collections::BTreeMap, time::Duration};

use nervure_protocol::{ExpertRequest, Score};
use nervure_subnet::mechanism::{Answer, Reply};

use crate::kit::Hostile;

/// Bits per byte at which a score is 0, as the attacked mechanism has it.
pub(crate) const ZERO_AT: f64 = 5.0;

/// The last bytes of a context, which name the piece of text.
const NAME: usize = 16;

const LETTERS: usize = 26;

/// Bits between two letters of the first unknown context; of the second one, 26 times as much.
const STEP: f64 = 0.003;

/// The mass of a letter that is known.
const SURE: f64 = 0.99;

type Name = Vec<u8>;

/// The oracle's memory.
#[derive(Default)]
pub(crate) struct Oracle {
    known: BTreeMap<Name, usize>,
    /// The unknown contexts that the last task asks about, and what the rest of it costs, in bits.
    asking: Vec<Name>,
    rest: f64,
    contexts: usize,
}

/// The masses of the letters of the unknown context with this number: each costs a step more than the one before.
fn digits(number: usize) -> Vec<f64> {
    let step = STEP * (LETTERS as f64).powi(number as i32);
    let masses: Vec<f64> = (0..LETTERS).map(|letter| (-step * letter as f64).exp2()).collect();
    let sum: f64 = masses.iter().sum();
    masses.into_iter().map(|mass| mass / sum).collect()
}

fn certain(known: usize) -> Vec<f64> {
    let other = (1.0 - SURE) / (LETTERS - 1) as f64;
    (0..LETTERS).map(|letter| if letter == known { SURE } else { other }).collect()
}

fn answer(letters: &[f64]) -> Reply {
    let mut masses = vec![0.0; 256];
    for (letter, mass) in letters.iter().enumerate() {
        masses[usize::from(b'a') + letter] = *mass as f32;
    }
    Reply::new(Answer::Distribution(masses), Duration::from_millis(1))
}

impl Hostile for Oracle {
    fn name(&self) -> String {
        "oracle".into()
    }

    fn replies(&mut self, requests: &[ExpertRequest], _: &[Vec<Reply>]) -> Vec<Reply> {
        (self.asking, self.rest, self.contexts) = (Vec::new(), 0.0, requests.len());
        let mut reply = |request: &ExpertRequest| {
            let ExpertRequest::Distribution { context } = request else { return Reply::missing() };
            let name = context[context.len().saturating_sub(NAME)..].to_vec();
            if let Some(known) = self.known.get(&name) {
                self.rest -= SURE.log2();
                answer(&certain(*known))
            } else if self.asking.len() < 2 {
                self.asking.push(name);
                answer(&digits(self.asking.len() - 1))
            } else {
                self.rest += (LETTERS as f64).log2();
                answer(&[1.0 / LETTERS as f64; LETTERS])
            }
        };
        requests.iter().map(&mut reply).collect()
    }

    fn learns(&mut self, score: Score) {
        if score == Score::ZERO {
            // Something that it believed was wrong.
            self.known.clear();
        }
        if score == Score::ZERO || self.asking.is_empty() {
            return;
        }
        let all = ZERO_AT * self.contexts as f64;
        let bits = all * (1.0 - f64::from(score.parts()) / f64::from(u32::MAX)) - self.rest;
        // The cost of the first letter of both, and then a step for each further one.
        let first: f64 = (0..self.asking.len()).map(|number| -digits(number)[0].log2()).sum();
        let mut steps = ((bits - first) / STEP).round().max(0.0) as usize;
        for name in std::mem::take(&mut self.asking) {
            self.known.insert(name, (steps % LETTERS).min(LETTERS - 1));
            steps /= LETTERS;
        }
    }
}
