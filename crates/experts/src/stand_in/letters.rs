//! Questions about letters and words: backwards, initials, counting, replacing, capitals.

use super::{question::Question, solution::Solution};

/// The ordinals that people write in such questions.
const ORDINALS: [(&str, usize); 6] =
    [("second", 2), ("third", 3), ("fourth", 4), ("fifth", 5), ("sixth", 6), ("seventh", 7)];

/// Works out a question about letters.
pub(super) fn solve(question: &Question<'_>) -> Option<Solution> {
    match question.quoted().as_slice() {
        [text] if question.says(&["backwards", "reverse", "back to front"]) => {
            Some(Solution::Text(text.chars().rev().collect()))
        }
        [letter, text] if question.says(&["how many times", "how often", "count"]) => counted(letter, text),
        [from, text, to] if question.says(&["replace", "substitute", "change"]) && !from.is_empty() => {
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
    let words = if question.says(&["first letter"]) {
        question.after_colon()?
    } else {
        let start = question.lower.find("initials of ")? + "initials of ".len();
        let end = start + question.lower[start..].find(" make")?;
        &question.text[start..end]
    };
    Some(Solution::Text(words.split_whitespace().filter_map(|word| word.chars().next()).collect()))
}

fn capitals(question: &Question<'_>) -> Option<Solution> {
    if !question.says(&["capitals", "upper case", "uppercase"]) {
        return None;
    }
    let said = |ordinal: &str| {
        ["every", "each"].iter().any(|each| question.says(&[&format!("{each} {ordinal} word")]))
    };
    let (_, nth) = ORDINALS.iter().find(|(ordinal, _)| said(ordinal))?;
    let words = question.after_colon()?.split_whitespace().zip(1usize..);
    let changed = words.map(|(word, at)| if at % nth == 0 { word.to_uppercase() } else { word.to_owned() });
    Some(Solution::Text(changed.collect::<Vec<_>>().join(" ")))
}
