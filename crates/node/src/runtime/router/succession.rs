//! An answer that outlives its expert: when one dies, or falls silent, in the middle of a text, another goes on from the
//! same byte.
//!
//! The successor gets the same question with what the asker has read already, and says only what follows. It is of the
//! same model where there is one: then the same seed makes the same text. Whoever is only silent is not given up
//! before another has begun; so a slow expert that nobody can replace is waited for.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_experts::{ExpertEvent, ExpertRequest, MAX_TEXT};
use nervure_primitives::NodeId;
use nervure_subnet::ExpertRecord;

use super::{
    Router,
    attempt::{Begun, Rest},
    body, pool, select,
};
use crate::{
    runtime::{clock, receipts::AwaitedReceipt, view},
    service::{Query, Strategy, TakeoverView},
};

/// How long an expert may be silent within a text before another is asked to go on.
const SILENCE: Duration = Duration::from_secs(2);

/// How long somebody who can answer or go on is looked for once all have failed, and the pause before they are asked again.
pub(super) const IDLE: Duration = Duration::from_secs(5);
pub(super) const AGAIN: Duration = Duration::from_millis(250);

/// Most experts that follow one another in one answer.
const MOST: usize = 8;

/// What came first.
enum Came {
    /// Something from the expert that is answering, or why there is no more.
    Event(Result<(ExpertEvent, bool), String>),
    /// Another that goes on.
    Heir(Box<Begun>),
}

/// An answer in progress.
pub(super) struct Succession {
    router: Router,
    ask: Arc<Query>,
    until: Instant,
    record: ExpertRecord,
    next: Option<(ExpertEvent, bool)>,
    rest: Rest,
    /// What the asker has read.
    said: String,
    took_over: Vec<TakeoverView>,
}

impl Succession {
    /// The answer that `begun` began.
    pub(super) fn new(router: Router, (ask, until): (&Query, Instant), begun: Begun) -> Self {
        let Begun { record, first, rest } = begun;
        let ask = Arc::new(ask.clone());
        let (next, said, took_over) = (Some(first), String::new(), Vec::new());
        Self { router, ask, until, record, next, rest, said, took_over }
    }

    /// The next event, and whether it is the last; in words why there is none.
    pub(super) async fn next(&mut self) -> Result<(ExpertEvent, bool), String> {
        let item = match self.next.take() {
            Some(item) => item,
            None => self.come().await?,
        };
        if let ExpertEvent::Text(text) = &item.0 {
            self.said.push_str(text);
        }
        Ok(item)
    }

    /// Who took over from whom.
    pub(super) fn took_over(&self) -> &[TakeoverView] {
        &self.took_over
    }

    /// The receipt of whoever ended the answer, for its part of it.
    pub(super) fn into_receipt(self) -> AwaitedReceipt {
        self.rest.into_receipt()
    }

    async fn come(&mut self) -> Result<(ExpertEvent, bool), String> {
        let heir = self.heir();
        let came = {
            let mut event = pin!(self.rest.next());
            match (tokio::time::timeout(SILENCE, &mut event).await, heir) {
                (Ok(item), _) => Came::Event(item),
                (Err(_), None) => Came::Event(event.await),
                (Err(_), Some(heir)) => tokio::select! {
                    biased;
                    item = &mut event => Came::Event(item),
                    begun = heir => match begun {
                        Ok(begun) => Came::Heir(Box::new(begun)),
                        // Nobody is better than this one, which may only be slow.
                        Err(_) => Came::Event(event.await),
                    },
                },
            }
        };
        match came {
            Came::Event(Ok(item)) => Ok(item),
            Came::Heir(begun) => {
                Ok(self.hand_over(*begun, format!("it said nothing for {} s", SILENCE.as_secs())))
            }
            Came::Event(Err(reason)) => match self.heir() {
                None => Err(reason),
                Some(heir) => match heir.await {
                    Ok(begun) => Ok(self.hand_over(begun, reason)),
                    Err(none) => Err(format!("{reason}; nobody else could go on: {none}")),
                },
            },
        }
    }

    /// Whoever goes on: what is known of experts now, as one that died may have come back meanwhile. None when the answer is
    /// no text, or has had too many.
    fn heir(&self) -> Option<impl Future<Output = Result<Begun, String>> + use<>> {
        if self.took_over.len() >= MOST {
            return None;
        }
        let request = resumed(&self.ask.request, &self.said)?;
        let (router, ask, until) = (self.router.clone(), self.ask.clone(), self.until);
        let (dead, model) = (self.record.node, self.record.model.clone());
        let failed: Vec<NodeId> = self.took_over.iter().map(|one| one.from).collect();
        Some(async move {
            let body = body(&request).map_err(|error| error.to_string())?;
            let mut give_up: Option<Instant> = None;
            loop {
                let (_, trusts) = router.opinions.trusts();
                let won = match select::select(&router.catalog, &trusts, &ask) {
                    Ok(route) => {
                        let others = route.choices.into_iter().map(|choice| choice.record);
                        let mut left: Vec<ExpertRecord> = others.filter(|other| other.node != dead).collect();
                        left.sort_by_key(|other| (other.model != model, failed.contains(&other.node)));
                        let attempts = router.attempts(body.clone(), ask.budget, until);
                        pool::first(attempts, left, Strategy::Best).await
                    }
                    Err(error) => Err(error),
                };
                match won {
                    Ok(won) => return Ok(won.begun),
                    Err(error) if give_up.is_some_and(|end| Instant::now() > end) => {
                        return Err(error.to_string());
                    }
                    // Others may be busy, or just coming back.
                    Err(_) => {
                        give_up.get_or_insert_with(|| Instant::now() + IDLE);
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            }
        })
    }

    fn hand_over(&mut self, begun: Begun, why: String) -> (ExpertEvent, bool) {
        let Begun { record, first, rest } = begun;
        tracing::info!(from = %self.record.node, to = %record.node, %why, "another expert goes on with an answer");
        let catalog = &self.router.catalog;
        catalog.observations().failed(self.record.node, &self.record.expert, clock::now());
        self.took_over.push(TakeoverView {
            from: self.record.node,
            why,
            at: self.said.len() as u64,
            expert: view::expert(&record, catalog, clock::now()),
        });
        (self.record, self.rest) = (record, rest);
        first
    }
}

/// The same question with what was said already; none where that is too long to be asked, or no text.
pub(crate) fn resumed(request: &ExpertRequest, said: &str) -> Option<ExpertRequest> {
    let mut request = request.clone();
    match &mut request {
        ExpertRequest::Complete { sampling, .. } | ExpertRequest::Chat { sampling, .. } => {
            sampling.begun.push_str(said);
        }
        _ => return None,
    }
    (said.len() <= MAX_TEXT && request.validate().is_ok()).then_some(request)
}
