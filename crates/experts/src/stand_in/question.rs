//! What a prompt asks, apart from how the answer is to be named.

/// A question: its text, and the same in lower case (ASCII only, so that offsets agree).
pub(super) struct Question<'a> {
    /// What is asked.
    pub(super) text: &'a str,
    /// The same, for comparing words.
    pub(super) lower: String,
}

/// What ends a sentence, a JSON value or a line.
const ENDS: [&str; 6] = [". ", "? ", "! ", "} ", "] ", "\n"];

impl<'a> Question<'a> {
    /// The question in `prompt`: up to the sentence that says where to write `Answer:`.
    pub(super) fn read(prompt: &'a str) -> Self {
        let lower = prompt.to_ascii_lowercase();
        let end = match lower.find("answer:") {
            None => prompt.len(),
            Some(named) => {
                let before = &lower[..named];
                ENDS.iter().filter_map(|end| before.rfind(end)).max().map_or(named, |at| at + 1)
            }
        };
        let text = prompt[..end].trim();
        Self { text, lower: text.to_ascii_lowercase() }
    }

    /// Whether it has any of these words in it.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.lower.contains(word))
    }

    /// What stands in double quotes.
    pub(super) fn quoted(&self) -> Vec<&'a str> {
        self.text.split('"').skip(1).step_by(2).collect()
    }

    /// What stands after the last colon, without the full stop.
    pub(super) fn after_colon(&self) -> Option<&'a str> {
        let (_, rest) = self.text.rsplit_once(": ")?;
        Some(rest.trim().trim_end_matches(['.', '?', '!']))
    }

    /// The number that follows any of these words.
    pub(super) fn number_after(&self, words: &[&str]) -> Option<i64> {
        let found = words.iter().find_map(|word| Some(self.lower.find(word)? + word.len()))?;
        numbers(&self.lower[found..]).next()
    }
}

/// The whole numbers in `text`, with the minus that stands right before one; what looks like a date is none.
pub(super) fn numbers(text: &str) -> impl Iterator<Item = i64> + '_ {
    let pieces = text.split(|c: char| !(c.is_ascii_digit() || c == '-'));
    pieces.filter_map(|piece| piece.trim_end_matches('-').parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_to_name_the_answer_is_no_part_of_the_question() {
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
        assert_eq!(read("Answer: what?"), "");
    }

    #[test]
    fn parts_are_found() {
        let question = Question::read("Count \"a\" in \"banana\": x, -5, 12.");
        assert_eq!(question.quoted(), ["a", "banana"]);
        assert_eq!(question.after_colon(), Some("x, -5, 12"));
        assert_eq!(numbers("a-7 - 8, -9").collect::<Vec<_>>(), [-7, 8, -9]);
        assert_eq!(question.number_after(&["in"]), Some(-5));
        assert_eq!(numbers("99999999999999999999").count(), 0);
    }
}
