//! A validator's prompts with the answers that it holds back.
//!
//! They are texts of the capability [`ANSWERED`]. A line `---` stands between two prompts, and a line `--` before each
//! reference answer:
//!
//! ```text
//! How do I keep basil alive on a window sill?
//! --
//! Water it when the soil is dry, and cut the tips before it flowers.
//! --
//! Give it six hours of sun and turn the pot every few days.
//! ---
//! Write two lines about the sea in winter.
//! --
//! Grey water leans on the pier.
//! The gulls have stopped arguing.
//! ```

use std::collections::BTreeMap;

use crate::mechanism::{CellId, Corpus};

/// The capability of texts with answered prompts. No other mechanism cuts anything from them.
pub(in crate::mechanism) const ANSWERED: &str = "answered";

/// Longest prompt and longest reference answer, in bytes.
const MAX_BYTES: usize = 4 << 10;

/// Most reference answers of one prompt; further ones are left out.
const MAX_REFERENCES: usize = 8;

/// A prompt, and answers that people found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) prompt: String,
    pub(super) references: Vec<String>,
}

/// The prompts of a corpus, each once, by the ids under which they are retired. Prompts that have no reference answer or are
/// too long are left out.
pub(super) fn items(corpus: &Corpus) -> BTreeMap<CellId, Item> {
    let answered = corpus.documents().iter().filter(|document| document.capability.as_str() == ANSWERED);
    let texts = answered.map(|document| String::from_utf8_lossy(&document.text).replace("\r\n", "\n"));
    let mut items = BTreeMap::new();
    for text in texts {
        for item in text.split("\n---\n").filter_map(item) {
            items.entry(CellId::of(item.prompt.as_bytes())).or_insert(item);
        }
    }
    items
}

fn item(text: &str) -> Option<Item> {
    let mut parts = text.split("\n--\n").map(str::trim);
    let prompt = parts.next()?.to_owned();
    let fits = |part: &&str| (1..=MAX_BYTES).contains(&part.len());
    let references: Vec<String> = parts.filter(fits).take(MAX_REFERENCES).map(ToOwned::to_owned).collect();
    (fits(&prompt.as_str()) && !references.is_empty()).then_some(Item { prompt, references })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanism::corpus::tests::document;

    #[test]
    fn prompts_are_read_with_their_references() {
        let text =
            "Why?\n--\nBecause.\n\nIt is so.\n--\nWhy not?\n---\nalone\n---\r\nHow?\r\n--\r\nSlowly.\n";
        let long = format!("{}\n--\nyes", "x".repeat(MAX_BYTES + 1));
        let corpus = Corpus::new([
            document(ANSWERED, text.as_bytes()),
            document(ANSWERED, b"Why?\n--\nAgain."),
            document(ANSWERED, long.as_bytes()),
            document("text", b"Else?\n--\nNo."),
        ]);
        let mut read: Vec<Item> = items(&corpus).into_values().collect();
        read.sort_by(|left, right| left.prompt.cmp(&right.prompt));
        let item = |prompt: &str, references: &[&str]| Item {
            prompt: prompt.into(),
            references: references.iter().map(|one| (*one).to_owned()).collect(),
        };
        assert_eq!(read, [item("How?", &["Slowly."]), item("Why?", &["Because.\n\nIt is so.", "Why not?"])]);
    }

    #[test]
    fn references_are_bounded() {
        let text = format!("Why?{}", "\n--\nBecause.".repeat(20));
        let read = items(&Corpus::new([document(ANSWERED, text.as_bytes())]));
        assert_eq!(read.into_values().next().unwrap().references.len(), MAX_REFERENCES);
    }
}
