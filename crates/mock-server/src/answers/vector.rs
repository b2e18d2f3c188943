//! Vectors of texts: hashed words, where words of one thesaurus group count as the same word.
//!
//! A text's vector is the sum of a fixed pseudo-random vector per word, scaled to length 1. A vector of lower quality has
//! noise added that depends on the text alone. Texts are similar only if they share words or thesaurus groups.

use super::{
    TextHash,
    thesaurus::{MAX_PHRASE_WORDS, SYNONYM_GROUPS},
};

/// Numbers of a vector.
pub(super) const DIMENSIONS: usize = 128;

/// Weight of a word in the thesaurus; other words have weight 1.
const SYNONYM_WEIGHT: f32 = 2.0;

/// Weight of a word that carries little meaning.
const FILLER_WEIGHT: f32 = 0.1;

/// Length of the noise at quality 0, relative to the text's vector at quality 100. Chosen such that a model of 60 % gets
/// about 60 % of the score that it would get without noise.
const NOISE_LENGTH: f32 = 3.5;

/// Words that carry little meaning.
const FILLERS: [&str; 44] = [
    "a", "an", "and", "any", "are", "as", "at", "be", "been", "by", "for", "from", "has", "have", "he", "in",
    "is", "it", "its", "no", "not", "of", "on", "one", "or", "our", "over", "she", "so", "some", "soon",
    "than", "that", "the", "their", "they", "this", "those", "to", "was", "were", "which", "with", "yet",
];

/// Endings that are removed from a word if at least three bytes remain.
const ENDINGS: [&str; 6] = ["ing", "ies", "ed", "es", "ly", "s"];

/// The vector of `text` from a model of `quality` percent.
pub(super) fn of(text: &str, quality: u8) -> Vec<f32> {
    let words: Vec<String> = text
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(stem)
        .collect();
    let mut sum = vec![0.0f32; DIMENSIONS];
    let mut at = 0;
    while at < words.len() {
        let (taken, feature, weight) = feature(&words[at..]);
        add(&mut sum, &feature, weight);
        at += taken;
    }
    // A text without words gets the vector of the text as a whole, because a zero vector has no direction.
    if sum.iter().all(|x| *x == 0.0) {
        add(&mut sum, &format!("text {text}"), 1.0);
    }
    let quality = f32::from(quality.min(100)) / 100.0;
    let mut noise = vec![0.0f32; DIMENSIONS];
    add(&mut noise, &format!("noise {text}"), 1.0);
    let (own, other) = (quality / length(&sum), NOISE_LENGTH * (1.0 - quality) / length(&noise));
    let mixed = sum.iter().zip(&noise).map(|(x, n)| x * own + n * other);
    // Four decimals keep the JSON short and are finer than any ranking needs.
    mixed.map(|x| (x * 1e4).round() / 1e4).collect()
}

/// The longest phrase at the start of `words` that is in the thesaurus, or else the first word: its number of words, the
/// name of its feature and its weight.
fn feature(words: &[String]) -> (usize, String, f32) {
    for taken in (1..=MAX_PHRASE_WORDS.min(words.len())).rev() {
        let phrase = words[..taken].join(" ");
        if let Some(group) = SYNONYM_GROUPS.iter().position(|group| group.contains(&phrase.as_str())) {
            return (taken, format!("meaning {group}"), SYNONYM_WEIGHT);
        }
    }
    let word = words.first().map(String::as_str).unwrap_or_default();
    let weight = if FILLERS.contains(&word) { FILLER_WEIGHT } else { 1.0 };
    (1, format!("word {word}"), weight)
}

/// A word without its ending: a rough stem.
fn stem(word: &str) -> String {
    let cut = ENDINGS.iter().find_map(|ending| word.strip_suffix(ending).filter(|left| left.len() >= 3));
    cut.unwrap_or(word).to_owned()
}

/// Adds the pseudo-random vector of `feature`, whose components are `weight` or `-weight`.
fn add(sum: &mut [f32], feature: &str, weight: f32) {
    let mut state = TextHash::of("feature", feature).seed() | 1;
    for x in sum {
        // xorshift64*: G. Marsaglia, "Xorshift RNGs"; S. Vigna, "An experimental exploration of Marsaglia's xorshift generators".
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let sign = if state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 63 == 0 { weight } else { -weight };
        *x += sign;
    }
}

fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE)
}
