//! Vectors of texts: hashed words, with words that mean about the same folded into one.
//!
//! A text becomes the sum of a fixed random vector for each of its words, scaled to length 1; a vector of worse quality has
//! noise of its own text added. No model: near texts share words or entries of the thesaurus, and nothing else makes them
//! near.

use super::{
    Draw,
    thesaurus::{GROUPS, LONGEST},
};

/// Numbers of a vector.
pub(super) const DIMENSIONS: usize = 128;

/// What a word weighs that is in the thesaurus, next to one that is not.
const MEANING: f32 = 2.0;

/// What a word weighs that says little.
const FILLER: f32 = 0.1;

/// How long the noise would be at quality 0, next to the text's own vector at quality 100. So much that a stand-in of 60 %
/// gets about 60 % of the score of triples that it gets right without noise.
const NOISE: f32 = 3.5;

/// Words that say little.
const FILLERS: [&str; 44] = [
    "a", "an", "and", "any", "are", "as", "at", "be", "been", "by", "for", "from", "has", "have", "he", "in",
    "is", "it", "its", "no", "not", "of", "on", "one", "or", "our", "over", "she", "so", "some", "soon",
    "than", "that", "the", "their", "they", "this", "those", "to", "was", "were", "which", "with", "yet",
];

/// Endings that are cut off a word of which enough is left.
const ENDINGS: [&str; 6] = ["ing", "ies", "ed", "es", "ly", "s"];

/// The vector of `text`, of `quality` percent.
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
    // A text without a word has a direction too: its own.
    if sum.iter().all(|x| *x == 0.0) {
        add(&mut sum, &format!("text {text}"), 1.0);
    }
    let quality = f32::from(quality.min(100)) / 100.0;
    let mut noise = vec![0.0f32; DIMENSIONS];
    add(&mut noise, &format!("noise {text}"), 1.0);
    let (own, other) = (quality / length(&sum), NOISE * (1.0 - quality) / length(&noise));
    let mixed = sum.iter().zip(&noise).map(|(x, n)| x * own + n * other);
    // Short in JSON, and far finer than any ranking.
    mixed.map(|x| (x * 1e4).round() / 1e4).collect()
}

/// What the first of these words is, alone or with the next ones: how many it takes, its name, and its weight.
fn feature(words: &[String]) -> (usize, String, f32) {
    for taken in (1..=LONGEST.min(words.len())).rev() {
        let phrase = words[..taken].join(" ");
        if let Some(group) = GROUPS.iter().position(|group| group.contains(&phrase.as_str())) {
            return (taken, format!("meaning {group}"), MEANING);
        }
    }
    let word = words.first().map(String::as_str).unwrap_or_default();
    let weight = if FILLERS.contains(&word) { FILLER } else { 1.0 };
    (1, format!("word {word}"), weight)
}

/// A word without its ending.
fn stem(word: &str) -> String {
    let cut = ENDINGS.iter().find_map(|ending| word.strip_suffix(ending).filter(|left| left.len() >= 3));
    cut.unwrap_or(word).to_owned()
}

/// Adds the fixed random vector of `feature`.
fn add(sum: &mut [f32], feature: &str, weight: f32) {
    let mut state = Draw::of("feature", feature).rest() | 1;
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
