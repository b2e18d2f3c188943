//! How near a miner's answers are to those of the others.
//!
//! Miners that share a reward count as one, and each group counts by the best result in it: more copies, or answers that
//! are worth nothing, move nothing. What a miner gets is relative to the miner that agrees most, so that the level does
//! not depend on how free the questions are.

use nervure_protocol::Score;

use super::grams::resemblance;
use crate::mechanism::Fingerprint;

/// The agreement of each miner with the others, 1 for the one that agrees most; 1 for all where there is nothing to compare.
pub(super) fn agreements(prints: &[Fingerprint], groups: &[usize], scores: &[Score]) -> Vec<Score> {
    let raw: Vec<Option<Score>> = (0..prints.len())
        .map(|at| scores.get(at).is_some_and(|score| *score > Score::ZERO).then_some(at))
        .map(|at| agreement(at?, prints, groups, scores))
        .collect();
    let best = raw.iter().flatten().max().copied().unwrap_or(Score::ZERO);
    let relative = |raw: Option<Score>| match raw {
        Some(raw) if best > Score::ZERO => Score::ratio(raw.parts().into(), best.parts().into()),
        _ => Score::ONE,
    };
    raw.into_iter().map(relative).collect()
}

/// The mean resemblance to the other groups, each by its best result; none where there is no other.
fn agreement(of: usize, prints: &[Fingerprint], groups: &[usize], scores: &[Score]) -> Option<Score> {
    let (own, print) = (groups.get(of)?, prints.get(of)?);
    let (mut near, mut weights) = (0u64, 0u64);
    for members in others(*own, groups) {
        let best = members.iter().filter_map(|at| scores.get(*at)).max().copied().unwrap_or(Score::ZERO);
        let alike =
            Score::mean(members.iter().filter_map(|at| prints.get(*at)).map(|other| similar(print, other)));
        // In parts of 2^16, so that no sum of 64 products leaves 64 bits.
        let weight = u64::from(best.parts() >> 16);
        near += weight * u64::from(alike.parts() >> 16);
        weights += weight;
    }
    (weights > 0).then(|| Score::ratio(near, weights * u64::from(u32::MAX >> 16)))
}

/// The members of each other group.
fn others(own: usize, groups: &[usize]) -> Vec<Vec<usize>> {
    let mut numbers: Vec<usize> = groups.iter().copied().filter(|group| *group != own).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let members = |group: usize| (0..groups.len()).filter(|at| groups.get(*at) == Some(&group)).collect();
    numbers.into_iter().map(members).collect()
}

/// The mean resemblance of the answers to the questions that both answered, over all questions.
pub(super) fn similar(left: &Fingerprint, right: &Fingerprint) -> Score {
    let near: u64 = left.common(right).map(|(left, right)| u64::from(resemblance(left, right).parts())).sum();
    Score::ratio(near, left.len().max(1) as u64 * u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn print(numbers: &[i64]) -> Fingerprint {
        let mut sorted = numbers.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        Fingerprint::new([Some(sorted.into())])
    }

    #[test]
    fn who_says_what_others_say_agrees_most() {
        let prints = [print(&[1, 2, 3]), print(&[2, 3, 4]), print(&[3, 4, 5]), print(&[100])];
        let agreed = agreements(&prints, &[0, 1, 2, 3], &[Score::ONE; 4]);
        assert_eq!((agreed[1], agreed[3]), (Score::ONE, Score::ZERO));
        assert!(agreed[0] < Score::ONE && agreed[0] > Score::ZERO);
        assert_eq!(agreements(&prints[..1], &[0], &[Score::ONE]), [Score::ONE], "alone");
    }

    /// The variant that counts each miner lets copies make the agreement.
    #[test]
    fn a_clique_of_copies_counts_once_and_a_worthless_one_not_at_all() {
        let honest = [print(&[1, 2, 3]), print(&[2, 3, 4])];
        let clique = std::iter::repeat_n(print(&[7, 8, 9]), 20);
        let prints: Vec<Fingerprint> = honest.into_iter().chain(clique).collect();
        let copies: Vec<usize> = [0, 1].into_iter().chain([2; 20]).collect();
        let agreed = agreements(&prints, &copies, &[Score::ONE; 22]);
        assert_eq!((agreed[0], agreed[1], agreed[2]), (Score::ONE, Score::ONE, Score::ZERO));
        let apart: Vec<usize> = (0..22).collect();
        assert!(
            agreements(&prints, &apart, &[Score::ONE; 22])[0] < Score::ratio(1, 10),
            "counted one by one"
        );
        let worth: Vec<Score> = (0..22).map(|at| if at < 2 { Score::ONE } else { Score::ZERO }).collect();
        assert_eq!(agreements(&prints, &apart, &worth)[..2], [Score::ONE; 2]);
    }

    proptest! {
        #[test]
        fn a_copy_more_changes_nothing_for_others(
            answers in proptest::collection::vec((proptest::collection::vec(0i64..20, 1..8), 1u32..), 2..8),
        ) {
            let prints: Vec<Fingerprint> = answers.iter().map(|(numbers, _)| print(numbers)).collect();
            let scores: Vec<Score> = answers.iter().map(|(_, parts)| Score::from_parts(*parts)).collect();
            let groups: Vec<usize> = (0..prints.len()).collect();
            let before = agreements(&prints, &groups, &scores);
            let (mut more, mut grouped, mut worth) = (prints.clone(), groups, scores.clone());
            more.push(prints[0].clone());
            grouped.push(0);
            worth.push(scores[0]);
            let after = agreements(&more, &grouped, &worth);
            prop_assert_eq!(&before[..], &after[..prints.len()]);
            prop_assert_eq!(after[0], after[prints.len()]);
        }

        #[test]
        fn the_order_of_miners_does_not_matter(
            answers in proptest::collection::vec((proptest::collection::vec(0i64..20, 1..8), 0u32..), 1..8),
        ) {
            let prints: Vec<Fingerprint> = answers.iter().map(|(numbers, _)| print(numbers)).collect();
            let scores: Vec<Score> = answers.iter().map(|(_, parts)| Score::from_parts(*parts)).collect();
            let groups: Vec<usize> = (0..prints.len()).collect();
            let mut agreed = agreements(&prints, &groups, &scores);
            let back = |of: &[Score]| of.iter().rev().copied().collect::<Vec<_>>();
            let prints: Vec<Fingerprint> = prints.into_iter().rev().collect();
            agreed.reverse();
            prop_assert_eq!(agreements(&prints, &groups, &back(&scores)), agreed);
        }
    }
}
