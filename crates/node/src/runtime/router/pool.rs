//! Asks experts in the order of their ranking until one begins to answer.
//!
//! As many at once as the strategy says. Whenever one fails, the next takes its place. An expert that is silent for
//! longer than it should gets company: the next is asked as well, and the first to begin wins (a *hedged*
//! request; source: Dean and Barroso, "The Tail at Scale", 2013). So a miner that died a moment ago, whose record
//! still stands, costs its askers a fraction of a second and not a timeout. With the strategy `hedge` it gets company
//! as soon as 95 % of its answers had begun.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use nervure_subnet::ExpertRecord;

use super::{
    attempt::{Attempts, Begun, Failure, FailureKind},
    most_tries,
};
use crate::service::{FailedAttempt, ServiceError, Strategy};

/// Silence after which an expert that was never asked before gets company.
const PATIENCE: Duration = Duration::from_millis(400);

/// Bounds of that silence for one whose usual time is known: three times its usual.
const LEAST_PATIENCE: Duration = Duration::from_millis(150);
const MOST_PATIENCE: Duration = Duration::from_secs(5);

/// The expert that won, and how many were asked.
pub(super) struct Won {
    pub(super) begun: Begun,
    pub(super) tried: usize,
}

/// The first of `candidates` to begin an answer.
pub(super) async fn first(
    attempts: Attempts,
    candidates: Vec<ExpertRecord>,
    strategy: Strategy,
) -> Result<Won, ServiceError> {
    let tries = most_tries(strategy);
    let mut waiting: VecDeque<_> = candidates.into_iter().take(tries).collect();
    let mut running = FuturesUnordered::new();
    let mut asked: Vec<ExpertRecord> = Vec::new();
    let mut began: Vec<Instant> = Vec::new();
    let mut failures: Vec<(ExpertRecord, Failure)> = Vec::new();
    let mut width = strategy.width();
    loop {
        while running.len() < width
            && let Some(record) = waiting.pop_front()
        {
            asked.push(record.clone());
            began.push(Instant::now());
            let attempts = attempts.clone();
            running.push(async move { attempts.begin(record).await });
        }
        let patience = match asked.as_slice() {
            [only] if strategy == Strategy::Hedge => soon(&attempts, only),
            [.., last] => patience(&attempts, last),
            [] => PATIENCE,
        };
        tokio::select! {
            biased;
            ended = running.next() => match ended {
                Some(Ok(begun)) => {
                    let company = width - strategy.width();
                    let silent = silent(&asked, &begun.record, &failures);
                    if company > 0 {
                        overtaken(&attempts, silent.iter().map(|at| (&asked[*at], began[*at])));
                    }
                    // Whoever is only later than it mostly is did nothing wrong.
                    if company > usize::from(strategy == Strategy::Hedge) {
                        silent.iter().for_each(|at| attempts.failed(&asked[*at]));
                    }
                    return Ok(Won { begun, tried: asked.len() });
                }
                Some(Err(failed)) => {
                    tracing::debug!(expert = %failed.0.expert, node = %failed.0.node, reason = %failed.1.reason, "an attempt failed");
                    failures.push(failed);
                }
                None => return Err(none_answered(failures)),
            },
            () = tokio::time::sleep(patience), if !waiting.is_empty() => width += 1,
        }
    }
}

/// How long the expert that was asked last may be silent.
fn patience(attempts: &Attempts, record: &ExpertRecord) -> Duration {
    match attempts.catalog.seen(&record.node, &record.expert).latency_ms {
        Some(usual) => Duration::from_millis(u64::from(usual) * 3).clamp(LEAST_PATIENCE, MOST_PATIENCE),
        None => PATIENCE,
    }
}

/// When the expert is later than it mostly is.
fn soon(attempts: &Attempts, record: &ExpertRecord) -> Duration {
    match attempts.catalog.seen(&record.node, &record.expert).late_ms {
        Some(late) => Duration::from_millis(u64::from(late)).min(MOST_PATIENCE),
        None => patience(attempts, record),
    }
}

/// Those of `asked` that had time and did not begin. Who merely lost a race is among them.
fn silent(asked: &[ExpertRecord], winner: &ExpertRecord, failures: &[(ExpertRecord, Failure)]) -> Vec<usize> {
    let same = |a: &ExpertRecord, b: &ExpertRecord| (a.node, &a.expert) == (b.node, &b.expert);
    let is_silent = |record: &ExpertRecord| {
        !same(record, winner) && !failures.iter().any(|(failed, _)| same(failed, record))
    };
    // The one asked last had no time to be silent.
    let earlier = asked.split_last().map_or(&[][..], |(_, earlier)| earlier);
    (0..earlier.len()).filter(|at| is_silent(&earlier[*at])).collect()
}

/// Remembers how long experts had not begun.
fn overtaken<'a>(attempts: &Attempts, silent: impl Iterator<Item = (&'a ExpertRecord, Instant)>) {
    let mut seen = attempts.catalog.observations();
    silent.for_each(|(record, began)| seen.overtaken(record.node, &record.expert, began.elapsed()));
}

/// What to tell the asker when nobody answered.
pub(super) fn none_answered(failures: Vec<(ExpertRecord, Failure)>) -> ServiceError {
    let kinds = || failures.iter().map(|(_, failure)| failure.kind);
    let busy = |kind| match kind {
        FailureKind::Busy(after) => Some(after),
        _ => None,
    };
    if let Some(retry_after) = kinds().filter_map(busy).min()
        && kinds().all(|kind| busy(kind).is_some())
    {
        return ServiceError::Busy { retry_after };
    }
    let first = failures.first().map(|(_, failure)| failure.clone());
    if let Some(Failure { kind, reason }) = first
        && kinds().all(|other| other == kind)
    {
        match kind {
            FailureKind::BadRequest => {
                return ServiceError::InvalidRequest { field: "request".into(), message: reason };
            }
            FailureKind::DoesNotFit => return ServiceError::ContextTooLong { reason },
            FailureKind::Busy(_) | FailureKind::Failed => {}
        }
    }
    let attempts = failures.into_iter().map(|(record, failure)| FailedAttempt {
        node: record.node,
        expert: record.expert,
        failure: failure.reason,
    });
    ServiceError::AllFailed { attempts: attempts.collect() }
}
