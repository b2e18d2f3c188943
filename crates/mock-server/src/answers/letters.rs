//! Questions about letters and words: reversing, initials, counting, replacing, upper case.

use super::{question::Question, solution::Solution};

/// The ordinals in questions about every n-th word.
const ORDINALS: [(&str, usize); 6] =
    [("second", 2), ("third", 3), ("fourth", 4), ("fifth", 5), ("sixth", 6), ("seventh", 7)];

/// Answers a question about letters.
pub(super) fn solve(question: &Question<'_>) -> Option<Solution> {
    match question.quoted().as_slice() {
        [text] if question.contains_any(&["backwards", "reverse", "back to front"]) => {
            Some(Solution::Text(text.chars().rev().collect()))
        }
        [letter, text] if question.contains_any(&["how many times", "how often", "count"]) => {
            counted(letter, text)
        }
        [from, text, to]
            if question.contains_any(&["replace", "substitute", "change"]) && !from.is_empty() =>
        {
            Some(Solution::Text(text.replace(from, to)))
        }
        [] => initials(question).or_else(|| capitals(question)),
        _ => None,
    }
}

fn counted(letter: &str, text: &str) -> Option<Solution> {
    let count = if letter.is_empty() { None } else { Some(text.matches(letter).count()) };
    count.and_then(|count| i64::try_from(count).ok()).map(Solution::Number)
}

fn initials(question: &Question<'_>) -> Option<Solution> {
    let words = if question.contains_any(&["first letter"]) {
        question.after_colon()?
    } else {
        let start = question.lower.find("initials of ")? + "initials of ".len();
        let end = start + question.lower[start..].find(" make")?;
        &question.text[start..end]
    };
    Some(Solution::Text(words.split_whitespace().filter_map(|word| word.chars().next()).collect()))
}

fn capitals(question: &Question<'_>) -> Option<Solution> {
    if !question.contains_any(&["capitals", "upper case", "uppercase"]) {
        return None;
    }
    let asked = |ordinal: &str| {
        ["every", "each"].iter().any(|each| question.contains_any(&[&format!("{each} {ordinal} word")]))
    };
    let (_, nth) = ORDINALS.iter().find(|(ordinal, _)| asked(ordinal))?;
    let words = question.after_colon()?.split_whitespace().zip(1usize..);
    let changed = words.map(|(word, at)| if at % nth == 0 { word.to_uppercase() } else { word.to_owned() });
    Some(Solution::Text(changed.collect::<Vec<_>>().join(" ")))
}
