//! Questions about numbers: expressions, remainders, sums of lists, full boxes, what is left after paying.

use super::{
    expression,
    question::{Question, numbers},
    solution::Solution,
};

/// Works out a question about numbers.
pub(super) fn solve(question: &Question<'_>) -> Option<Solution> {
    let found = if question.says(&["remain", "rest that is left"]) {
        remainder(question)
    } else if question.says(&["boxes", "full box"]) {
        boxes(question)
    } else if question.says(&["coins", "each"]) && question.says(&[" has "]) {
        change(question)
    } else if question.says(&["add up", "sum of", "together", "total of"]) {
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

/// What somebody has, less so many things at so much each.
fn change(question: &Question<'_>) -> Option<i64> {
    let has = question.number_after(&[" has "])?;
    let words: Vec<&str> = question.lower.split_whitespace().map(|word| word.trim_matches(',')).collect();
    let mut left = has;
    let mut many: Option<i64> = None;
    for (at, word) in words.iter().enumerate() {
        let Ok(number) = word.parse::<i64>() else { continue };
        match at.checked_sub(1).and_then(|before| words.get(before)) {
            Some(&"at") => left = left.checked_sub(many.take()?.checked_mul(number)?)?,
            Some(&"has") => {}
            _ => many = Some(number),
        }
    }
    Some(left)
}
