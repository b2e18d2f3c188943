//! Extracts the answer from the text of a model.
//!
//! The text after each `Answer:` that begins a line; where there is none, the last code block, the whole text if it begins
//! like JSON, else the last line. Linear in the text, which is bounded where it came in; JSON is parsed to serde_json's
//! depth of 128.

use serde_json::Value;

/// Longest answer that is looked into, in bytes; more than any right one has.
const MAX_ANSWER_BYTES: usize = 4096;

/// What Markdown and politeness put around an answer.
const DECORATION: [char; 7] = ['*', '#', '>', '`', '_', ' ', '\t'];

/// Every part of `text` that is marked as the answer; what it ends with, where none is.
pub(super) fn answers(text: &str) -> Vec<&str> {
    let text = spoken(text);
    let marks = marks(text);
    if marks.is_empty() {
        return last(text).into_iter().collect();
    }
    values(text, &marks)
}

/// Every part of `text` that is marked as the answer; all of it, where none is and it is one line or begins like JSON.
pub(super) fn marked(text: &str) -> Vec<&str> {
    let text = spoken(text);
    let marks = marks(text);
    if marks.is_empty() {
        let alone = !text.is_empty() && (!text.contains('\n') || text.starts_with(['{', '[', '`']));
        return if alone { vec![text] } else { Vec::new() };
    }
    values(text, &marks)
}

/// The text without what a model thinks aloud before its answer.
fn spoken(text: &str) -> &str {
    text.rsplit("</think>").next().unwrap_or(text).trim()
}

fn values<'a>(text: &'a str, marks: &[(usize, usize)]) -> Vec<&'a str> {
    let ends = marks.iter().skip(1).map(|(line, _)| *line).chain([text.len()]);
    marks.iter().zip(ends).filter_map(|((_, value), end)| text.get(*value..end)).map(str::trim).collect()
}

/// What stands for the answer of a text that marks none: what it ends with.
fn last(text: &str) -> Option<&str> {
    if let Some((before, _)) = text.rsplit_once("```") {
        // A block that is closed, from its opening fence on; its content is told from prose by that fence.
        if let Some(open) = before.rfind("```") {
            return before.get(open..);
        }
    }
    match text.starts_with(['{', '[']) {
        true => Some(text),
        false => text.lines().rev().map(str::trim).find(|line| !line.is_empty()),
    }
}

/// Where each line that names an answer begins, and where the answer in it begins.
fn marks(text: &str) -> Vec<(usize, usize)> {
    let mut at = 0;
    let mut marks = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(rest) = after_marker(line) {
            marks.push((at, at + line.len() - rest.len()));
        }
        at += line.len();
    }
    marks
}

/// What follows `Answer:` in a line that begins with it.
fn after_marker(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(DECORATION);
    let line =
        ["final ", "the "].iter().fold(line, |line, word| strip_ignoring_case(line, word).unwrap_or(line));
    let rest = strip_ignoring_case(line, "answer")?;
    let rest = strip_ignoring_case(rest, " is").unwrap_or(rest);
    Some(rest.trim_start_matches(DECORATION).strip_prefix(':')?.trim_start_matches("**"))
}

fn strip_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// The first line of an answer that says anything, without decoration.
pub(super) fn line(answer: &str) -> &str {
    let stripped = answer.lines().map(|line| line.trim().trim_matches(DECORATION));
    stripped.filter(|line| line.len() <= MAX_ANSWER_BYTES).find(|line| !line.is_empty()).unwrap_or_default()
}

/// The only whole number in a line, with words around it; none where there are two or more.
pub(super) fn sole_number(line: &str) -> Option<i64> {
    let words = line.split(|c: char| c.is_whitespace() || "()=:;".contains(c));
    let mut numbers = words.filter(|word| word.bytes().any(|b| b.is_ascii_digit()));
    let (only, another) = (numbers.next()?, numbers.next());
    let only = only.trim_matches(DECORATION).trim_end_matches(['.', ',', '!', '?']).trim_matches(DECORATION);
    number(only).filter(|_| another.is_none())
}

/// The only part of a line that stands in quotes, bold or code; none where there are two or more.
pub(super) fn sole_quoted(line: &str) -> Option<&str> {
    ["**", "`", "\""].into_iter().find_map(|mark| {
        let mut parts = line.split(mark);
        let (_, inside, _) = (parts.next()?, parts.next()?, parts.next()?);
        let sole = parts.next().is_none() && !inside.is_empty();
        sole.then(|| unquoted(inside.trim()))
    })
}

/// The same without quotes around it and a full stop after it.
pub(super) fn unquoted(line: &str) -> &str {
    let line = line.strip_suffix('.').unwrap_or(line).trim_matches(DECORATION);
    for quote in ['"', '\''] {
        if let Some(inner) = line.strip_prefix(quote).and_then(|line| line.strip_suffix(quote)) {
            return inner;
        }
    }
    line
}

/// A whole number, with or without thousands separators.
pub(super) fn number(line: &str) -> Option<i64> {
    let line = unquoted(line).trim_start_matches('$').replace('\u{2212}', "-");
    let digits = line.strip_prefix(['-', '+']).unwrap_or(&line);
    let mut groups = digits.split(',');
    let first = groups.next().unwrap_or_default();
    let grouped = groups.clone().next().is_none() || (1..=3).contains(&first.len());
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b',');
    if !plain || first.is_empty() || !grouped || !groups.all(|group| group.len() == 3) {
        return None;
    }
    line.replace(',', "").parse().ok()
}

/// Items between commas, with or without brackets and quotes.
pub(super) fn list(line: &str) -> Vec<String> {
    let line = unquoted(line);
    let line = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')).unwrap_or(line);
    line.split(',').map(|item| unquoted(item.trim()).to_owned()).collect()
}

/// The JSON value that an answer begins with, inside a code block or not.
pub(super) fn json(answer: &str) -> Option<Value> {
    let start = answer.find(['{', '['])?;
    // Nothing but a fence and its language may stand before it.
    let before = answer.get(..start)?.trim();
    if !matches!(before.trim_matches('`').trim(), "" | "json" | "JSON")
        || answer.len() - start > MAX_ANSWER_BYTES
    {
        return None;
    }
    serde_json::Deserializer::from_str(answer.get(start..)?).into_iter().next()?.ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_marker_is_found_in_many_spellings() {
        for text in [
            "Answer: 42",
            "so it is\nanswer: 42",
            "**Answer:** 42",
            "### Final Answer: `42`",
            "The answer is: 42.",
            "Answer:\n\n42\n",
            "42",
            "<think>Answer: 41\nNo.</think>\nAnswer: 42",
            "Let me see.\n> ANSWER: 42\nGlad to help!",
        ] {
            assert_eq!(answers(text).first().map(|a| number(line(a))), Some(Some(42)), "{text}");
        }
    }

    #[test]
    fn a_text_that_names_no_answer_has_none() {
        for text in ["", "it might be 41\nor 42", "I cannot answer: sorry\n42", "answers: 42\n."] {
            assert!(marked(text).is_empty(), "{text}");
        }
        assert_eq!(answers("Answer: 1\nAnswer: 2").len(), 2);
    }

    #[test]
    fn a_text_without_a_marker_is_answered_by_its_end() {
        for (text, end) in [
            ("First 3.\n\nSo it is 42.\n", "So it is 42."),
            ("Here:\n```json\n{\"a\": 1}\n```\nDone.", "```json\n{\"a\": 1}\n"),
            ("{\"a\":\n1}", "{\"a\":\n1}"),
        ] {
            assert_eq!(answers(text), [end], "{text}");
        }
        assert!(answers(" \n").is_empty());
        assert_eq!(sole_number("So the total is 42 coins."), Some(42));
        assert_eq!(sole_number("12 + 3 = 15"), None, "three numbers");
        assert_eq!(sole_number("= **1,234**."), Some(1234));
        assert_eq!(sole_quoted("It is **Thursday**."), Some("Thursday"));
        assert_eq!(sole_quoted("\"a\" or \"b\""), None);
    }

    #[test]
    fn numbers_are_read_as_written() {
        for (text, value) in [("1,234,567", 1_234_567), ("-5", -5), ("\u{2212}5", -5), ("$12", 12), ("7.", 7)]
        {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in
            ["1,23", "12,3456", "4 or 5", "", ",123", "1.5", "99999999999999999999", "--1", "1234,567"]
        {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn json_may_stand_in_a_code_block() {
        let value: Value = serde_json::json!({"a": [1, 2]});
        for text in ["{\"a\":[1,2]}", "```json\n{\"a\": [1, 2]}\n```", "```\n{ \"a\":[1,2] }\n```\nDone."] {
            assert_eq!(json(text).as_ref(), Some(&value), "{text}");
        }
        for text in ["", "maybe {\"a\":[1,2]}", "{\"a\":", "```python\n{}```"] {
            assert_eq!(json(text), None, "{text}");
        }
        assert_eq!(json(&"[".repeat(4000)), None, "too deep");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\PC|\n|answer:|[0-9,{}\\[\\]`]){0,60}") {
            for answer in answers(&text) {
                let _ = (number(line(answer)), list(line(answer)), json(answer), unquoted(line(answer)));
                let _ = (sole_number(answer), sole_quoted(answer), marked(answer));
            }
        }
    }
}
