//! Several whole answers to one query, and one answer made of them: `vote:N` and `average:N`.
//!
//! # Design
//! The first N of the gate's choices are asked at once; one that fails is replaced by the next. More than half of N
//! must answer; the others have [`STRAGGLER_TIMEOUT`] from then on. Each node has one voice. The budget is shared
//! among the N.
//!
//! A vote gives one expert's answer unchanged, so that its receipt is for what was given. Which one: see
//! [`combine::vote`].
//!
//! # What a hostile expert can do
//! * *Answer wrongly*: it is outvoted while most trust is with others.
//! * *Stall*: the timeout ends it, or one more expert is asked ([`STALLED_ENSEMBLE_TIMEOUT`]).
//! * *Send very much*: a whole answer is bounded, in events and bytes.

mod combine;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use nervure_api::{AnswerStream, AnswerSummary, ParticipantView, Query, RouteView, ServiceError, Strategy};
use nervure_protocol::{ExpertEvent, ExpertRecord, ExpertRequest, Score};
use nervure_subnet::Choice;
use tokio::time::{Instant, sleep_until};

use crate::{
    Router,
    attempt::{AttemptError, AttemptSpec},
    body::RequestBody,
    collect::CollectedAnswer,
    failure,
    group::{TrustedExpert, require, share, trusted, unsuitable},
    select::select,
    view::count,
};

/// How long the others have when enough experts have answered.
const STRAGGLER_TIMEOUT: Duration = Duration::from_secs(2);

/// Without enough answers for this long, one more expert is asked.
const STALLED_ENSEMBLE_TIMEOUT: Duration = Duration::from_secs(3);

/// The experts of an ensemble, and how many of them are to answer.
pub(crate) struct Ensemble {
    /// Best first, at most one of each node.
    candidates: Vec<TrustedExpert>,
    size: usize,
}

/// One answer made of several.
pub(crate) struct CombinedAnswer {
    /// The expert that counts most.
    record: ExpertRecord,
    /// The answer with its end.
    events: Vec<ExpertEvent>,
    /// The experts that took part, the one that counts most first.
    participants: Vec<ParticipantView>,
    /// Their answers in the same order.
    answers: Vec<CollectedAnswer>,
    /// How many were asked.
    tried: usize,
}

/// The answers of an ensemble. Invariant: as many as are needed, the most trusted first.
struct Ballot {
    answers: Vec<(CollectedAnswer, Score)>,
    tried: usize,
}

impl Router {
    /// Several experts answer as a whole, and one answer is made of theirs.
    pub(crate) async fn ask_ensemble(
        &self,
        query: &Query,
        deadline: Instant,
    ) -> Result<AnswerStream, ServiceError> {
        let inputs = inputs(query)?;
        let size = query.strategy.width();
        // The share goes into the selection: an expert that is dearer than its share must not take a place.
        let part = Query { budget: share(query.budget, size), ..query.clone() };
        let trust = self.environment.trust.snapshot();
        let route = select(&self.environment, &trust, &part)?;
        // Vectors of different models cannot be averaged: all have to have the model of the first choice.
        let model = route.choices.first().map(|choice| choice.record.model.clone());
        let is_alike = |choice: &&Choice| inputs.is_none() || Some(&choice.record.model) == model.as_ref();
        let ensemble = Ensemble::new(trusted(route.choices.iter().filter(is_alike)), size);
        let kind = if inputs.is_some() { "of one model on different nodes" } else { "on different nodes" };
        require(query, kind, ensemble.needed(), ensemble.candidates.len())?;
        let spec = self.attempt_spec(RequestBody::of(&query.request)?, part.budget, deadline);
        let spec = AttemptSpec { nonce: query.nonce, ..spec.passed_on(query.hops) };
        let combined = match inputs {
            Some(inputs) => ensemble.average(spec, inputs).await?,
            None => ensemble.vote(spec).await?,
        };
        let (tried, participants) = (count(combined.tried), combined.participants);
        let route = RouteView { tried, participants, ..self.route_view(query, trust.block, &route) };
        Ok(AnswerStream {
            route,
            expert: self.expert_view(&combined.record),
            events: stream::iter(combined.events.into_iter().map(Ok)).boxed(),
            summary: Arc::new(self.receipts(combined.answers, query).into()),
        })
    }

    fn receipts(&self, answers: Vec<CollectedAnswer>, query: &Query) -> AnswerSummary {
        let environment = &self.environment;
        let now = environment.clock.now();
        // That of the answer that was given; the others stay between this node and their experts.
        let given = answers.first().filter(|_| query.release == Some(true));
        let released = given.and_then(CollectedAnswer::case).map(Arc::new);
        let receipts = match query.receipt {
            true => answers
                .into_iter()
                .map(|answer| answer.receipt.view(environment.node, environment.mesh, now))
                .collect(),
            false => Vec::new(),
        };
        AnswerSummary { receipts, released, ..AnswerSummary::default() }
    }
}

/// How many vectors are asked for; none when it is a text.
fn inputs(query: &Query) -> Result<Option<usize>, ServiceError> {
    match (query.strategy, &query.request) {
        (Strategy::Average(_), ExpertRequest::Embed { inputs }) => Ok(Some(inputs.len())),
        (Strategy::Average(_), _) => Err(unsuitable("average", "embeddings")),
        (_, ExpertRequest::Embed { .. } | ExpertRequest::Distribution { .. }) => {
            Err(unsuitable("vote", "text"))
        }
        // The vote compares texts, and all calls of tools have an empty one.
        (_, request) if request.has_tools() => Err(unsuitable("vote", "text without tools")),
        _ => Ok(None),
    }
}

impl Ensemble {
    /// Of `experts`, the best one of each node.
    fn new(experts: impl Iterator<Item = TrustedExpert>, size: usize) -> Self {
        let mut nodes = BTreeSet::new();
        // `insert` is false for a node that is in the set: an operator gets one voice for all experts of one
        // node.
        Self { candidates: experts.filter(|(record, _)| nodes.insert(record.node)).collect(), size }
    }

    /// How many have to answer.
    fn needed(&self) -> usize {
        self.size / 2 + 1
    }

    /// Asks, and gives the answer with the most trust behind it.
    async fn vote(self, spec: AttemptSpec) -> Result<CombinedAnswer, ServiceError> {
        Ok(combine::vote_winner(self.collect(spec).await?))
    }

    /// Asks, and gives the mean direction of the vectors of each of `inputs` texts.
    async fn average(self, spec: AttemptSpec, inputs: usize) -> Result<CombinedAnswer, ServiceError> {
        let needed = self.needed();
        let interrupted = |reason: &str| ServiceError::Interrupted { reason: reason.to_owned() };
        let mut ballot = self.collect(spec).await?;
        // `mean_answer` needs a vector of every answer for each input: one incomplete answer must not fail
        // the others.
        ballot.answers.retain(|(answer, _)| answer.vectors(inputs).is_some());
        if ballot.answers.len() < needed {
            return Err(interrupted("too few experts gave a vector for each input"));
        }
        combine::mean_answer(ballot, inputs)
            .ok_or_else(|| interrupted("the experts' vectors have no mean direction"))
    }

    async fn collect(self, spec: AttemptSpec) -> Result<Ballot, ServiceError> {
        let needed = self.needed();
        let mut collection = Collection::new(self, spec);
        let mut until = Instant::now() + STALLED_ENSEMBLE_TIMEOUT;
        while collection.answers.len() < collection.size {
            collection.fill();
            tokio::select! {
                biased;
                ended = collection.running.next() => match ended {
                    Some(Ok(answer)) => {
                        collection.answers.push(answer);
                        // Equal, not at least: later answers must not extend the time that the stragglers
                        // have.
                        if collection.answers.len() == needed {
                            until = Instant::now() + STRAGGLER_TIMEOUT;
                        }
                    }
                    Some(Err(failed)) => collection.failures.push(failed),
                    None => break,
                },
                () = sleep_until(until) => {
                    if collection.answers.len() >= needed {
                        break;
                    }
                    // The silent ones stay in the race, and only the limit on asked experts grows: one may
                    // still answer first.
                    collection.extra += 1;
                    until = Instant::now() + STALLED_ENSEMBLE_TIMEOUT;
                }
            }
        }
        collection.into_ballot(needed)
    }
}

/// Answers that are being collected.
struct Collection {
    spec: AttemptSpec,
    size: usize,
    waiting: std::vec::IntoIter<TrustedExpert>,
    running: FuturesUnordered<BoxFuture<'static, Result<(CollectedAnswer, Score), AttemptError>>>,
    answers: Vec<(CollectedAnswer, Score)>,
    failures: Vec<AttemptError>,
    tried: usize,
    /// Experts asked beyond `size`, in place of ones that stall.
    extra: usize,
}

impl Collection {
    fn new(ensemble: Ensemble, spec: AttemptSpec) -> Self {
        Self {
            spec,
            size: ensemble.size,
            waiting: ensemble.candidates.into_iter(),
            running: FuturesUnordered::new(),
            answers: Vec::new(),
            failures: Vec::new(),
            tried: 0,
            extra: 0,
        }
    }

    /// Asks as many more as may work at once.
    fn fill(&mut self) {
        while self.running.len() + self.answers.len() < self.size + self.extra
            && let Some((record, trust)) = self.waiting.next()
        {
            self.tried += 1;
            let spec = self.spec.clone();
            let answer = async move { spec.collect(record).await.map(|answer| (answer, trust)) };
            self.running.push(answer.boxed());
        }
    }

    fn into_ballot(mut self, needed: usize) -> Result<Ballot, ServiceError> {
        if self.answers.len() < needed {
            return Err(failure::summary(self.failures));
        }
        // By trust and then by node: the order of arrival must not decide.
        self.answers.sort_by_key(|(answer, trust)| (std::cmp::Reverse(*trust), answer.record.node));
        Ok(Ballot { answers: self.answers, tried: self.tried })
    }
}

#[cfg(test)]
mod tests;
