//! A validator's private texts, from which tasks are cut.
//!
//! They have to be private: a text that miners have seen before measures their memory. Each document has the
//! capability that it tests, so that an expert for Rust is asked about Rust.
//!
//! # Cells
//! A text is divided into cells of one fixed length. The byte to guess is always the *last byte of a cell*, and the
//! context is always taken from the bytes before it in the same cell. So no task, now or later, shows what another one
//! asks for, and a miner that writes down everything it was ever sent learns no answer. Two things break this:
//! changing the length of cells under way, and cutting the passages of `embedding` from the same texts. Bring new
//! texts then.

use std::sync::Arc;

use nervure_primitives::Capability;

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

    /// The texts.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The number of cells of `length` bytes; a shorter rest does not count.
    pub(super) fn cells(&self, length: usize) -> usize {
        self.documents.iter().map(|document| document.text.len() / length.max(1)).sum()
    }

    /// The cell of that number.
    pub(super) fn cell(&self, mut number: usize, length: usize) -> Option<&[u8]> {
        for document in &self.documents {
            let mut cells = document.text.chunks_exact(length.max(1));
            if let Some(beyond) = number.checked_sub(cells.len()) {
                number = beyond;
            } else {
                return cells.nth(number);
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
