//! A validator's private texts, from which tasks are cut.
//!
//! They have to be private: a text that miners have seen before measures their memory. Each document has the
//! capability that it tests, so that an expert for Rust is asked about Rust.
//!
//! # Cells
//! A text is divided into cells of one fixed length. What is to be guessed is always at the *end of a cell*, and the
//! context is always taken from the bytes before it in the same cell. A cell is asked once and then
//! [retired](super::RetiredCells): what a miner learns from its scores about the end of a cell is of no use later. Some
//! cells are for distributions and others for completions, so that no task, now or later, shows what another one asks
//! for, also where a subnet lets cells be asked again. Two things break this: changing the length of cells under way,
//! and cutting the passages of other mechanisms from the same texts. Bring new texts then.

use std::sync::Arc;

use nervure_primitives::Capability;

use super::{
    conversation::{INSTRUCTIONS, QUESTIONS},
    preference::ANSWERED,
};

/// Maximum number of documents of a corpus.
pub const MAX_DOCUMENTS: usize = 4096;

/// Maximum size of a corpus in bytes, all documents together.
pub const MAX_CORPUS: usize = 256 << 20;

/// A private text.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// The capability that it tests.
    pub capability: Capability,
    /// The text, shared by every selection that it is part of.
    pub text: Arc<[u8]>,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Document({}, {} bytes)", self.capability, self.text.len())
    }
}

/// Private texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corpus {
    documents: Vec<Document>,
}

impl Corpus {
    /// The given texts, as many of them as the bounds allow, from the first on.
    pub fn new(documents: impl IntoIterator<Item = Document>) -> Self {
        let mut room = MAX_CORPUS;
        let fits = |document: &Document| {
            let left = room.checked_sub(document.text.len());
            room = left.unwrap_or(room);
            left.is_some()
        };
        Self { documents: documents.into_iter().take_while(fits).take(MAX_DOCUMENTS).collect() }
    }

    /// The texts that test experts for `capability`.
    #[must_use]
    pub fn of(&self, capability: &Capability) -> Self {
        let fitting = self.documents.iter().filter(|document| capability.covers(&document.capability));
        Self { documents: fitting.cloned().collect() }
    }

    /// The texts that may be shown in part: without the questions and instructions that are used as they are, and without
    /// the answers that are held back.
    #[must_use]
    pub(super) fn passages(&self) -> Self {
        let is_text = |document: &&Document| {
            ![QUESTIONS, INSTRUCTIONS, ANSWERED].contains(&document.capability.as_str())
        };
        Self { documents: self.documents.iter().filter(is_text).cloned().collect() }
    }

    /// The texts.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The number of cells of `length` bytes; a shorter rest does not count.
    pub(super) fn cells(&self, length: usize) -> usize {
        self.documents.iter().map(|document| document.text.len() / length.max(1)).sum()
    }

    /// The cell of that number.
    pub(super) fn cell(&self, number: usize, length: usize) -> Option<&[u8]> {
        let (text, start) = self.place(number, length)?;
        text.get(start..start + length)
    }

    /// The text up to the end of a cell, from its document's beginning on.
    pub(super) fn up_to(&self, number: usize, length: usize) -> Option<&[u8]> {
        let (text, start) = self.place(number, length)?;
        text.get(..start + length)
    }

    /// The document of a cell, and where in it the cell begins.
    fn place(&self, mut number: usize, length: usize) -> Option<(&[u8], usize)> {
        let length = length.max(1);
        for document in &self.documents {
            let cells = document.text.len() / length;
            match number.checked_sub(cells) {
                Some(beyond) => number = beyond,
                None => return Some((&document.text, number * length)),
            }
        }
        None
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::mechanism) fn document(capability: &str, text: &[u8]) -> Document {
        Document { capability: capability.parse().unwrap(), text: text.into() }
    }

    #[test]
    fn cells_are_whole_and_counted_through() {
        let corpus = Corpus::new([document("a", b"abcde"), document("b", b"x"), document("c", b"fghijk")]);
        let cells: Vec<_> = (0..corpus.cells(2)).filter_map(|n| corpus.cell(n, 2)).collect();
        assert_eq!(cells, [b"ab", b"cd", b"fg", b"hi", b"jk"]);
        assert_eq!(corpus.cell(5, 2), None);
        assert_eq!(corpus.up_to(3, 2), Some(&b"fghi"[..]));
        assert_eq!(corpus.of(&"b".parse().unwrap()).documents().len(), 1);
    }

    #[test]
    fn documents_are_bounded_and_not_shown() {
        let many = vec![document("text", b"secret"); MAX_DOCUMENTS + 1];
        assert_eq!(Corpus::new(many).documents().len(), MAX_DOCUMENTS);
        let half: Arc<[u8]> = vec![0; MAX_CORPUS / 2 + 1].into();
        let large = Document { text: half, ..document("text", b"") };
        assert_eq!(Corpus::new([large.clone(), large]).documents().len(), 1);
        assert_eq!(format!("{:?}", document("text", b"secret")), "Document(text, 6 bytes)");
    }
}
