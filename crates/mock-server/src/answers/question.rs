//! The question in a prompt, without the instruction about the form of the answer.

mod closing;

/// A question: its text, and the same in lower case (ASCII only, so that offsets agree).
pub(super) struct Question<'a> {
    /// The question as it was written.
    pub(super) text: &'a str,
    /// The same in lower case, for comparing words.
    pub(super) lower: String,
}

/// Ends of a sentence, a JSON value or a line.
const SENTENCE_ENDS: [&str; 6] = [". ", "? ", "! ", "} ", "] ", "\n"];

impl<'a> Question<'a> {
    /// Reads the question in `prompt`: all text before the sentence that says how to write the answer.
    pub(super) fn read(prompt: &'a str) -> Self {
        let prompt = closing::without(prompt);
        let lower = prompt.to_ascii_lowercase();
        let end = match lower.find("answer:") {
            None => prompt.len(),
            Some(marker) => {
                let before = &lower[..marker];
                SENTENCE_ENDS.iter().filter_map(|end| before.rfind(end)).max().map_or(marker, |at| at + 1)
            }
        };
        let text = prompt[..end].trim();
        Self { text, lower: text.to_ascii_lowercase() }
    }

    /// Whether it contains any of `words`.
    pub(super) fn contains_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.lower.contains(word))
    }

    /// The texts in double quotes.
    pub(super) fn quoted(&self) -> Vec<&'a str> {
        self.text.split('"').skip(1).step_by(2).collect()
    }

    /// The text after the last colon, without the final punctuation mark.
    pub(super) fn after_colon(&self) -> Option<&'a str> {
        let (_, rest) = self.text.rsplit_once(": ")?;
        Some(rest.trim().trim_end_matches(['.', '?', '!']))
    }

    /// The first number after the first of `words` that the question contains.
    pub(super) fn number_after(&self, words: &[&str]) -> Option<i64> {
        let found = words.iter().find_map(|word| Some(self.lower.find(word)? + word.len()))?;
        numbers(&self.lower[found..]).next()
    }
}

/// The whole numbers in `text`, each with a minus directly before it. A date is not a number.
pub(super) fn numbers(text: &str) -> impl Iterator<Item = i64> + '_ {
    let pieces = text.split(|c: char| !(c.is_ascii_digit() || c == '-'));
    pieces.filter_map(|piece| piece.trim_end_matches('-').parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instruction_about_the_answer_is_not_part_of_the_question() {
        let read = |prompt| Question::read(prompt).text;
        assert_eq!(
            read("Hi! What is 2 + 2? On the last line, write \"Answer:\" followed by just the number."),
            "Hi! What is 2 + 2?"
        );
        assert_eq!(
            read("Invert {\"a\":\"b\"} Conclude with \"Answer:\" and the JSON."),
            "Invert {\"a\":\"b\"}"
        );
        assert_eq!(read("What is 2 + 2?"), "What is 2 + 2?");
        assert_eq!(read("What is 2 + 2?\n\nNo explanation, just the figure."), "What is 2 + 2?");
        assert_eq!(read("What is 2 + 2? The number is all I need."), "What is 2 + 2?");
        assert_eq!(read("Answer: what?"), "");
    }

    #[test]
    fn finds_the_parts_of_a_question() {
        let question = Question::read("Count \"a\" in \"banana\": x, -5, 12.");
        assert_eq!(question.quoted(), ["a", "banana"]);
        assert_eq!(question.after_colon(), Some("x, -5, 12"));
        assert_eq!(numbers("a-7 - 8, -9").collect::<Vec<_>>(), [-7, 8, -9]);
        assert_eq!(question.number_after(&["in"]), Some(-5));
        assert_eq!(numbers("99999999999999999999").count(), 0);
    }
}
