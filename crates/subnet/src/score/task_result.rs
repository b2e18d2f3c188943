//! Task results: each miner's quality in one task, and its share of the reward.
//!
//! Miners whose answers are [alike](Task::alike) form a group, also transitively, and each gets an equal
//! share of its own reward. Speed does not matter: time does not prove who copied whom. *Quality* does not
//! depend on copies: gateways route by it, and it is not shared.
//!
//! # Hazards
//! * A miner can take half of another's reward by asking it as a user and answering the same. It costs the thief a
//!   registration and never pays more than the half; what keeps it small is the price of a registration. It takes
//!   reward and no questions: the quality that validators publish stays.
//! * Whether answers are alike is decided by a tolerance. Where it matters, each mechanism says what hiding below it
//!   costs.

use nervure_primitives::NodeId;
use nervure_protocol::{Score, bounds::MAX_MINERS};

use crate::mechanism::{Fingerprint, Reply, Task};

/// The score of a miner's answers to one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskResult {
    /// The quality of the answers.
    pub quality: Score,
    /// The number of miners that share the reward; 1 when no other miner's answers are alike.
    pub sharers: usize,
}

impl TaskResult {
    /// The miner's share of the reward.
    pub fn reward(&self) -> Score {
        self.quality.shared(self.sharers)
    }
}

impl From<Score> for TaskResult {
    /// The result of answers that are not shared.
    fn from(quality: Score) -> Self {
        Self { quality, sharers: 1 }
    }
}

/// A miner with its task result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinerResult {
    /// The miner.
    pub node: NodeId,
    /// Its result.
    pub result: TaskResult,
}

/// Scores the replies of up to [`MAX_MINERS`] miners to one task; the replies of further miners are not scored.
pub fn evaluate(task: &dyn Task, answers: &[(NodeId, Vec<Reply>)]) -> Vec<MinerResult> {
    // Pairs are compared below, so that the work grows with the square of this bound.
    let answers = answers.get(..MAX_MINERS).unwrap_or(answers);
    let scores: Vec<Score> = answers.iter().map(|(_, replies)| task.score(replies)).collect();
    let prints: Vec<Fingerprint> = answers.iter().map(|(_, replies)| task.fingerprint(replies)).collect();
    let groups = groups(&scores, |a, b| match (prints.get(a), prints.get(b)) {
        (Some(left), Some(right)) => task.alike(left, right),
        _ => false,
    });
    let result = answers.iter().zip(&scores).zip(&groups);
    result
        .map(|(((node, _), quality), group)| {
            let sharers = groups.iter().filter(|other| *other == group).count();
            MinerResult { node: *node, result: TaskResult { quality: *quality, sharers } }
        })
        .collect()
}

/// The group of each miner, named by its first member. Worthless answers form no groups: all empty
/// answers are alike.
fn groups(scores: &[Score], alike: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut groups: Vec<usize> = (0..scores.len()).collect();
    let worth = |at: usize| scores.get(at).is_some_and(|score| *score > Score::ZERO);
    for late in (0..scores.len()).filter(|at| worth(*at)) {
        for early in (0..late).filter(|at| worth(*at)) {
            let (Some(&from), Some(&to)) = (groups.get(late), groups.get(early)) else { continue };
            if from != to && alike(early, late) {
                // The smaller name stays: it is the first member of both groups, and the result does not
                // depend on the order.
                let (from, to) = (from.max(to), from.min(to));
                groups.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nervure_protocol::{ExpertRequest, testing::key};
    use proptest::prelude::*;

    use super::*;
    use crate::mechanism::Answer;

    /// Scores the first byte of a text in thousandths; texts with the same second byte are alike.
    struct Letters;

    impl Letters {
        fn byte(replies: &[Reply], at: usize) -> u8 {
            match replies.first().map(Reply::answer) {
                Some(Answer::Text(text)) => text.as_bytes()[at],
                _ => 0,
            }
        }
    }

    impl Task for Letters {
        fn requests(&self) -> &[ExpertRequest] {
            &[]
        }

        fn score(&self, replies: &[Reply]) -> Score {
            Score::ratio(Self::byte(replies, 0).into(), 1000)
        }

        fn fingerprint(&self, replies: &[Reply]) -> Fingerprint {
            Fingerprint::new([Some(Box::from([Self::byte(replies, 1).into()]))])
        }

        fn alike(&self, left: &Fingerprint, right: &Fingerprint) -> bool {
            left == right
        }
    }

    fn result(texts: &[&str]) -> Vec<MinerResult> {
        let reply = |text: &str| Reply::new(Answer::Text(text.into()), Duration::ZERO);
        let answer = |(seed, text): (u8, &&str)| (key(seed).node_id(), vec![reply(text)]);
        evaluate(&Letters, &(1u8..).zip(texts).map(answer).collect::<Vec<_>>())
    }

    #[test]
    fn look_alikes_share_one_reward() {
        let result = result(&["da", "db", "da", "dc", "da"]);
        let alone = Score::ratio(100, 1000);
        let sharers: Vec<_> = result.iter().map(|result| result.result.sharers).collect();
        assert_eq!(sharers, [3, 1, 3, 1, 3]);
        assert_eq!(result[1].result.reward(), alone);
        assert_eq!(result[0].result.reward(), alone.shared(3));
        assert_eq!(result[0].result.quality, alone, "it is as good as ever");
    }

    #[test]
    fn miners_without_answers_form_no_group() {
        let result = result(&["\0a", "\0a", "da"]);
        assert!(result.iter().all(|result| result.result.sharers == 1));
    }

    proptest! {
        #[test]
        fn groups_hold_what_is_linked_and_nothing_else(links in proptest::collection::vec((0usize..8, 0usize..8), 0..12)) {
            let linked = |a: usize, b: usize| links.contains(&(a, b)) || links.contains(&(b, a));
            let groups = groups(&[Score::ONE; 8], linked);
            for (a, b) in &links {
                prop_assert_eq!(groups[*a], groups[*b]);
            }
            // What can be reached along links has the same number.
            for start in 0..8 {
                let mut reached = vec![start];
                while let Some(next) = (0..8).find(|n| !reached.contains(n) && reached.iter().any(|r| linked(*r, *n))) {
                    reached.push(next);
                }
                let same: Vec<_> = (0..8).filter(|n| groups[*n] == groups[start]).collect();
                reached.sort();
                prop_assert_eq!(same, reached);
            }
        }
    }
}
