//! Task results: each miner's quality in one task, and its share of the reward.
//!
//! Miners whose answers are [alike](Task::alike), each to each, form a group, and each gets an equal share of its own
//! reward. Speed does not matter: time does not prove who copied whom. *Quality* does not
//! depend on copies: gateways route by it, and it is not shared.
//!
//! # Hazards
//! * A miner can take half of another's reward by asking it as a user and answering the same. It costs the thief a
//!   registration and never pays more than the half; what keeps it small is the price of a registration. It takes
//!   reward and no questions: the quality that validators publish stays.
//! * Whether answers are alike is decided by a tolerance. Where it matters, each mechanism says what hiding below it
//!   costs. Two honest models that are alike by chance in one of a hundred tasks lose half a percent by it: sharing is
//!   counted task by task, and what is lost is in proportion to how often it happens.

use std::collections::BTreeSet;

use nervure_protocol::{Score, bounds::MAX_MINERS};

use super::groups::{Answered, groups};
use crate::{
    ScoredExpert,
    mechanism::{Answer, Fingerprint, Reply, Task},
};

/// The score of a miner's answers to one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskResult {
    /// The quality of the answers.
    pub quality: Score,
    /// The number of miners that share the reward; 1 when no other miner's answers are alike.
    pub sharers: usize,
    /// Whether it answered none of the task's questions. A wrong answer is not silence.
    pub is_silent: bool,
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
        Self { quality, sharers: 1, is_silent: false }
    }
}

/// An expert with its task result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinerResult {
    /// The expert.
    pub expert: ScoredExpert,
    /// The expert of its group with the smallest id; the expert itself when no other's answers are alike.
    pub group: ScoredExpert,
    /// Its result.
    pub result: TaskResult,
}

/// Scores the replies of up to [`MAX_MINERS`] experts to one task; the replies of further experts are not scored.
///
/// Nodes share a reward, not experts: a node that serves one model under two names has one reward for it either way,
/// see [`MovingAverageTable`](super::MovingAverageTable).
pub fn evaluate(task: &dyn Task, answers: &[(ScoredExpert, Vec<Reply>)]) -> Vec<MinerResult> {
    // Pairs are compared below, so that the work grows with the square of this bound.
    let answers = answers.get(..MAX_MINERS).unwrap_or(answers);
    let scores: Vec<Score> = answers.iter().map(|(_, replies)| task.score(replies)).collect();
    let prints: Vec<Fingerprint> = answers.iter().map(|(_, replies)| task.fingerprint(replies)).collect();
    let answered: Vec<Answered<'_>> = answers
        .iter()
        .zip(&scores)
        .zip(&prints)
        .map(|(((expert, _), quality), print)| Answered { expert, quality: *quality, print })
        .collect();
    let groups = groups(&answered, |left, right| task.alike(left, right));
    let replies: Vec<&[Reply]> = answers.iter().map(|(_, replies)| replies.as_slice()).collect();
    let settled = task.settle(&replies, &groups, scores.clone());
    let members = |of: usize| answered.iter().zip(&groups).filter(move |(_, group)| **group == of);
    let result = |(at, (one, group)): (usize, (&Answered<'_>, &usize))| {
        let nodes: BTreeSet<_> = members(*group).map(|(member, _)| member.expert.neuron.node).collect();
        MinerResult {
            expert: *one.expert,
            group: members(*group).map(|(member, _)| *member.expert).min().unwrap_or(*one.expert),
            // A mechanism that settles fewer scores than there are miners has none for the rest.
            result: TaskResult {
                quality: settled.get(at).copied().unwrap_or_default(),
                sharers: nodes.len(),
                is_silent: replies.get(at).is_none_or(|replies| is_silent(replies)),
            },
        }
    };
    answered.iter().zip(&groups).enumerate().map(result).collect()
}

/// Whether none of a miner's replies is an answer.
fn is_silent(replies: &[Reply]) -> bool {
    replies.iter().all(|reply| *reply.answer() == Answer::Missing)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nervure_primitives::BlockHeight;
    use nervure_protocol::{ExpertId, ExpertRequest, testing::key};

    use super::*;
    use crate::Registration;

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

    /// The results of experts that give these texts, each of the node of this number.
    fn results(answers: impl IntoIterator<Item = (u8, &'static str)>) -> Vec<MinerResult> {
        let answer = |(number, (node, text)): (u8, (u8, &str))| {
            let neuron = Registration { node: key(node).node_id(), block: BlockHeight(1) };
            let expert = ScoredExpert { neuron, expert: ExpertId::from_bytes([number; 32]) };
            (expert, vec![Reply::new(Answer::Text(text.into()), Duration::ZERO)])
        };
        evaluate(&Letters, &(0u8..).zip(answers).map(answer).collect::<Vec<_>>())
    }

    fn result(texts: &[&'static str]) -> Vec<MinerResult> {
        results((1u8..).zip(texts.iter().copied()))
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
    fn one_node_under_two_names_does_not_share_with_itself() {
        let result = results([(1, "da"), (1, "da"), (2, "db")]);
        assert!(result.iter().all(|result| result.result.sharers == 1));
        let copied = results([(1, "da"), (1, "da"), (2, "da")]);
        assert!(copied.iter().all(|result| result.result.sharers == 2), "two nodes, not three experts");
    }

    #[test]
    fn only_a_miner_without_any_answer_is_silent() {
        let wrong = Reply::new(Answer::Text("\0a".into()), Duration::ZERO);
        assert!(is_silent(&[]) && is_silent(&[Reply::missing(), Reply::missing()]));
        assert!(!is_silent(&[Reply::missing(), wrong]));
        assert!(result(&["\0a"]).iter().all(|result| !result.result.is_silent), "a wrong answer");
    }

    #[test]
    fn miners_without_answers_form_no_group() {
        let result = result(&["\0a", "\0a", "da"]);
        assert!(result.iter().all(|result| result.result.sharers == 1));
    }
}
