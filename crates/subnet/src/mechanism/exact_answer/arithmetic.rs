//! Sums, products and remainders, bare or in a story.

use super::{
    Expected,
    puzzle::{Puzzle, worded},
    words::{names, word},
};
use crate::Dice;

const BARE: [&str; 5] =
    ["What is {}?", "Compute {}.", "Work out {} for me.", "Can you calculate {}?", "How much is {}?"];

/// A question about numbers.
pub(super) fn puzzle(dice: &mut Dice) -> Puzzle {
    let (question, number) = match dice.below(5) {
        0 => expression(dice),
        1 => remainder(dice),
        2 => total(dice),
        3 => shop(dice),
        _ => sharing(dice),
    };
    Puzzle::new(dice, &question, Expected::Number(number))
}

fn number(dice: &mut Dice, low: u64, high: u64) -> i64 {
    dice.within(low, high) as i64
}

fn expression(dice: &mut Dice) -> (String, i64) {
    let (a, b, c) = (number(dice, 100, 9999), number(dice, 3, 99), number(dice, 3, 99));
    let (text, value) = match dice.below(4) {
        0 => (format!("{a} + {b} * {c}"), a + b * c),
        1 => (format!("{a} - {b} * {c}"), a - b * c),
        2 => (format!("({a} + {b}) * {c}"), (a + b) * c),
        _ => (format!("{b} times {c}, minus {a}"), b * c - a),
    };
    (worded(dice, &BARE, &text), value)
}

fn remainder(dice: &mut Dice) -> (String, i64) {
    let (a, b) = (number(dice, 1000, 99_999), number(dice, 7, 97));
    let wordings =
        ["What remains when {}?", "Tell me the remainder when {}.", "I need the rest that is left when {}."];
    (worded(dice, &wordings, &format!("{a} is divided by {b}")), a % b)
}

fn total(dice: &mut Dice) -> (String, i64) {
    let count = dice.within(5, 9);
    let numbers: Vec<i64> = (0..count).map(|_| number(dice, 10, 999)).collect();
    let shown: Vec<String> = numbers.iter().map(i64::to_string).collect();
    let wordings = ["Add up {}.", "What do {} come to together?", "Find the sum of these numbers: {}."];
    (worded(dice, &wordings, &shown.join(", ")), numbers.iter().sum())
}

fn shop(dice: &mut Dice) -> (String, i64) {
    let who = names(dice, 1).pop().unwrap_or("Ada");
    let (things, others) = (word(dice), word(dice));
    let (n, price, m, other, paid) = (
        number(dice, 2, 30),
        number(dice, 3, 60),
        number(dice, 2, 30),
        number(dice, 3, 60),
        number(dice, 0, 500),
    );
    let cost = n * price + m * other;
    let text = format!(
        "{who} orders {n} crates of {things} at {price} coins each and {m} crates of {others} at {other} coins each, and has \
         {} coins. How many coins are left after paying?",
        cost + paid
    );
    (text, paid)
}

fn sharing(dice: &mut Dice) -> (String, i64) {
    let (people, each, rest) = (number(dice, 4, 40), number(dice, 5, 90), number(dice, 0, 3));
    let things = word(dice);
    let (total, box_size) = (people * each + rest, people);
    let wordings = [
        "{} are packed into boxes. How many boxes are completely full?",
        "{} are put into boxes. How many full boxes does that make?",
    ];
    let what = format!("{total} pieces of {things}, {box_size} to a box,");
    (worded(dice, &wordings, &what), total / box_size)
}
