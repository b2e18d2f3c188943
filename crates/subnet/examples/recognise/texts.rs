//! The texts of users and of validators: two halves of this repository's files, and users' own questions.
//!
//! The halves are of the same population, file by file. A validator whose texts are of another one than those of users,
//! or so few that a miner gets to know them, is easier to recognise than in these figures.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use nervure_subnet::{
    Dice,
    mechanism::{Corpus, Document},
};

/// Shorter files are left out, in bytes.
const MIN_FILE_BYTES: usize = 1_500;

/// The questions that a validator has collected from users, where it has.
const COLLECTED_QUESTIONS: usize = 400;

/// A validator's prompts with answers.
const PROMPTS: usize = 2_000;

/// What users instruct a model with.
pub(crate) const INSTRUCTIONS: [&str; 3] =
    ["You are a helpful assistant.", "Be brief.", "You answer customers of a bank."];

/// The files below `folder` with that extension.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|of| of == extension) {
            found.push(path);
        }
    }
}

/// The documents of users (0) or of validators (1): every other file each.
pub(crate) fn corpus(side: usize) -> Corpus {
    static SIDES: OnceLock<[Corpus; 2]> = OnceLock::new();
    let read = || {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let (mut code, mut prose) = (Vec::new(), Vec::new());
        files(&root.join("crates"), "rs", &mut code);
        files(&root.join("docs"), "md", &mut prose);
        let capabilities = [("text.generate.rust", code), ("text.generate.prose", prose)];
        let mut sides = [Vec::new(), Vec::new()];
        for (capability, mut paths) in capabilities {
            paths.sort();
            let texts = paths.iter().filter_map(|path| std::fs::read(path).ok());
            let texts = texts.filter(|text| text.len() >= MIN_FILE_BYTES);
            for (at, text) in texts.enumerate() {
                let capability = capability.parse().expect("a capability");
                sides[at % 2].push(Document { capability, text: text.into() });
            }
        }
        sides.map(Corpus::new)
    };
    SIDES.get_or_init(read)[side].clone()
}

/// A validator's documents with questions and instructions that it has collected from users.
pub(crate) fn with_users_words(corpus: &Corpus, dice: &mut Dice) -> Corpus {
    let questions: Vec<String> = (0..COLLECTED_QUESTIONS).map(|_| question(dice)).collect();
    let own = [("questions", questions.join("\n\n")), ("instructions", INSTRUCTIONS.join("\n\n"))];
    let own = own.map(|(capability, text)| Document {
        capability: capability.parse().expect("a capability"),
        text: text.into_bytes().into(),
    });
    Corpus::new(corpus.documents().iter().cloned().chain(own))
}

/// A validator's documents with prompts of this kind and an answer to each, for `preference`. A miner never sees the
/// answers: what is in them decides nothing here but how many tokens a question asks for.
pub(crate) fn with_prompts(corpus: &Corpus, prompt: fn(&mut Dice) -> String, dice: &mut Dice) -> Corpus {
    let mut item = |_| {
        let (prompt, bytes) = (prompt(dice), dice.within(80, 600) as usize);
        format!("{prompt}\n--\n{}", piece(corpus, bytes, dice).replace("\n--", "\n"))
    };
    let items: Vec<String> = (0..PROMPTS).map(&mut item).collect();
    let answered = Document {
        capability: "answered".parse().expect("a capability"),
        text: items.join("\n---\n").into_bytes().into(),
    };
    Corpus::new(corpus.documents().iter().cloned().chain([answered]))
}

/// A piece of `corpus` of that many bytes, whole characters, as people paste it.
pub(crate) fn piece(corpus: &Corpus, bytes: usize, dice: &mut Dice) -> String {
    let long: Vec<&Document> =
        corpus.documents().iter().filter(|document| document.text.len() > bytes).collect();
    let Some(document) = dice.pick(&long) else { return "x".repeat(bytes) };
    let from = dice.index(document.text.len() - bytes);
    String::from_utf8_lossy(&document.text[from..from + bytes]).replace(char::REPLACEMENT_CHARACTER, "")
}

const ASKED: [&str; 24] = [
    "How do I {v} a {n} in {t}?",
    "What is the difference between a {n} and a {m}?",
    "why does my {n} not {v} after I update {t}",
    "Write a short {n} about {t}.",
    "Explain {t} to a beginner.",
    "Can you {v} this {n} for me?",
    "Translate to French: the {n} is near the {m}.",
    "Give me five ideas for a {n}.",
    "I have {k} {n}s and need to {v} them before {t}. What should I do first?",
    "Summarise the following.",
    "What does {t} mean?",
    "is {k} {n}s a lot for a {m}?",
    "Draft an email that asks for a {n}.",
    "Which {n} would you choose for {t}, and why?",
    "fix the grammar: me and the {n} was going to {v}",
    "How many {n}s fit into a {m} of {k} litres?",
    "Make this sound friendlier.",
    "List the steps to {v} a {n}.",
    "Who invented the {n}?",
    "Compare {t} with the {m} that we used before.",
    "What is {k} percent of {j}?",
    "Suggest a name for a {n} that can {v}.",
    "Is it safe to {v} a {n} with a {m}?",
    "In one sentence: what is a {n} good for?",
];
const NOUNS: [&str; 20] = [
    "bicycle",
    "contract",
    "database",
    "recipe",
    "garden",
    "server",
    "poem",
    "budget",
    "router",
    "lecture",
    "visa",
    "kernel",
    "resume",
    "violin",
    "spreadsheet",
    "meeting",
    "vaccine",
    "bridge",
    "thesis",
    "playlist",
];
const VERBS: [&str; 12] = [
    "repair", "cancel", "compile", "paint", "measure", "rename", "schedule", "delete", "improve", "copy",
    "sort", "clean",
];
const TOPICS: [&str; 12] = [
    "Linux",
    "tax law",
    "the weekend",
    "climate",
    "Python",
    "jazz",
    "pregnancy",
    "chess",
    "inflation",
    "Rome",
    "Kubernetes",
    "photosynthesis",
];

/// What a validator writes when it has to think of prompts.
const WRITTEN: [&str; 12] = [
    "Describe a {n} to a person who has never seen one.",
    "A friend wants to {v} a {n} this evening. Advise them.",
    "Write two lines about a {n} and {t}.",
    "What could go wrong when people {v} a {n}?",
    "Name three things that a {n} and a {m} have in common.",
    "Invent a proverb about {t}.",
    "How would you explain {t} with the help of a {n}?",
    "Argue for and against {k} {n}s in one {m}.",
    "Tell a story in which a {n} changes a person's view of {t}.",
    "What should a beginner who wants to {v} a {m} buy first?",
    "Which questions would you ask before you {v} a {n}?",
    "Compose a polite refusal to {v} {k} {n}s.",
];

/// A question as a user asks it.
pub(crate) fn question(dice: &mut Dice) -> String {
    filled(&ASKED, dice)
}

/// A prompt as a validator writes it.
pub(crate) fn prompt(dice: &mut Dice) -> String {
    filled(&WRITTEN, dice)
}

/// One of `forms`, with words in the gaps.
fn filled(forms: &[&'static str], dice: &mut Dice) -> String {
    let pick = |dice: &mut Dice, words: &[&'static str]| dice.pick(words).copied().expect("not empty");
    let asked = pick(dice, forms);
    let (noun, other, verb, topic) =
        (pick(dice, &NOUNS), pick(dice, &NOUNS), pick(dice, &VERBS), pick(dice, &TOPICS));
    let (few, many) = (dice.within(2, 90).to_string(), dice.within(100, 9_000).to_string());
    let filled = asked.replace("{n}", noun).replace("{m}", other).replace("{v}", verb).replace("{t}", topic);
    filled.replace("{k}", &few).replace("{j}", &many)
}
