//! Answers that several experts have a part in: who is asked, and what becomes an answer.

use std::{sync::Arc, time::Instant};

use futures::{StreamExt, stream};
use nervure_experts::ExpertRequest;
use nervure_primitives::Amount;
use nervure_subnet::{Choice, ExpertRecord, Score};

use super::{
    Router, body, count,
    mixture::{Mixture, Plan},
    panel::{self, Panel},
    route_view, select,
};
use crate::{
    runtime::{clock, opinions::Trusts, view},
    service::{AnswerStream, AnswerSummary, Query, RouteView, ServiceError, Strategy},
};

/// Least experts of an answer that several make.
const FEWEST: usize = 2;

impl Router {
    /// Several experts answer in whole, and one answer is made of theirs.
    pub(super) async fn ask_panel(&self, ask: &Query, until: Instant) -> Result<AnswerStream, ServiceError> {
        let inputs = panel::inputs(&ask.request);
        match (ask.strategy, &ask.request) {
            (Strategy::Average(_), _) if inputs.is_none() => return Err(unfit("average", "embeddings")),
            (Strategy::Vote(_), ExpertRequest::Embed { .. } | ExpertRequest::Distribution { .. }) => {
                return Err(unfit("vote", "text"));
            }
            _ => {}
        }
        let share = Query { budget: share(ask.budget, ask.strategy.width()), ..ask.clone() };
        let (block, trusts) = self.opinions.trusts();
        let route = select::select(&self.catalog, &trusts, &share)?;
        // Only vectors of one model can be averaged: the model of the first choice.
        let model = route.choices.first().map(|choice| choice.record.model.clone());
        let alike = |choice: &&Choice| inputs.is_none() || Some(&choice.record.model) == model.as_ref();
        let panel = Panel::of(trusted(route.choices.iter().filter(alike), &trusts), ask.strategy.width());
        let kind = if inputs.is_some() { "of one model on different nodes" } else { "on different nodes" };
        enough(ask, kind, (panel.needed(), panel.candidates.len()))?;
        let attempts = self.attempts(body(&ask.request)?, share.budget, until);
        let decided = match inputs {
            Some(inputs) => panel.average(attempts, inputs).await?,
            None => panel.vote(attempts).await?,
        };
        let receipts = match ask.receipt {
            true => decided.answers.into_iter().map(|a| a.receipt.view(self.own, self.mesh)).collect(),
            false => Vec::new(),
        };
        let (tried, participants) = (count(decided.tried), decided.participants);
        Ok(AnswerStream {
            route: RouteView { tried, participants, ..route_view(ask, block, &route) },
            expert: view::expert(&decided.record, &self.catalog, clock::now()),
            events: stream::iter(decided.events.into_iter().map(Ok)).boxed(),
            summary: Arc::new(AnswerSummary { receipts, ..AnswerSummary::default() }.into()),
        })
    }

    /// Several byte-level experts write one text together.
    pub(super) async fn ask_mixture(
        &self,
        ask: &Query,
        until: Instant,
    ) -> Result<AnswerStream, ServiceError> {
        let ExpertRequest::Complete { prompt, sampling } = &ask.request else {
            return Err(unfit("mix", "a text to continue"));
        };
        // A step is a question of its own, to each of them.
        let steps = usize::try_from(sampling.max_tokens).unwrap_or(usize::MAX);
        let share = Query {
            budget: share(ask.budget, ask.strategy.width().saturating_mul(steps)),
            request: ExpertRequest::Distribution { context: Vec::new() },
            ..ask.clone()
        };
        let (block, trusts) = self.opinions.trusts();
        let route = select::select(&self.catalog, &trusts, &share)?;
        let byte_level = route.choices.iter().filter(|choice| choice.record.byte_level);
        let plan = Plan {
            prompt: prompt.clone(),
            sampling: sampling.clone(),
            candidates: trusted(byte_level, &trusts).collect(),
            seats: ask.strategy.width(),
        };
        enough(ask, "that are byte-level", (FEWEST, plan.candidates.len()))?;
        let attempts = self.attempts(Arc::default(), share.budget, until);
        let mixture = Mixture::begin(attempts, plan).await?;
        let record = mixture.first_record().unwrap_or_else(|| route.choices[0].record.clone());
        let (tried, participants) = (count(mixture.tried), mixture.participants());
        let route = RouteView { tried, participants, ..route_view(ask, block, &route) };
        let expert = view::expert(&record, &self.catalog, clock::now());
        Ok(written(mixture, (route, expert), ask, until))
    }
}

/// The text of a mixture, with its deadline over it.
fn written(
    mixture: Mixture,
    (route, expert): (RouteView, crate::service::ExpertView),
    ask: &Query,
    until: Instant,
) -> AnswerStream {
    let ending: Arc<std::sync::OnceLock<AnswerSummary>> = Arc::default();
    let (told, deadline) = (ending.clone(), ask.deadline);
    let events = stream::unfold(Some(Box::new(mixture)), move |mixture| {
        let told = told.clone();
        async move {
            let mut mixture = mixture?;
            Some(match tokio::time::timeout_at(until.into(), mixture.next()).await {
                Ok(Ok(event)) if Mixture::is_done(&event) => {
                    let participants = mixture.participants();
                    // Nobody else sets it.
                    let _ = told.set(AnswerSummary { participants, ..AnswerSummary::default() });
                    (Ok(event), None)
                }
                Ok(Ok(event)) => (Ok(event), Some(mixture)),
                Ok(Err(reason)) => (Err(ServiceError::Interrupted { reason }), None),
                Err(_) => (Err(ServiceError::DeadlineExceeded { after: deadline }), None),
            })
        }
    });
    AnswerStream { route, expert, events: events.boxed(), summary: ending }
}

/// Experts with the trust in each.
fn trusted<'a>(
    choices: impl Iterator<Item = &'a Choice>,
    trusts: &Trusts,
) -> impl Iterator<Item = (ExpertRecord, Score)> {
    choices.map(|choice| {
        let trust = trusts.get(&(choice.record.netuid, choice.record.node)).copied().unwrap_or_default();
        (choice.record.clone(), trust.quality())
    })
}

/// What each of so many questions may cost.
fn share(budget: Amount, questions: usize) -> Amount {
    let questions = u64::try_from(questions.max(1)).unwrap_or(u64::MAX);
    Amount::from_base_units(budget.base_units() / questions)
}

fn enough(ask: &Query, what: &'static str, (needed, found): (usize, usize)) -> Result<(), ServiceError> {
    match found < needed {
        true => Err(ServiceError::TooFewExperts { strategy: ask.strategy.to_string(), what, needed, found }),
        false => Ok(()),
    }
}

fn unfit(strategy: &str, what: &str) -> ServiceError {
    ServiceError::InvalidRequest { field: "strategy".into(), message: format!("{strategy} is for {what}") }
}
