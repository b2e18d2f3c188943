//! Questions about numbers: expressions, remainders, sums of lists, full boxes, change after paying.

use super::{
    expression,
    question::{Question, numbers},
    solution::Solution,
};

/// Answers a question about numbers.
pub(super) fn solve(question: &Question<'_>) -> Option<Solution> {
    let found = if question.contains_any(&["remain", "rest that is left"]) {
        remainder(question)
    } else if question.contains_any(&["boxes", "full box"]) {
        boxes(question)
    } else if question.contains_any(&["coins", "each"]) && question.contains_any(&[" has "]) {
        change(question)
    } else if question.contains_any(&["add up", "sum of", "together", "total of"]) {
        total(question)
    } else {
        expression::value(&question.lower)
    };
    found.map(Solution::Number)
}

/// `A is divided by B`.
fn remainder(question: &Question<'_>) -> Option<i64> {
    let [a, b] = numbers(&question.lower).collect::<Vec<_>>().try_into().ok()?;
    i64::checked_rem_euclid(a, b)
}

/// `N pieces, M to a box`.
fn boxes(question: &Question<'_>) -> Option<i64> {
    let [pieces, room] = numbers(&question.lower).collect::<Vec<_>>().try_into().ok()?;
    (room > 0).then(|| i64::div_euclid(pieces, room))
}

fn total(question: &Question<'_>) -> Option<i64> {
    let mut numbers = numbers(&question.lower).peekable();
    numbers.peek()?;
    numbers.try_fold(0i64, i64::checked_add)
}

/// The coins that a person has, minus the number of things bought times the price of each.
fn change(question: &Question<'_>) -> Option<i64> {
    let has = question.number_after(&[" has "])?;
    let words: Vec<&str> = question.lower.split_whitespace().map(|word| word.trim_matches(',')).collect();
    let mut left = has;
    let mut count: Option<i64> = None;
    for (at, word) in words.iter().enumerate() {
        let Ok(number) = word.parse::<i64>() else { continue };
        match at.checked_sub(1).and_then(|before| words.get(before)) {
            Some(&"at") => left = left.checked_sub(count.take()?.checked_mul(number)?)?,
            Some(&"has") => {}
            _ => count = Some(number),
        }
    }
    Some(left)
}
