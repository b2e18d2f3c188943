//! Triples cut from private texts: two passages of one document, and one of a document for another capability.

use super::{
    super::{Corpus, Document, DrawError},
    Triple,
};
use crate::Dice;

/// Bytes of one passage, before it is cut to whole characters.
const PASSAGE_BYTES: usize = 240;

/// Draws a triple.
pub(super) fn triple(dice: &mut Dice, corpus: &Corpus) -> Result<Triple, DrawError> {
    let long: Vec<&Document> =
        corpus.documents().iter().filter(|document| document.text.len() >= 2 * PASSAGE_BYTES).collect();
    let too_little =
        |have| DrawError::TooLittleText { what: "capabilities with long documents", have, need: 2 };
    let of = *dice.pick(&long).ok_or_else(|| too_little(0))?;
    let others: Vec<&Document> =
        long.iter().filter(|other| other.capability != of.capability).copied().collect();
    let other = *dice.pick(&others).ok_or_else(|| too_little(1))?;
    // The first passage begins in the first half and the second where the first has ended.
    let room = of.text.len() - 2 * PASSAGE_BYTES;
    let first = dice.within(0, room as u64) as usize;
    let second = first + PASSAGE_BYTES + dice.within(0, (room - first) as u64) as usize;
    let elsewhere = dice.within(0, (other.text.len() - PASSAGE_BYTES) as u64) as usize;
    Ok(Triple { anchor: passage(of, first), near: passage(of, second), far: passage(other, elsewhere) })
}

/// The passage from there on; a character that the cut broke is left out.
fn passage(document: &Document, from: usize) -> String {
    let bytes = document.text.get(from..from + PASSAGE_BYTES).unwrap_or_default();
    String::from_utf8_lossy(bytes).replace(char::REPLACEMENT_CHARACTER, "")
}

#[cfg(test)]
mod tests {
    use super::{super::super::corpus::tests::document, *};

    #[test]
    fn the_far_passage_is_of_another_capability() {
        let corpus = Corpus::new([
            document("text.a", &b"a".repeat(2000)),
            document("text.a", b"too short"),
            document("text.b", &b"b".repeat(2 * PASSAGE_BYTES)),
        ]);
        for seed in 0..50u64 {
            let triple = triple(&mut Dice::new(seed.into()), &corpus).unwrap();
            assert_eq!(triple.anchor.len(), PASSAGE_BYTES);
            assert_eq!(triple.anchor, triple.near);
            assert_ne!(triple.anchor, triple.far);
        }
    }

    #[test]
    fn one_capability_is_not_enough() {
        let corpus = Corpus::new([document("text.a", &[b'a'; 2000])]);
        assert!(matches!(
            triple(&mut Dice::new(1.into()), &corpus),
            Err(DrawError::TooLittleText { have: 1, need: 2, .. })
        ));
        assert!(triple(&mut Dice::new(1.into()), &Corpus::default()).is_err());
    }

    #[test]
    fn broken_characters_are_left_out() {
        let corpus = Corpus::new([
            document("text.a", "\u{e9}".repeat(1000).as_bytes()),
            document("text.b", "\u{1f980}".repeat(1000).as_bytes()),
        ]);
        for seed in 0..20u64 {
            let triple = triple(&mut Dice::new(seed.into()), &corpus).unwrap();
            assert!(!triple.anchor.contains('\u{fffd}') && !triple.anchor.is_empty());
        }
    }
}
