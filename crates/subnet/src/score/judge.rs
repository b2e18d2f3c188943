//! Judging one task: each miner's score, and one reward for those whose answers are one.
//!
//! Miners whose answers are [alike](Task::alike) form a group, also through a third one, and each gets an equal
//! share of its own score. Who was faster does not matter: time proves nothing about who copied whom. How *good* an
//! answer is does not change by being given twice: what gateways route by is not shared.
//!
//! # Hazards
//! * A miner can take half of another's reward by asking it as a user and answering the same. It costs the thief a
//!   registration and never pays more than the half; what keeps it small is the price of a registration. It takes
//!   reward and no questions: the quality that validators publish stays.
//! * Whether answers are alike is decided by a tolerance. Where it matters, each mechanism says what hiding below it
//!   costs.

use nervure_primitives::NodeId;
use nervure_protocol::Score;

use crate::{
    mechanism::{Fingerprint, Reply, Task},
    task::MAX_MINERS,
};

/// What answers to one task are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// How good they are.
    pub quality: Score,
    /// Among how many miners the reward for them is shared; 1 when they are one miner's own.
    pub sharers: usize,
}

impl Mark {
    /// One miner's part of the reward.
    pub fn reward(&self) -> Score {
        self.quality.shared(self.sharers)
    }
}

impl From<Score> for Mark {
    /// Of answers that are one miner's own.
    fn from(quality: Score) -> Self {
        Self { quality, sharers: 1 }
    }
}

/// What came of a miner's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Who answered.
    pub node: NodeId,
    /// What its answers are worth.
    pub mark: Mark,
}

/// Scores the replies of up to [`MAX_MINERS`] miners to one task; who is beyond that is not judged.
pub fn judge(task: &dyn Task, answers: &[(NodeId, Vec<Reply>)]) -> Vec<Judged> {
    let answers = answers.get(..MAX_MINERS).unwrap_or(answers);
    let scores: Vec<Score> = answers.iter().map(|(_, replies)| task.score(replies)).collect();
    let prints: Vec<Fingerprint> = answers.iter().map(|(_, replies)| task.fingerprint(replies)).collect();
    let groups = groups(&scores, |a, b| match (prints.get(a), prints.get(b)) {
        (Some(left), Some(right)) => task.alike(left, right),
        _ => false,
    });
    let judged = answers.iter().zip(&scores).zip(&groups);
    judged
        .map(|(((node, _), quality), group)| {
            let sharers = groups.iter().filter(|other| *other == group).count();
            Judged { node: *node, mark: Mark { quality: *quality, sharers } }
        })
        .collect()
}

/// The number of each one's group: that of its first member. What is worth nothing is in no group but its own.
fn groups(scores: &[Score], alike: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut groups: Vec<usize> = (0..scores.len()).collect();
    let worth = |at: usize| scores.get(at).is_some_and(|score| *score > Score::ZERO);
    for late in (0..scores.len()).filter(|at| worth(*at)) {
        for early in (0..late).filter(|at| worth(*at)) {
            let (Some(&from), Some(&to)) = (groups.get(late), groups.get(early)) else { continue };
            if from != to && alike(early, late) {
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

    use nervure_protocol::ExpertRequest;
    use proptest::prelude::*;

    use super::*;
    use crate::{mechanism::Answer, testing::key};

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

    fn judged(texts: &[&str]) -> Vec<Judged> {
        let reply = |text: &str| Reply::new(Answer::Text(text.into()), Duration::ZERO);
        let answer = |(seed, text): (u8, &&str)| (key(seed).node_id(), vec![reply(text)]);
        judge(&Letters, &(1u8..).zip(texts).map(answer).collect::<Vec<_>>())
    }

    #[test]
    fn look_alikes_share_one_reward() {
        let judged = judged(&["da", "db", "da", "dc", "da"]);
        let alone = Score::ratio(100, 1000);
        let sharers: Vec<_> = judged.iter().map(|judged| judged.mark.sharers).collect();
        assert_eq!(sharers, [3, 1, 3, 1, 3]);
        assert_eq!(judged[1].mark.reward(), alone);
        assert_eq!(judged[0].mark.reward(), alone.shared(3));
        assert_eq!(judged[0].mark.quality, alone, "it is as good as ever");
    }

    #[test]
    fn those_who_answered_nothing_are_no_group() {
        let judged = judged(&["\0a", "\0a", "da"]);
        assert!(judged.iter().all(|judged| judged.mark.sharers == 1));
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
