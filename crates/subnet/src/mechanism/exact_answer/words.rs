//! Words that questions are made of: a few common ones, and any number of invented ones that are in no table.

use crate::Dice;

const COMMON: [&str; 48] = [
    "amber", "anchor", "basket", "beacon", "bridge", "candle", "canyon", "castle", "copper", "cotton",
    "desert", "dragon", "ember", "falcon", "feather", "forest", "garden", "ginger", "harbor", "hazel",
    "island", "jacket", "jungle", "kettle", "ladder", "lantern", "maple", "marble", "meadow", "mirror",
    "needle", "olive", "orchid", "pebble", "pepper", "pillow", "planet", "quartz", "ribbon", "river",
    "saddle", "silver", "timber", "tunnel", "velvet", "walnut", "willow", "winter",
];

const FIRST_NAMES: [&str; 20] = [
    "Ada", "Ben", "Chloe", "David", "Elif", "Farid", "Grace", "Hana", "Ivan", "Jonas", "Kofi", "Lena",
    "Mateo", "Nadia", "Omar", "Priya", "Rosa", "Sven", "Tara", "Yusuf",
];

const ONSETS: [&str; 14] = ["b", "br", "d", "f", "gr", "k", "l", "m", "n", "p", "s", "st", "t", "v"];
const VOWELS: [&str; 7] = ["a", "e", "i", "o", "u", "ai", "ou"];

/// Up to `count` different words, common and invented ones mixed.
pub(super) fn words(dice: &mut Dice, count: usize) -> Vec<String> {
    let common = dice.distinct(count, COMMON.len() as u64);
    let mut words: Vec<String> =
        common.into_iter().filter_map(|at| COMMON.get(at as usize)).map(|word| (*word).to_owned()).collect();
    for word in &mut words {
        if dice.below(3) == 0 {
            *word = invented(dice);
        }
    }
    words.sort();
    words.dedup();
    dice.shuffle(&mut words);
    words
}

/// A word.
pub(super) fn word(dice: &mut Dice) -> String {
    words(dice, 1).pop().unwrap_or_default()
}

/// Up to `count` different first names.
pub(super) fn names(dice: &mut Dice, count: usize) -> Vec<&'static str> {
    let chosen = dice.distinct(count, FIRST_NAMES.len() as u64);
    chosen.into_iter().filter_map(|at| FIRST_NAMES.get(at as usize)).copied().collect()
}

fn invented(dice: &mut Dice) -> String {
    let syllables = dice.within(2, 4);
    let mut syllable = || {
        let (onset, vowel) = (dice.pick(&ONSETS), dice.pick(&VOWELS));
        [onset.copied().unwrap_or_default(), vowel.copied().unwrap_or_default()].concat()
    };
    (0..syllables).map(|_| syllable()).collect()
}
