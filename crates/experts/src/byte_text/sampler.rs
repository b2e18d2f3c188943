//! Chooses one byte from logits: temperature, then top-p, then a seeded draw.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use nervure_protocol::Sampling;

use super::exp_negative;

/// Chooses the bytes of one answer.
#[derive(Debug)]
pub(super) struct Sampler {
    temperature: f32,
    top_p: f32,
    rng: ChaCha8Rng,
}

impl Sampler {
    /// The sampler that `sampling` describes; without a seed every answer differs.
    pub(super) fn new(sampling: &Sampling) -> Self {
        Self {
            temperature: sampling.temperature_milli as f32 / 1000.0,
            top_p: sampling.top_p_milli as f32 / 1000.0,
            rng: ChaCha8Rng::seed_from_u64(sampling.seed.unwrap_or_else(rand::random)),
        }
    }

    /// Advances the random generator as [`Self::choose`] does, for a byte that another expert chose.
    pub(super) fn skip(&mut self) {
        let _ = self.draw();
    }

    /// The next byte given its logits.
    pub(super) fn choose(&mut self, logits: &[f32]) -> u8 {
        match self.draw() {
            None => likeliest(logits),
            Some(draw) => chosen(&self.kept(logits), draw),
        }
    }

    /// The next random number, from 0 to 1; none where the likeliest byte is always chosen.
    pub(super) fn draw(&mut self) -> Option<f32> {
        (self.temperature != 0.0).then(|| self.rng.random())
    }

    /// The bytes among which one is drawn, likeliest first, with their probabilities.
    pub(super) fn kept(&self, logits: &[f32]) -> Vec<(u8, f32)> {
        nucleus(&softmax(logits, self.temperature), self.top_p)
    }

    /// All bytes with their probabilities, likeliest first.
    pub(super) fn ranked(&self, logits: &[f32]) -> Vec<(u8, f32)> {
        nucleus(&softmax(logits, self.temperature), f32::INFINITY)
    }

    /// The probability mass of the bytes among which one is drawn, at least.
    pub(super) fn top_p(&self) -> f32 {
        self.top_p
    }
}

/// The byte at the point `draw` of the sum of probabilities.
pub(super) fn chosen(kept: &[(u8, f32)], draw: f32) -> u8 {
    let total: f32 = kept.iter().map(|(_, p)| p).sum();
    let mut left = draw * total;
    for (byte, probability) in kept {
        left -= probability;
        if left < 0.0 {
            return *byte;
        }
    }
    // Rounding can leave a remainder after the last one.
    kept.last().map_or(0, |(byte, _)| *byte)
}

/// The byte of the highest logit; of equal ones the lowest byte.
pub(super) fn likeliest(logits: &[f32]) -> u8 {
    let best = logits.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (byte, logit)| {
        if *logit > best.1 { (byte, *logit) } else { best }
    });
    best.0 as u8
}

pub(super) fn softmax(logits: &[f32], temperature: f32) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // Less the largest logit: the exponential of a large one would be infinite.
    let weights: Vec<f32> = logits.iter().map(|l| exp_negative((l - top) / temperature)).collect();
    let total: f32 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

/// The fewest likeliest bytes whose probabilities reach `top_p`, likeliest first; at least one.
fn nucleus(probabilities: &[f32], top_p: f32) -> Vec<(u8, f32)> {
    let mut ranked: Vec<(u8, f32)> = (0..=u8::MAX).zip(probabilities.iter().copied()).collect();
    // Equal probabilities in the order of the bytes: with one seed, every machine chooses the same byte.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut mass = 0.0;
    let needed = ranked.iter().position(|(_, probability)| {
        mass += probability;
        mass >= top_p
    });
    ranked.truncate(needed.map_or(ranked.len(), |last| last + 1));
    ranked
}

#[cfg(test)]
mod tests;
