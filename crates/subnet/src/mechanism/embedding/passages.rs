//! Triples cut from private texts: two passages of one document, and one of a document for another capability.

use std::collections::BTreeMap;

use nervure_primitives::Capability;

use super::{
    super::{Corpus, Document, DrawError},
    Triple,
};
use crate::Dice;

/// Shortest passage, in bytes: a shorter one says nothing about its text.
pub(super) const MIN_PASSAGE_BYTES: usize = 24;

/// The documents of a corpus that are long enough for passages of some length.
pub(super) struct Passages<'a> {
    long: Vec<&'a Document>,
    bytes: usize,
}

impl<'a> Passages<'a> {
    /// Passages of `bytes`, or as long as the texts of two capabilities have.
    pub(super) fn new(corpus: &'a Corpus, bytes: usize) -> Result<Self, DrawError> {
        let mut longest = BTreeMap::<&Capability, usize>::new();
        for document in corpus.documents() {
            let longest = longest.entry(&document.capability).or_default();
            *longest = document.text.len().max(*longest);
        }
        let mut longest: Vec<usize> = longest.into_values().map(|length| length / 2).collect();
        longest.sort_unstable_by(|left, right| right.cmp(left));
        let have = longest.iter().filter(|length| **length >= MIN_PASSAGE_BYTES).count();
        let most = longest.get(1).copied().filter(|most| *most >= MIN_PASSAGE_BYTES);
        let most =
            most.ok_or(DrawError::TooLittleText { what: "capabilities with long documents", have, need: 2 })?;
        let bytes = bytes.clamp(MIN_PASSAGE_BYTES, most);
        let long = corpus.documents().iter().filter(|document| document.text.len() >= 2 * bytes).collect();
        Ok(Self { long, bytes })
    }

    /// Two passages of one document, and one of a document for another capability.
    pub(super) fn triple(&self, dice: &mut Dice) -> Option<Triple> {
        let of = *dice.pick(&self.long)?;
        let others: Vec<&Document> =
            self.long.iter().filter(|other| other.capability != of.capability).copied().collect();
        let other = *dice.pick(&others)?;
        // The first passage begins in the first half and the second where the first has ended.
        let room = of.text.len() - 2 * self.bytes;
        let first = dice.within(0, room as u64) as usize;
        let second = first + self.bytes + dice.within(0, (room - first) as u64) as usize;
        let [anchor, near] = [first, second].map(|from| self.passage(of, from));
        Some(Triple { anchor, near, far: self.anywhere(other, dice) })
    }

    /// A passage of any document.
    pub(super) fn one(&self, dice: &mut Dice) -> String {
        dice.pick(&self.long).map(|document| self.anywhere(document, dice)).unwrap_or_default()
    }

    fn anywhere(&self, document: &Document, dice: &mut Dice) -> String {
        self.passage(document, dice.within(0, (document.text.len() - self.bytes) as u64) as usize)
    }

    /// The passage from there on; a character that the cut broke is left out.
    fn passage(&self, document: &Document, from: usize) -> String {
        let bytes = document.text.get(from..from + self.bytes).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes).replace(char::REPLACEMENT_CHARACTER, "");
        // An input has a text, also where a cut leaves none.
        if text.is_empty() { "?".into() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::corpus::tests::document, *};

    const BYTES: usize = 240;

    fn triple(corpus: &Corpus, seed: u64) -> Triple {
        Passages::new(corpus, BYTES).unwrap().triple(&mut Dice::new(seed.into())).unwrap()
    }

    #[test]
    fn the_far_passage_is_of_another_capability() {
        let corpus = Corpus::new([
            document("text.a", &b"a".repeat(2000)),
            document("text.a", b"too short"),
            document("text.b", &b"b".repeat(2 * BYTES)),
        ]);
        for seed in 0..50u64 {
            let triple = triple(&corpus, seed);
            assert_eq!(triple.anchor.len(), BYTES);
            assert_eq!(triple.anchor, triple.near);
            assert_ne!(triple.anchor, triple.far);
        }
    }

    #[test]
    fn passages_are_as_long_as_the_texts_of_two_capabilities() {
        let corpus = Corpus::new([document("text.a", &[b'a'; 4000]), document("text.b", &b"b".repeat(1000))]);
        let length = |bytes| {
            let passages = Passages::new(&corpus, bytes).unwrap();
            let one = passages.one(&mut Dice::new(1.into())).len();
            assert_eq!(passages.triple(&mut Dice::new(1.into())).unwrap().far.len(), one);
            one
        };
        assert_eq!((length(1), length(300), length(9_000)), (MIN_PASSAGE_BYTES, 300, 500));
    }

    #[test]
    fn one_capability_is_not_enough() {
        let corpus = Corpus::new([document("text.a", &[b'a'; 2000])]);
        assert!(matches!(
            Passages::new(&corpus, BYTES).err(),
            Some(DrawError::TooLittleText { have: 1, need: 2, .. })
        ));
        assert!(Passages::new(&Corpus::default(), BYTES).is_err());
    }

    #[test]
    fn broken_characters_are_left_out() {
        let corpus = Corpus::new([
            document("text.a", "\u{e9}".repeat(1000).as_bytes()),
            document("text.b", "\u{1f980}".repeat(1000).as_bytes()),
        ]);
        for seed in 0..20u64 {
            let triple = triple(&corpus, seed);
            assert!(!triple.anchor.contains('\u{fffd}') && !triple.anchor.is_empty());
        }
    }
}
