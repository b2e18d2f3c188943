//! One answer out of several: the vote on texts, the mean of vectors.

use nervure_api::ParticipantView;
use nervure_protocol::{ExpertEvent, FinishReason, Score, Usage};
use nervure_subnet::{
    mechanism::exact_answer,
    mix::{average, majority, median_number},
};

use super::{Ballot, CombinedAnswer};
use crate::collect::CollectedAnswer;

/// The answer that wins the vote, unchanged.
pub(super) fn vote_winner(ballot: Ballot) -> CombinedAnswer {
    let Ballot { mut answers, tried } = ballot;
    let texts: Vec<String> = answers.iter().map(|(answer, _)| answer.text()).collect();
    let voices: Vec<(&str, Score)> =
        texts.iter().zip(&answers).map(|(text, (_, trust))| (text.as_str(), *trust)).collect();
    let winner = vote(&voices).unwrap_or_default();
    let mut participants = participants(&answers);
    for (view, text) in participants.iter_mut().zip(&texts) {
        view.agrees = Some(agree(text, &texts[winner]));
    }
    // The winner first, the others in their order.
    participants[..=winner].rotate_right(1);
    answers[..=winner].rotate_right(1);
    let usage = usage(&answers);
    let answers: Vec<CollectedAnswer> = answers.into_iter().map(|(answer, _)| answer).collect();
    let (record, mut events) = (answers[0].record.clone(), answers[0].events.clone());
    events.push(ExpertEvent::Done { usage, reason: answers[0].reason });
    CombinedAnswer { record, events, participants, answers, tried }
}

/// The mean direction of each input's vectors; none where they have none. Every answer has a vector for each input.
pub(super) fn mean_answer(ballot: Ballot, inputs: usize) -> Option<CombinedAnswer> {
    let Ballot { answers, tried } = ballot;
    let mut events = means(&answers, inputs)?;
    events.push(ExpertEvent::Done { usage: usage(&answers), reason: FinishReason::Stop });
    let participants = participants(&answers);
    let answers: Vec<CollectedAnswer> = answers.into_iter().map(|(answer, _)| answer).collect();
    let record = answers.first()?.record.clone();
    Some(CombinedAnswer { record, events, participants, answers, tried })
}

/// Which answer wins: the one with more than half of the trust behind it. Where there is none and the answers are
/// numbers, the one that is their median by trust. Else the one with the most trust behind it.
pub(super) fn vote(voices: &[(&str, Score)]) -> Option<usize> {
    let most = majority(voices)?;
    // A score of 1 is `u32::MAX` parts, so this is a strict majority of all trust.
    if most.behind.parts() > u32::MAX / 2 {
        return Some(most.answer);
    }
    // The median moves out of the honest numbers only when liars have half of the trust; a plurality does so
    // with less.
    let median = median_number(voices)
        .and_then(|middle| voices.iter().position(|(text, _)| exact_answer::number(text) == Some(middle)));
    Some(median.unwrap_or(most.answer))
}

fn means(answers: &[(CollectedAnswer, Score)], inputs: usize) -> Option<Vec<ExpertEvent>> {
    let mut vectors: Vec<(Vec<&[f32]>, f64)> = Vec::new();
    for ((answer, _), view) in answers.iter().zip(participants(answers)) {
        vectors.push((answer.vectors(inputs)?, view.weight));
    }
    let mean = |input: usize| {
        let weighted: Option<Vec<(&[f32], f64)>> =
            vectors.iter().map(|(vectors, weight)| Some((*vectors.get(input)?, *weight))).collect();
        Some(ExpertEvent::Embedding { index: u32::try_from(input).ok()?, vector: average(&weighted?)? })
    };
    (0..inputs).map(mean).collect()
}

/// Whether a vote counts two answers as the same.
pub(super) fn agree(one: &str, other: &str) -> bool {
    majority(&[(one, Score::ONE), (other, Score::ONE)]).is_some_and(|vote| vote.behind == Score::ONE)
}

/// The experts that took part, weighted by the trust in each.
fn participants(answers: &[(CollectedAnswer, Score)]) -> Vec<ParticipantView> {
    let all: f64 = answers.iter().map(|(_, trust)| f64::from(trust.parts())).sum();
    let weight = |trust: &Score| match all > 0.0 {
        true => f64::from(trust.parts()) / all,
        false => 1.0 / answers.len() as f64,
    };
    let view = |(answer, trust): &(CollectedAnswer, Score)| ParticipantView {
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

/// The tokens of all answers together: all of them are paid for.
fn usage(answers: &[(CollectedAnswer, Score)]) -> Usage {
    answers.iter().fold(Usage::default(), |all, (answer, _)| Usage {
        prompt_tokens: all.prompt_tokens.saturating_add(answer.usage.prompt_tokens),
        completion_tokens: all.completion_tokens.saturating_add(answer.usage.completion_tokens),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(percent: u64) -> Score {
        Score::ratio(percent, 100)
    }

    #[test]
    fn a_vote_is_a_majority_or_a_median_or_the_most_trusted() {
        let voices = [("Answer: 4", trust(50)), ("Answer: 9", trust(60)), ("Yes.\nAnswer: 4", trust(40))];
        assert_eq!(vote(&voices), Some(0), "more than half is behind 4");
        let voices = [("Answer: 1000", trust(50)), ("Answer: 7", trust(40)), ("Answer: 5", trust(40))];
        assert_eq!(vote(&voices), Some(1), "there is no majority, and 7 is the median");
        let voices = [("a", trust(50)), ("b", trust(30)), ("c", trust(30))];
        assert_eq!(vote(&voices), Some(0));
        let voices = [("a", Score::ZERO), ("b", Score::ZERO), ("b", Score::ZERO)];
        assert_eq!(vote(&voices), Some(1), "without trust, by heads");
        assert_eq!(vote(&[]), None);
    }

    #[test]
    fn answers_agree_when_their_results_are_equal() {
        assert!(agree("Answer: 4", "I think\nAnswer: 4"));
        assert!(!agree("Answer: 4", "Answer: 5"));
    }
}
