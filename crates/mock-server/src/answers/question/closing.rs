//! The sentences that say how an answer is to be written: those of the mechanism `exact-answer`, which this server is a
//! demonstration of. `{}` is a form.

const CLOSINGS: [&str; 19] = [
    "Reply with {} only.",
    "Just {}, please.",
    "I only need {}.",
    "No explanation, just {}.",
    "Give me {} and nothing else.",
    "Please answer with {}.",
    "{} is all I need.",
    "Only {}.",
    "just {} pls",
    "I will paste your reply somewhere, so write {} and no other text.",
    "Keep it short: {}.",
    "Return {}.",
    "Output: {}.",
    "What I want back is {}.",
    "Think it through and finish with {} on the last line.",
    "Explain briefly, then {} on a line of its own at the end.",
    "You can show your work, but end with {} alone in the last line.",
    "Step by step please. Last line: {}.",
    "Show how you got there, with {} as the final line.",
];

const FORMS: [&str; 20] = [
    "the number",
    "the result",
    "the final number",
    "a number",
    "the figure",
    "the items separated by commas",
    "a comma-separated list",
    "one line with commas",
    "the word",
    "one word",
    "the single word",
    "the text itself",
    "the resulting string",
    "the result without quotes",
    "the JSON",
    "valid JSON",
    "the resulting JSON",
    "the date as YYYY-MM-DD",
    "an ISO date",
    "the date in the form 2024-03-05",
];

/// The prompt without such a sentence at its end.
pub(super) fn without(prompt: &str) -> &str {
    let text = prompt.trim_end();
    let closings = CLOSINGS.iter().filter_map(|closing| closing.split_once("{}"));
    let found = closings.filter_map(|(before, after)| {
        let text = strip_suffix(text, after)?;
        FORMS.iter().find_map(|form| strip_suffix(strip_suffix(text, form)?, before))
    });
    // "Only the number." is the end of other closings as well: the longest one is meant.
    found.min_by_key(|rest| rest.len()).unwrap_or(text)
}

fn strip_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    let (rest, end) = (text.get(..at)?, text.get(at..)?);
    end.eq_ignore_ascii_case(suffix).then_some(rest)
}
