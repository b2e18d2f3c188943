//! What a small program prints: a few statements of Python, run here on integers.

use super::{
    Expected,
    puzzle::{Puzzle, worded},
};
use crate::Dice;

const ASKED: [&str; 6] = [
    "What does this Python print?\n\n{}",
    "What is the output of\n\n{}",
    "{}\n\nWhat is printed?",
    "Without running it: what does this print?\n\n{}",
    "My terminal is broken. What would this show?\n\n{}",
    "Trace this program for me and say what it prints.\n\n{}",
];

const VARIABLES: [[&str; 3]; 6] = [
    ["x", "y", "i"],
    ["total", "n", "k"],
    ["a", "b", "step"],
    ["count", "last", "j"],
    ["result", "value", "round"],
    ["s", "t", "u"],
];

/// A question about a program.
pub(super) fn puzzle(dice: &mut Dice) -> Puzzle {
    let names = dice.pick(&VARIABLES).copied().unwrap_or(["x", "y", "i"]);
    let (code, printed) = match dice.below(3) {
        0 => accumulated(dice, names),
        1 => halved(dice, names),
        _ => chosen(dice, names),
    };
    let code = if dice.below(2) == 0 { format!("```python\n{code}\n```") } else { code };
    let question = worded(dice, &ASKED, &code);
    Puzzle::new(dice, &question, Expected::Number(printed))
}

fn number(dice: &mut Dice, low: u64, high: u64) -> i64 {
    dice.within(low, high) as i64
}

/// A loop that adds and takes away.
fn accumulated(dice: &mut Dice, [total, other, at]: [&str; 3]) -> (String, i64) {
    let (start, end, factor, every, less) =
        (number(dice, 0, 20), number(dice, 4, 9), number(dice, 2, 7), number(dice, 2, 4), number(dice, 1, 9));
    let code = format!(
        "{total} = {start}\n{other} = {factor}\nfor {at} in range({end}):\n    {total} += {at} * {other}\n    \
         if {at} % {every} == 1:\n        {total} -= {less}\nprint({total})"
    );
    let step = |sum: i64, at: i64| sum + at * factor - if at % every == 1 { less } else { 0 };
    (code, (0..end).fold(start, step))
}

/// Steps of a loop that halves or adds.
fn halved(dice: &mut Dice, [value, count, _]: [&str; 3]) -> (String, i64) {
    let (start, least, add) = (number(dice, 40, 400), number(dice, 3, 12), number(dice, 1, 3));
    let code = format!(
        "{value} = {start}\n{count} = 0\nwhile {value} > {least} and {count} < 20:\n    \
         {value} = {value} // 2 if {value} % 2 == 0 else {value} - {add}\n    {count} += 1\nprint({value} + {count})"
    );
    let (mut left, mut steps) = (start, 0);
    while left > least && steps < 20 {
        left = if left % 2 == 0 { left / 2 } else { left - add };
        steps += 1;
    }
    (code, left + steps)
}

/// A list that is filtered.
fn chosen(dice: &mut Dice, [list, limit, item]: [&str; 3]) -> (String, i64) {
    let count = dice.within(5, 9) as usize;
    let items: Vec<i64> = dice.distinct(count, 90).into_iter().map(|n| n as i64 + 5).collect();
    let (bound, divisor) = (number(dice, 20, 60), number(dice, 2, 4));
    let shown: Vec<String> = items.iter().map(i64::to_string).collect();
    let code = format!(
        "{list} = [{}]\n{limit} = {bound}\nprint(sum({item} for {item} in {list} if {item} > {limit} or {item} % \
         {divisor} == 0))",
        shown.join(", ")
    );
    (code, items.iter().filter(|item| **item > bound || **item % divisor == 0).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_program_prints_a_known_number() {
        // By hand: 40 -> 20 -> 10 -> 5, three steps, with 5 <= 5.
        let (mut left, mut steps) = (40, 0);
        while left > 5 && steps < 20 {
            left = if left % 2 == 0 { left / 2 } else { left - 1 };
            steps += 1;
        }
        assert_eq!((left, steps), (5, 3));
        for seed in 0..300u64 {
            let puzzle = puzzle(&mut Dice::new(seed.into()));
            assert!(puzzle.prompt.contains("print(") && !puzzle.prompt.contains("{}"), "{}", puzzle.prompt);
        }
    }
}
