//! How far a byte of an answer is from the byte that the sampler draws.
//!
//! A seeded draw is a point in the sum of the probabilities, likeliest byte first. Another program that computes slightly
//! other probabilities finds the same byte, unless the point is close to a border. The distance of the point from the
//! bytes's own interval is therefore what tells rounding from another model: rounding moves a border by a millionth, another
//! model by percents.
//!
//! Two things are not continuous, and would turn rounding into a large distance. Two bytes of nearly equal probability may
//! change places; so bytes that are about as likely as the given one may stand before it or after it, whichever is
//! nearer. And the last byte that still belongs to top-p may be left out or another one taken in; so where the sum is near
//! top-p, both are tried.

use nervure_protocol::Sampling;

use super::sampler::{Sampler, chosen, likeliest, softmax};

/// Relative difference within which two probabilities count as equal, and distance from top-p within which a byte may
/// belong to it or not. Rounding in another order of additions stays far below it.
const EQUAL: f32 = 1e-3;

/// The draws of one answer, again.
#[derive(Debug)]
pub struct ReplaySampler(Sampler);

impl ReplaySampler {
    /// The draws that `sampling` describes, after its prefix.
    #[must_use]
    pub fn new(sampling: &Sampling) -> Self {
        let mut sampler = Sampler::new(sampling);
        sampling.prefix.bytes().for_each(|_| sampler.skip());
        Self(sampler)
    }

    /// The probability mass by which the next draw misses `byte`, given the logits: 0 for the byte that is drawn, 1 for
    /// one that cannot be. The draw is used up.
    pub fn distance(&mut self, logits: &[f32], byte: u8) -> f64 {
        let Some(draw) = self.0.draw() else {
            return greedy_distance(logits, byte);
        };
        let kept = self.0.kept(logits);
        if chosen(&kept, draw) == byte {
            return 0.0;
        }
        let ranked = self.0.ranked(logits);
        let nearest = |distance: f64, count| distance.min(distance_among(&ranked, count, draw, byte));
        // Above 0, as another byte was drawn: rounding must not make it the drawn one.
        alternatives(&ranked, kept.len(), self.0.top_p())
            .into_iter()
            .fold(1.0, nearest)
            .max(f64::from(f32::MIN_POSITIVE))
    }
}

/// With temperature 0: by how much the byte is less likely than the likeliest one.
fn greedy_distance(logits: &[f32], byte: u8) -> f64 {
    let best = likeliest(logits);
    if best == byte {
        return 0.0;
    }
    let probabilities = softmax(logits, 1.0);
    let distance = f64::from(probabilities[usize::from(best)]) - f64::from(probabilities[usize::from(byte)]);
    distance.max(f64::from(f32::MIN_POSITIVE))
}

/// How many of the likeliest bytes may belong to top-p: `kept`, and others where a sum is near top-p. They are the fewest
/// whose sum reaches it.
fn alternatives(ranked: &[(u8, f32)], kept: usize, top_p: f32) -> Vec<usize> {
    let mut sum = 0.0;
    let mut possible = Vec::new();
    for (index, (_, probability)) in ranked.iter().enumerate() {
        let before = sum;
        sum += probability;
        let may_be_last = before < top_p + EQUAL && sum > top_p - EQUAL;
        if index + 1 == kept || may_be_last {
            possible.push(index + 1);
        }
    }
    possible
}

/// The distance of the point from the interval of `byte`, among the `count` likeliest bytes.
fn distance_among(ranked: &[(u8, f32)], count: usize, draw: f32, byte: u8) -> f64 {
    let mut kept = ranked[..count].to_vec();
    // A byte that is about as likely as the last one may stand in its place.
    if let Some(own) = ranked[count..].iter().find(|(other, _)| *other == byte)
        && let Some(last) = kept.last_mut().filter(|(_, last)| own.1 >= *last * (1.0 - EQUAL))
    {
        *last = *own;
    }
    let Some((_, own)) = kept.iter().find(|(other, _)| *other == byte) else { return 1.0 };
    let (own, mut before, mut equal, mut total) = (f64::from(*own), 0.0, 0.0, 0.0);
    for (other, probability) in &kept {
        let probability = f64::from(*probability);
        total += probability;
        match probability / own {
            _ if *other == byte => {}
            ratio if ratio > 1.0 + f64::from(EQUAL) => before += probability,
            ratio if ratio >= 1.0 - f64::from(EQUAL) => equal += probability,
            _ => {}
        }
    }
    let point = f64::from(draw) * total;
    // The interval may begin anywhere between the bytes that are surely likelier and all that may be.
    let (low, high) = (before, before + equal + own);
    let outside = (low - point).max(point - high).max(0.0);
    outside / total
}

#[cfg(test)]
mod tests;
