//! Questions about order: numbers by size, words by alphabet or by length.

use super::{question::Question, solution::Solution};

/// Answers a question about order.
pub(super) fn solve(question: &Question<'_>) -> Option<Solution> {
    if !question.contains_any(&["sort", "order", "arrange"]) {
        return None;
    }
    let items: Vec<&str> = question.after_colon()?.split(',').map(str::trim).collect();
    let descending =
        question.contains_any(&["largest to smallest", "descending", "reverse", "longest first"]);
    let sorted = if question.contains_any(&["smallest", "largest", "ascending", "descending"]) {
        numbers(&items)?
    } else if question.contains_any(&["length"]) {
        words(items, |word| (word.chars().count(), word.to_owned()))
    } else if question.contains_any(&["alphabetic"]) {
        words(items, str::to_owned)
    } else {
        return None;
    };
    let sorted = if descending { sorted.into_iter().rev().collect() } else { sorted };
    Some(Solution::Items(sorted))
}

fn numbers(items: &[&str]) -> Option<Vec<String>> {
    let mut numbers: Vec<i64> = items.iter().map(|item| item.parse().ok()).collect::<Option<_>>()?;
    numbers.sort_unstable();
    Some(numbers.iter().map(i64::to_string).collect())
}

fn words<K: Ord>(mut items: Vec<&str>, by: impl Fn(&str) -> K) -> Vec<String> {
    items.sort_by_key(|item| by(item));
    items.into_iter().map(str::to_owned).collect()
}
