//! Texts as groups of characters, and how much two of them have in common.
//!
//! Letters and digits count, in lower case; all else is a space. A text is the multiset of its groups of [`GRAM_LENGTH`]
//! characters, so that word forms are near each other and saying a thing twice is not saying two things.

use std::collections::BTreeSet;

use nervure_protocol::Score;

/// Characters of one group.
const GRAM_LENGTH: usize = 4;

/// Characters of a text that are compared; those after them count as not found anywhere.
pub(super) const MAX_CHARACTERS: usize = 8 << 10;

/// Groups by which two answers are compared with each other.
pub(super) const SKETCH_SIZE: usize = 64;

/// The groups of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grams {
    /// In ascending order, each as often as it occurs.
    sorted: Vec<u64>,
    /// Characters that were not read.
    beyond: usize,
}

impl Grams {
    /// The groups of `text`.
    pub(super) fn of(text: &str) -> Self {
        let mut characters = vec![' '];
        let mut beyond = 0;
        for character in text.chars().flat_map(char::to_lowercase) {
            let read = if character.is_alphanumeric() { character } else { ' ' };
            if read == ' ' && characters.last() == Some(&' ') {
                continue;
            }
            if characters.len() < MAX_CHARACTERS {
                characters.push(read);
            } else {
                beyond += 1;
            }
        }
        if characters.last() != Some(&' ') {
            characters.push(' ');
        }
        let mut sorted: Vec<u64> = characters.windows(GRAM_LENGTH).map(gram).collect();
        sorted.sort_unstable();
        Self { sorted, beyond }
    }

    /// Those that are not in `ignored`.
    pub(super) fn without(mut self, ignored: &BTreeSet<u64>) -> Self {
        self.sorted.retain(|gram| !ignored.contains(gram));
        self
    }

    /// The different groups.
    pub(super) fn distinct(&self) -> BTreeSet<u64> {
        self.sorted.iter().copied().collect()
    }

    /// The harmonic mean of the part of this text that is in the other and of the part of the other that is in this one:
    /// what one says too much counts as what one does not say.
    pub(super) fn f_measure(&self, other: &Self) -> Score {
        let (mut common, mut rest) = (0u64, other.sorted.as_slice());
        for gram in &self.sorted {
            let before = rest.partition_point(|other| other < gram);
            rest = rest.get(before..).unwrap_or_default();
            if rest.first() == Some(gram) {
                common += 1;
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        Score::ratio(2 * common, (self.len() + other.len()) as u64)
    }

    /// Groups of this text together with the characters that were not read.
    fn len(&self) -> usize {
        self.sorted.len() + self.beyond
    }

    /// The smallest different groups, in ascending order: as good as random ones, and the same ones of the same text.
    pub(super) fn sketch(&self) -> Box<[i64]> {
        // One bit less, so that the numbers are in the order of the groups.
        self.distinct().into_iter().take(SKETCH_SIZE).map(|gram| (gram >> 1) as i64).collect()
    }
}

/// About the part of all groups of two texts that are in both, by their sketches (Broder, 1997).
pub(super) fn resemblance(left: &[i64], right: &[i64]) -> Score {
    let (mut left, mut right, mut all, mut both) = (left, right, 0, 0);
    while all < SKETCH_SIZE as u64 {
        // What is smaller is in one only: both are in ascending order.
        let (of_left, of_right) = match (left.first(), right.first()) {
            (None, None) => break,
            (Some(one), Some(other)) => (one <= other, other <= one),
            (one, other) => (one.is_some(), other.is_some()),
        };
        all += 1;
        both += u64::from(of_left && of_right);
        left = left.get(usize::from(of_left)..).unwrap_or_default();
        right = right.get(usize::from(of_right)..).unwrap_or_default();
    }
    Score::ratio(both, all)
}

/// A number for a group of characters: FNV-1a, and the last step of SplitMix64, after which all bits depend on all.
fn gram(characters: &[char]) -> u64 {
    let hash = characters.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, character| {
        (hash ^ u64::from(u32::from(*character))).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn form_does_not_count_and_words_do() {
        let (one, other) = (Grams::of("The river, at  night!"), Grams::of("the river at night"));
        assert_eq!(one.f_measure(&other), Score::ONE);
        let far = Grams::of("A completely different sentence").f_measure(&other);
        assert!(far < Score::ratio(1, 10), "{far}");
        assert_eq!(Grams::of("").f_measure(&Grams::of("")), Score::ZERO);
    }

    #[test]
    fn saying_everything_is_not_saying_it_right() {
        let reference = Grams::of("Water the plants in the morning, before it gets hot.");
        let long =
            "Water the plants in the morning, before it gets hot. ".to_owned() + &"Or not. ".repeat(100);
        let twice = "Water the plants in the morning, before it gets hot. ".repeat(2);
        assert!(Grams::of(&long).f_measure(&reference) < Score::ratio(1, 4));
        assert!(Grams::of(&twice).f_measure(&reference) < Score::ratio(3, 4));
        let endless = "water ".repeat(20_000);
        let endless = Grams::of(&endless);
        assert!(
            endless.sorted.len() < MAX_CHARACTERS && endless.f_measure(&reference) < Score::ratio(1, 1000)
        );
    }

    #[test]
    fn sketches_resemble_as_the_texts_do() {
        let words: Vec<String> = (0..400).map(|number| format!("word{}", number * 7919 % 1000)).collect();
        let whole = Grams::of(&words.join(" ")).sketch();
        let most = Grams::of(&words[..360].join(" ")).sketch();
        let half = Grams::of(&words[..200].join(" ")).sketch();
        assert_eq!(resemblance(&whole, &whole), Score::ONE);
        assert!(resemblance(&whole, &most) > resemblance(&whole, &half));
        assert_eq!(resemblance(&[], &[]), Score::ZERO);
    }

    proptest! {
        #[test]
        fn the_measure_is_symmetric_and_one_for_the_same(left in "[a-e ]{0,80}", right in "[a-e ]{0,80}") {
            let (left, right) = (Grams::of(&left), Grams::of(&right));
            prop_assert_eq!(left.f_measure(&right), right.f_measure(&left));
            let itself = if left.len() == 0 { Score::ZERO } else { Score::ONE };
            prop_assert_eq!(left.f_measure(&left), itself);
            let ignored = left.distinct();
            prop_assert_eq!(left.clone().without(&ignored).f_measure(&right), Score::ZERO);
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let grams = Grams::of(&text);
            prop_assert!(grams.sketch().len() <= SKETCH_SIZE && grams.sketch().is_sorted());
        }
    }
}
