//! The choice among whole answers: the best, the majority, the median.
//!
//! None depends on the order of the answers, except among answers that are equal in every respect.

use std::collections::BTreeMap;

use crate::{mechanism::exact_answer, score::median};
use nervure_protocol::Score;

/// The result of a majority vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MajorityVote {
    /// The index of the winning answer: the most trusted one of those with the winning meaning.
    pub answer: usize,
    /// The share of all trust that supports it.
    pub behind: Score,
}

/// The index of the most trusted answer; of equals, the first. `None` without answers.
pub fn best(trust: &[Score]) -> Option<usize> {
    let first_of_best = |at: &usize| (trust.get(*at).copied(), std::cmp::Reverse(*at));
    (0..trust.len()).max_by_key(first_of_best)
}

/// The answer with the most trust. Two texts agree when they name the same answer ([`exact_answer::named`]), or differ
/// in case and white space only. A tie is decided by the number of answers, then by the alphabet.
pub fn majority(answers: &[(&str, Score)]) -> Option<MajorityVote> {
    let mut said: BTreeMap<String, (u64, usize)> = BTreeMap::new();
    for (text, trust) in answers {
        let (behind, count) = said.entry(meaning(text)).or_default();
        *behind = behind.saturating_add(trust.parts().into());
        *count += 1;
    }
    // The last maximum is taken, hence from the back of the alphabet.
    let (winner, (behind, _)) = said.iter().rev().max_by_key(|(_, support)| **support)?;
    // Of the answers with one meaning, the most trusted is given: an expert with little trust cannot choose
    // the wording.
    let saying = (0u32..).zip(answers).filter(|(_, (text, _))| meaning(text) == *winner);
    let (answer, _) = saying.max_by_key(|(at, (_, trust))| (*trust, std::cmp::Reverse(*at)))?;
    let all = said.values().map(|(behind, _)| behind).sum();
    Some(MajorityVote { answer: answer as usize, behind: Score::ratio(*behind, all) })
}

/// The median by trust of the whole numbers that the answers name; answers without a number do not count.
pub fn median_number(answers: &[(&str, Score)]) -> Option<i64> {
    let number =
        |(text, trust): &(&str, Score)| Some((exact_answer::number(text)?, u64::from(trust.parts())));
    median(answers.iter().filter_map(number).collect())
}

fn meaning(text: &str) -> String {
    let said = exact_answer::named(text).unwrap_or(text);
    said.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trust(percent: u64) -> Score {
        Score::ratio(percent, 100)
    }

    #[test]
    fn the_best_is_the_most_trusted_and_then_the_first() {
        assert_eq!(best(&[trust(5), trust(9), trust(9)]), Some(1));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn the_majority_is_of_trust_and_not_of_heads() {
        let answers =
            [("Answer: 4", trust(20)), ("I think\nanswer: 5", trust(90)), ("**Answer:** 4", trust(30))];
        assert_eq!(majority(&answers).unwrap().answer, 1);
        let answers =
            [("Answer: 4", trust(50)), ("I think\nanswer: 5", trust(90)), ("Yes.\nAnswer: 4", trust(60))];
        let vote = majority(&answers).unwrap();
        assert_eq!((vote.answer, vote.behind.to_string().as_str()), (2, "0.5500"));
        assert_eq!(majority(&[("a", Score::ZERO)]).unwrap().answer, 0);
        assert_eq!(majority(&[]), None);
    }

    #[test]
    fn numbers_have_a_middle_that_outliers_do_not_move() {
        let answers =
            [("Answer: 10", trust(50)), ("12", trust(50)), ("1,000,000", trust(40)), ("no idea", trust(99))];
        assert_eq!(median_number(&answers), Some(12));
        assert_eq!(median_number(&[("none", trust(50))]), None);
    }

    proptest! {
        #[test]
        fn order_does_not_matter(answers in proptest::collection::vec(("[ab]", 0u64..4), 1..8), turn in 0usize..8) {
            let answers: Vec<(&str, Score)> = answers.iter().map(|(text, t)| (text.as_str(), trust(*t))).collect();
            let mut turned = answers.clone();
            turned.rotate_left(turn % answers.len());
            let said = |of: &[(&str, Score)]| majority(of).map(|vote| (of[vote.answer].0.to_owned(), vote.behind));
            prop_assert_eq!(said(&answers), said(&turned));
            prop_assert_eq!(median_number(&answers), median_number(&turned));
        }
    }
}
