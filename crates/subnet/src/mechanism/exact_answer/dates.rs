//! Counting days.

use super::{
    Expected,
    calendar::Date,
    puzzle::{Puzzle, worded},
};
use crate::Dice;

/// 1950-01-01 and 2099-12-31, as days since 1970-01-01.
const FIRST_DAY: i64 = -7305;
const LAST_DAY: i64 = 47_481;

/// A question about days.
pub(super) fn puzzle(dice: &mut Dice) -> Puzzle {
    let (question, expected) = match dice.below(3) {
        0 => later(dice),
        1 => between(dice),
        _ => weekday(dice),
    };
    Puzzle::new(dice, &question, expected)
}

fn day(dice: &mut Dice) -> Date {
    Date::from_days(FIRST_DAY + dice.within(0, (LAST_DAY - FIRST_DAY) as u64) as i64)
}

fn written(dice: &mut Dice, date: Date) -> String {
    match dice.below(3) {
        0 => date.to_string(),
        1 => date.in_words(),
        _ => date.in_american_words(),
    }
}

fn later(dice: &mut Dice) -> (String, Expected) {
    let (from, days) = (day(dice), dice.within(10, 400) as i64);
    let shown = written(dice, from);
    let (wordings, to) = match dice.below(2) {
        0 => (
            ["Which date is COUNT days after {}?", "Starting on {}, what is the date COUNT days later?"],
            days,
        ),
        _ => {
            (["Which date was COUNT days before {}?", "What was the date COUNT days earlier than {}?"], -days)
        }
    };
    let question = worded(dice, &wordings, &shown).replace("COUNT", &days.to_string());
    (question, Expected::Day(Date::from_days(from.days() + to)))
}

fn between(dice: &mut Dice) -> (String, Expected) {
    let (from, days) = (day(dice), dice.within(10, 900) as i64);
    let to = Date::from_days(from.days() + days);
    let shown = format!("{} to {}", written(dice, from), written(dice, to));
    let wordings = ["How many days is it from {}?", "Count the days from {}, not including the first."];
    (worded(dice, &wordings, &shown), Expected::Number(days))
}

fn weekday(dice: &mut Dice) -> (String, Expected) {
    let date = day(dice);
    let shown = written(dice, date);
    let wordings =
        ["On which day of the week does {} fall?", "What weekday is {}?", "Tell me the weekday of {}."];
    (worded(dice, &wordings, &shown), Expected::Word(date.weekday().to_owned()))
}
