//! Putting numbers and words in order.

use super::{
    Expected,
    puzzle::{Puzzle, worded},
    words::words,
};
use crate::Dice;

const NUMBERS: [&str; 3] = ["Sort these numbers {}", "Put the following numbers in order, {}", "Order {}"];
const WORDS: [&str; 3] = ["Sort these words {}", "Put the following words in order, {}", "Arrange these {}"];

/// A question about order.
pub(super) fn puzzle(dice: &mut Dice) -> Puzzle {
    let (question, sorted) = match dice.below(3) {
        0 => numbers(dice),
        1 => alphabet(dice),
        _ => lengths(dice),
    };
    Puzzle::new(dice, &question, Expected::List(sorted))
}

fn numbers(dice: &mut Dice) -> (String, Vec<String>) {
    let count = dice.within(6, 12) as usize;
    let mut numbers: Vec<i64> = dice.distinct(count, 2000).into_iter().map(|n| n as i64 - 500).collect();
    let shown = joined(&numbers);
    numbers.sort_unstable();
    let falling = dice.below(2) == 0;
    if falling {
        numbers.reverse();
    }
    let order = if falling { "from largest to smallest" } else { "from smallest to largest" };
    let question = format!("{}: {shown}.", worded(dice, &NUMBERS, order));
    (question, numbers.iter().map(i64::to_string).collect())
}

fn alphabet(dice: &mut Dice) -> (String, Vec<String>) {
    let count = dice.within(6, 10) as usize;
    let mut words = words(dice, count);
    let shown = joined(&words);
    words.sort();
    let falling = dice.below(2) == 0;
    if falling {
        words.reverse();
    }
    let order = if falling { "in reverse alphabetical order" } else { "alphabetically" };
    (format!("{}: {shown}.", worded(dice, &WORDS, order)), words)
}

fn lengths(dice: &mut Dice) -> (String, Vec<String>) {
    let count = dice.within(5, 9) as usize;
    let mut words = words(dice, count);
    let shown = joined(&words);
    words.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let order = "by length, shortest first, and alphabetically where two are equally long";
    (format!("{}: {shown}.", worded(dice, &WORDS, order)), words)
}

fn joined<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}
