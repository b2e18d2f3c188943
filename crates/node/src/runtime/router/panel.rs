//! Several whole answers to one question, and one answer made of them: `vote:N` and `average:N`.
//!
//! # Design
//! The first N of the gate's choices are asked at once; whoever fails is replaced by the next. More than half of N
//! must answer; the rest has [`GRACE`] from then on. Each node has one voice. The budget is shared among the N.
//!
//! A vote gives one expert's answer as it is, so that its receipt is for what was given. Which one: see [`vote`].
//!
//! # What a hostile expert can do
//! * *Answer wrongly*: it is outvoted while most trust is with others.
//! * *Stall*: the grace ends it, or the next expert in its place does.
//! * *Say very much*: a whole answer is bounded, in events and bytes.

use std::{collections::BTreeSet, time::Duration};

use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use nervure_experts::{ExpertEvent, ExpertRequest, FinishReason, Usage};
use nervure_subnet::{
    ExpertRecord, Score,
    mechanism::exact_answer,
    mix::{average, majority, middle},
};
use tokio::time::{Instant, sleep_until};

use super::{
    attempt::{Attempts, Failure},
    pool::none_answered,
    whole::WholeAnswer,
};
use crate::service::{ParticipantView, ServiceError};

/// How long the others have when enough have answered.
const GRACE: Duration = Duration::from_secs(2);

/// Silence after which one more is asked, in place of whoever is silent.
const PATIENCE: Duration = Duration::from_secs(3);

/// Experts with the trust in each, best first, and how many of them are to answer.
pub(super) struct Panel {
    pub(super) candidates: Vec<(ExpertRecord, Score)>,
    pub(super) seats: usize,
}

/// An answer made of several.
pub(super) struct Decided {
    /// Who counts most.
    pub(super) record: ExpertRecord,
    /// The answer with its end.
    pub(super) events: Vec<ExpertEvent>,
    /// Who took part, whoever counts most first.
    pub(super) participants: Vec<ParticipantView>,
    /// Their answers in the same order.
    pub(super) answers: Vec<WholeAnswer>,
    /// How many were asked.
    pub(super) tried: usize,
}

/// What a panel came to before anything is made of it. Invariant: as many answers as are enough, the most trusted
/// first.
struct Heard {
    answers: Vec<(WholeAnswer, Score)>,
    tried: usize,
}

impl Panel {
    /// Of the candidates that fit, at most one of each node.
    pub(super) fn of(choices: impl Iterator<Item = (ExpertRecord, Score)>, seats: usize) -> Self {
        let mut nodes = BTreeSet::new();
        Self { candidates: choices.filter(|(record, _)| nodes.insert(record.node)).collect(), seats }
    }

    /// How many have to answer.
    pub(super) fn needed(&self) -> usize {
        self.seats / 2 + 1
    }

    /// Asks, and gives the answer that most trust is behind.
    pub(super) async fn vote(self, attempts: Attempts) -> Result<Decided, ServiceError> {
        let Heard { mut answers, tried } = self.hear(attempts).await?;
        let texts: Vec<String> = answers.iter().map(|(answer, _)| answer.text()).collect();
        let said: Vec<(&str, Score)> =
            texts.iter().zip(&answers).map(|(text, (_, trust))| (text.as_str(), *trust)).collect();
        let winner = vote(&said).unwrap_or_default();
        let agrees: Vec<bool> = texts.iter().map(|text| agree(text, &texts[winner])).collect();
        let mut participants = views(&answers);
        participants.iter_mut().zip(agrees).for_each(|(view, agrees)| view.agrees = Some(agrees));
        participants[..=winner].rotate_right(1);
        answers[..=winner].rotate_right(1);
        let usage = usage(&answers);
        let answers: Vec<WholeAnswer> = answers.into_iter().map(|(answer, _)| answer).collect();
        let (record, mut events) = (answers[0].record.clone(), answers[0].events.clone());
        events.push(ExpertEvent::Done { usage, reason: answers[0].end.1 });
        Ok(Decided { record, events, participants, answers, tried })
    }

    /// Asks, and gives the mean direction of the vectors of each of `inputs` texts.
    pub(super) async fn average(self, attempts: Attempts, inputs: usize) -> Result<Decided, ServiceError> {
        let needed = self.needed();
        let Heard { mut answers, tried } = self.hear(attempts).await?;
        answers.retain(|(answer, _)| answer.vectors(inputs).is_some());
        if answers.len() < needed {
            let reason = "too few experts gave a vector for each input".to_owned();
            return Err(ServiceError::Interrupted { reason });
        }
        let mut events = means(&answers, inputs).ok_or_else(|| ServiceError::Interrupted {
            reason: "the experts' vectors have no mean direction".into(),
        })?;
        events.push(ExpertEvent::Done { usage: usage(&answers), reason: FinishReason::Stop });
        let participants = views(&answers);
        let answers: Vec<WholeAnswer> = answers.into_iter().map(|(answer, _)| answer).collect();
        Ok(Decided { record: answers[0].record.clone(), events, participants, answers, tried })
    }

    async fn hear(self, attempts: Attempts) -> Result<Heard, ServiceError> {
        let needed = self.needed();
        let mut waiting = self.candidates.into_iter();
        let mut running = FuturesUnordered::new();
        let mut answers: Vec<(WholeAnswer, Score)> = Vec::new();
        let mut failures: Vec<(ExpertRecord, Failure)> = Vec::new();
        let (mut tried, mut extra) = (0, 0);
        let mut until = Instant::now() + PATIENCE;
        while answers.len() < self.seats {
            while running.len() + answers.len() < self.seats + extra
                && let Some((record, trust)) = waiting.next()
            {
                tried += 1;
                let attempts = attempts.clone();
                running
                    .push(async move { attempts.whole(record).await.map(|answer| (answer, trust)) }.boxed());
            }
            tokio::select! {
                biased;
                ended = running.next() => match ended {
                    Some(Ok(answer)) => {
                        answers.push(answer);
                        if answers.len() == needed {
                            until = Instant::now() + GRACE;
                        }
                    }
                    Some(Err(failed)) => failures.push(failed),
                    None => break,
                },
                () = sleep_until(until) => {
                    if answers.len() >= needed {
                        break;
                    }
                    (extra, until) = (extra + 1, Instant::now() + PATIENCE);
                }
            }
        }
        if answers.len() < needed {
            return Err(none_answered(failures));
        }
        // A stable order: by trust, then by who it is.
        answers.sort_by_key(|(answer, trust)| (std::cmp::Reverse(*trust), answer.record.node));
        Ok(Heard { answers, tried })
    }
}

/// Which answer to give: what more than half of the trust is behind. Where nothing is, and the answers are numbers,
/// the one that is their median by trust. Else what most trust is behind.
fn vote(said: &[(&str, Score)]) -> Option<usize> {
    let most = majority(said)?;
    if most.behind.parts() > u32::MAX / 2 {
        return Some(most.answer);
    }
    let median = middle(said)
        .and_then(|middle| said.iter().position(|(text, _)| exact_answer::number(text) == Some(middle)));
    Some(median.unwrap_or(most.answer))
}

/// The mean direction of each input's vectors; none where they have none.
fn means(answers: &[(WholeAnswer, Score)], inputs: usize) -> Option<Vec<ExpertEvent>> {
    let mut vectors: Vec<(Vec<&[f32]>, f64)> = Vec::new();
    for ((answer, _), view) in answers.iter().zip(views(answers)) {
        vectors.push((answer.vectors(inputs)?, view.weight));
    }
    let mean = |at: usize| {
        let weighed: Option<Vec<(&[f32], f64)>> =
            vectors.iter().map(|(vectors, weight)| Some((*vectors.get(at)?, *weight))).collect();
        Some(ExpertEvent::Embedding { index: u32::try_from(at).ok()?, vector: average(&weighed?)? })
    };
    (0..inputs).map(mean).collect()
}

/// Whether two answers say the same, as a vote counts them.
fn agree(one: &str, other: &str) -> bool {
    majority(&[(one, Score::ONE), (other, Score::ONE)]).is_some_and(|vote| vote.behind == Score::ONE)
}

/// Who took part, by the trust in each.
fn views(answers: &[(WholeAnswer, Score)]) -> Vec<ParticipantView> {
    let all: f64 = answers.iter().map(|(_, trust)| f64::from(trust.parts())).sum();
    let weight = |trust: &Score| match all > 0.0 {
        true => f64::from(trust.parts()) / all,
        false => 1.0 / answers.len() as f64,
    };
    let view = |(answer, trust): &(WholeAnswer, Score)| ParticipantView {
        node: answer.record.node,
        netuid: answer.record.netuid,
        expert: answer.record.expert.clone(),
        weight: weight(trust),
        agrees: None,
        bytes: None,
        left: None,
    };
    answers.iter().map(view).collect()
}

/// What all of them took together.
fn usage(answers: &[(WholeAnswer, Score)]) -> Usage {
    answers.iter().fold(Usage::default(), |all, (answer, _)| Usage {
        prompt_tokens: all.prompt_tokens.saturating_add(answer.end.0.prompt_tokens),
        completion_tokens: all.completion_tokens.saturating_add(answer.end.0.completion_tokens),
    })
}

/// How many vectors a question wants; none when it wants something else.
pub(super) fn inputs(request: &ExpertRequest) -> Option<usize> {
    match request {
        ExpertRequest::Embed { inputs } => Some(inputs.len()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(percent: u64) -> Score {
        Score::ratio(percent, 100)
    }

    #[test]
    fn a_vote_is_a_majority_or_a_median_or_the_most_trusted() {
        let said = [("Answer: 4", trust(50)), ("Answer: 9", trust(60)), ("Yes.\nAnswer: 4", trust(40))];
        assert_eq!(vote(&said), Some(0), "more than half is behind 4");
        let said = [("Answer: 1000", trust(50)), ("Answer: 7", trust(40)), ("Answer: 5", trust(40))];
        assert_eq!(vote(&said), Some(1), "nothing has a majority, and 7 is in the middle");
        let said = [("a", trust(50)), ("b", trust(30)), ("c", trust(30))];
        assert_eq!(vote(&said), Some(0));
        assert_eq!(vote(&[("a", Score::ZERO), ("b", Score::ZERO), ("b", Score::ZERO)]), Some(1), "by heads");
        assert_eq!(vote(&[]), None);
    }

    #[test]
    fn agreement_is_about_what_is_said() {
        assert!(agree("Answer: 4", "I think\nAnswer: 4"));
        assert!(!agree("Answer: 4", "Answer: 5"));
    }
}
