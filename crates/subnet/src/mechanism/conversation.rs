//! A question as a part of a conversation: instructions, earlier turns and surrounding text, as users' chats have them.
//!
//! Earlier turns and surroundings come from the validator's texts where it has any, so that they are not in any program;
//! what is left is a few sentences that many people write. A validator that has users' questions and instructions (texts
//! of the capabilities [`QUESTIONS`] and [`INSTRUCTIONS`]) uses these alone.

use nervure_protocol::{ChatMessage, Role};

use super::Corpus;
use crate::{Dice, task::QueryShape};

/// Instructions that many people give.
const COMMON_INSTRUCTIONS: [&str; 8] = [
    "You are a helpful assistant.",
    "You are a helpful assistant. Be concise.",
    "Answer truthfully and briefly.",
    "You are an assistant for our support team. Be polite and precise.",
    "You are an expert. If you are unsure, say so.",
    "Follow the user's formatting instructions exactly.",
    "You are a careful analyst.",
    "Use plain language.",
];

/// What comes before a text that is not the question.
const LEADS: [&str; 8] = [
    "I am working on this:\n\n{}\n\n",
    "Context:\n{}\n\n",
    "{}\n\n---\n\n",
    "This is what I have so far.\n\n{}\n\n",
    "Some background first. {}\n\n",
    "Here is a text that you may ignore:\n{}\n\n",
    "```\n{}\n```\n\n",
    "{}\n\nUnrelated to that: ",
];

/// Earlier questions, and replies to them; `{}` is a piece of text.
const EARLIER: [(&str, &str); 6] = [
    ("Hi", "Hello! How can I help?"),
    ("Can you read this?\n\n{}", "Yes, I can read it. What would you like to know?"),
    ("Thanks, that worked.", "Glad to hear it. Anything else?"),
    ("Remember this for later:\n{}", "Noted."),
    ("I have a few questions.", "Sure, go ahead."),
    ("What do you think of this?\n\n{}", "It reads well. A few sentences are long."),
];

/// What people ask about a text, or without one.
const ASKED: [&str; 28] = [
    "Summarise this in three sentences.",
    "What is the main point here?",
    "Can you explain that in simpler words?",
    "Rewrite this so that it sounds friendlier.",
    "Find mistakes in this.",
    "Translate this into German.",
    "What should I do next?",
    "Give me five ideas for a title.",
    "Is there anything missing?",
    "List the open questions.",
    "How would you improve this?",
    "Write a short reply to it.",
    "Turn this into bullet points.",
    "Which part is the most important one, and why?",
    "What does the second part mean?",
    "Continue in the same style.",
    "Write a test for this.",
    "Why might this fail?",
    "Explain this to a ten-year-old.",
    "Draft an email about this to my team.",
    "What are the pros and cons?",
    "Shorten it by half.",
    "Who would disagree with this?",
    "Check the numbers, please.",
    "Describe it as a story.",
    "What else should I read about it?",
    "Make a table of it.",
    "Does this sound right to you?",
];

/// The capability whose texts are questions: one in each paragraph.
pub(super) const QUESTIONS: &str = "questions";

/// The capability whose texts are instructions: one in each paragraph.
pub(super) const INSTRUCTIONS: &str = "instructions";

/// Bytes of the reply in an earlier turn, where the questions are the validator's own.
const REPLY_BYTES: (u64, u64) = (60, 260);

/// Shortest text around a question: a shorter one says nothing, and people leave it out.
const MIN_PASSAGE_BYTES: usize = 80;

/// One of the validator's own paragraphs of that capability, where it has any.
fn own(capability: &str, corpus: &Corpus, dice: &mut Dice) -> Option<String> {
    let own: Vec<_> =
        corpus.documents().iter().filter(|document| document.capability.as_str() == capability).collect();
    let text = String::from_utf8_lossy(&dice.pick(&own)?.text);
    let paragraphs: Vec<&str> = text.split("\n\n").map(str::trim).filter(|one| !one.is_empty()).collect();
    dice.pick(&paragraphs).map(|paragraph| (*paragraph).to_owned())
}

/// A question without a right answer: one of the validator's own, where it has texts of the capability `questions`, else
/// one that many people ask.
pub(super) fn asked(corpus: &Corpus, dice: &mut Dice) -> String {
    let own = own(QUESTIONS, corpus, dice);
    own.unwrap_or_else(|| dice.pick(&ASKED).copied().unwrap_or_default().to_owned())
}

/// The messages of a chat of that shape about `question`. Never shorter than the question.
pub(super) fn around(
    question: &str,
    shape: &QueryShape,
    corpus: &Corpus,
    dice: &mut Dice,
) -> Vec<ChatMessage> {
    let mut messages = Vec::new();
    let message = |role, content: String| ChatMessage::new(role, content);
    if shape.system {
        let own = own(INSTRUCTIONS, corpus, dice);
        let common = || dice.pick(&COMMON_INSTRUCTIONS).copied().unwrap_or_default().to_owned();
        messages.push(message(Role::System, own.unwrap_or_else(common)));
    }
    let left = |messages: &[ChatMessage]| {
        let said: usize = messages.iter().map(|message| message.content.len()).sum();
        shape.bytes.saturating_sub(question.len() + said)
    };
    let turns = shape.parts.saturating_sub(messages.len() + 1) / 2;
    for _ in 0..turns {
        let [asked, answered] = earlier(left(&messages) / (turns + 1), corpus, dice);
        messages.push(message(Role::User, asked));
        messages.push(message(Role::Assistant, answered));
    }
    let rest = left(&messages);
    let text = (rest >= MIN_PASSAGE_BYTES).then(|| passage(corpus, rest, dice)).flatten();
    let content = match (text, dice.below(10)) {
        (None, _) => question.to_owned(),
        (Some(text), 0..2) => format!("{question}\n\n{text}"),
        (Some(text), 2..8) => format!("{text}\n\n{question}"),
        (Some(text), _) => dice.pick(&LEADS).copied().unwrap_or("{}").replace("{}", &text) + question,
    };
    messages.push(message(Role::User, content));
    messages
}

/// An earlier question and its reply, with a piece of text of about that many bytes.
fn earlier(bytes: usize, corpus: &Corpus, dice: &mut Dice) -> [String; 2] {
    if let Some(asked) = own(QUESTIONS, corpus, dice) {
        let reply = passage(corpus, dice.within(REPLY_BYTES.0, REPLY_BYTES.1) as usize, dice);
        return [asked, reply.unwrap_or_else(|| "I see.".into())];
    }
    let (asked, answered) = dice.pick(&EARLIER).copied().unwrap_or_default();
    let piece = passage(corpus, bytes, dice).unwrap_or_else(|| "(see above)".into());
    [asked.replace("{}", &piece), answered.to_owned()]
}

/// A piece of text of about that many bytes, from the beginning of a line or a word; none without texts.
pub(super) fn passage(corpus: &Corpus, bytes: usize, dice: &mut Dice) -> Option<String> {
    let corpus = corpus.passages();
    let long: Vec<_> = corpus.documents().iter().filter(|document| document.text.len() > bytes).collect();
    let text = &dice.pick(&long)?.text;
    let from = dice.index(text.len() - bytes);
    let window = text.get(from..from + bytes)?;
    let start = window.iter().position(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
    let piece = String::from_utf8_lossy(window.get(start..)?).replace(char::REPLACEMENT_CHARACTER, "");
    let piece = piece.trim_end();
    (!piece.is_empty()).then(|| piece.to_owned())
}

#[cfg(test)]
mod tests {
    use nervure_protocol::{QueryKind, Sampling};

    use super::{super::corpus::tests::document, *};
    use crate::task::Traffic;

    #[test]
    fn a_chat_has_the_shape_that_was_drawn() {
        let text: Vec<u8> = b"a few words of a private text, ".iter().copied().cycle().take(40_000).collect();
        let corpus = Corpus::new([document("text", &text)]);
        let (traffic, mut dice) = (Traffic::default(), Dice::new(1.into()));
        for _ in 0..300 {
            let shape = traffic.draw(QueryKind::Chat, &mut dice);
            let messages = around("What is 2 + 2?", &shape, &corpus, &mut dice);
            let bytes: usize = messages.iter().map(|message| message.content.len()).sum();
            assert!(bytes <= shape.bytes + 400, "{bytes} {shape:?}");
            assert_eq!(messages.first().unwrap().role == Role::System, shape.system);
            assert_eq!(messages.len(), shape.parts, "{shape:?}");
            let last = messages.last().unwrap();
            assert!(last.role == Role::User && last.content.contains("What is 2 + 2?"));
        }
    }

    #[test]
    fn a_validators_own_questions_come_first() {
        let corpus = Corpus::new([document(QUESTIONS, b"Why is it so?\n\nAnd how\nlong?\n\n")]);
        for seed in 0..20u64 {
            let asked = asked(&corpus, &mut Dice::new(seed.into()));
            assert!(["Why is it so?", "And how\nlong?"].contains(&asked.as_str()), "{asked}");
        }
        assert!(ASKED.contains(&asked(&Corpus::default(), &mut Dice::new(1.into())).as_str()));
    }

    #[test]
    fn with_users_questions_and_instructions_no_word_is_the_programs() {
        let text = b"a few words of a private text, ".repeat(100);
        let corpus = Corpus::new([
            document("text", &text),
            document(QUESTIONS, b"Why is it so?"),
            document(INSTRUCTIONS, b"You are a pirate."),
        ]);
        let shape = QueryShape { bytes: 60, parts: 4, system: true, ..shape(60) };
        let messages = around("How long?", &shape, &corpus, &mut Dice::new(1.into()));
        let contents: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
        assert_eq!(
            [contents[0], contents[1], contents[3]],
            ["You are a pirate.", "Why is it so?", "How long?"]
        );
        assert!(String::from_utf8(text).unwrap().contains(contents[2]));
    }

    fn shape(bytes: usize) -> QueryShape {
        let deadline = std::time::Duration::from_secs(1);
        QueryShape { sampling: Sampling::default(), bytes, parts: 1, system: false, deadline }
    }

    #[test]
    fn without_texts_the_question_stands_alone() {
        let messages = around("Why?", &shape(4_000), &Corpus::default(), &mut Dice::new(1.into()));
        assert_eq!(messages, [ChatMessage::new(Role::User, "Why?")]);
        assert_eq!(passage(&Corpus::default(), 10, &mut Dice::new(1.into())), None);
    }
}
