//! Changing words and counting letters.

use super::{
    Expected,
    puzzle::{Puzzle, worded},
    words::{word, words},
};
use crate::Dice;

/// A question about letters.
pub(super) fn puzzle(dice: &mut Dice) -> Puzzle {
    let (question, expected) = match dice.below(5) {
        0 => reversed(dice),
        1 => initials(dice),
        2 => counted(dice),
        3 => replaced(dice),
        _ => shouted(dice),
    };
    Puzzle::new(dice, &question, expected)
}

fn reversed(dice: &mut Dice) -> (String, Expected) {
    let word = [word(dice), word(dice)].concat();
    let wordings =
        ["Write \"{}\" backwards.", "Reverse the string \"{}\".", "Spell \"{}\" from back to front."];
    (worded(dice, &wordings, &word), Expected::Text(word.chars().rev().collect()))
}

fn initials(dice: &mut Dice) -> (String, Expected) {
    let words = words(dice, 8);
    let wordings =
        ["Take the first letter of each word and join them: {}.", "Which string do the initials of {} make?"];
    let letters = words.iter().filter_map(|word| word.chars().next()).collect();
    (worded(dice, &wordings, &words.join(" ")), Expected::Text(letters))
}

fn counted(dice: &mut Dice) -> (String, Expected) {
    let text = words(dice, 7).join(" ");
    let letter = dice.pick(&['a', 'e', 'i', 'o', 'r', 't', 'n', 'l']).copied().unwrap_or('e');
    let wordings = [
        "How many times does the letter \"{}\" occur in",
        "Count the letter \"{}\" in",
        "How often is there a \"{}\" in",
    ];
    let asked = worded(dice, &wordings, &letter.to_string());
    let count = text.chars().filter(|c| *c == letter).count();
    (format!("{asked} \"{text}\"?"), Expected::Number(count as i64))
}

fn replaced(dice: &mut Dice) -> (String, Expected) {
    let text = words(dice, 4).join("-");
    let (from, to) = (dice.pick(&['a', 'e', 'o']).copied().unwrap_or('e'), dice.within(1, 9));
    let wordings = ["Replace every \"{}\" in", "Substitute each \"{}\" in", "Change all \"{}\" in"];
    let asked = worded(dice, &wordings, &from.to_string());
    (format!("{asked} \"{text}\" by \"{to}\"."), Expected::Text(text.replace(from, &to.to_string())))
}

fn shouted(dice: &mut Dice) -> (String, Expected) {
    let words = words(dice, 5);
    let every = dice.within(2, 3) as usize;
    let nth = if every == 2 { "second" } else { "third" };
    let changed: Vec<String> = (1..)
        .zip(&words)
        .map(|(at, word)| if at % every == 0 { word.to_uppercase() } else { word.clone() })
        .collect();
    let wordings = [
        "Write every Nth word of this in capitals and leave the others: {}",
        "In the text that follows, put each Nth word in upper case and keep the rest as it is: {}",
    ];
    let question = worded(dice, &wordings, &words.join(" ")).replace("Nth", nth);
    (format!("{question}."), Expected::Text(changed.join(" ")))
}
