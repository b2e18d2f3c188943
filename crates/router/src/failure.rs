//! What an asker is told when every attempt failed.

use crate::attempt::{AttemptError, FailureKind};
use nervure_api::{FailedAttempt, ServiceError};

/// One error for all failed attempts: the one that the asker can do most about, where all agree on it.
pub(crate) fn summary(failures: Vec<AttemptError>) -> ServiceError {
    if let Some(retry_after) = soonest_retry(&failures) {
        return ServiceError::Busy { retry_after };
    }
    if let Some(error) = shared_complaint(&failures) {
        return error;
    }
    let attempts = failures.into_iter().map(|AttemptError { record, failure }| FailedAttempt {
        node: record.node,
        expert: record.expert,
        failure: failure.reason,
    });
    ServiceError::AllFailed { attempts: attempts.collect() }
}

/// When the first expert has room again, if all are busy.
fn soonest_retry(failures: &[AttemptError]) -> Option<std::time::Duration> {
    let retries = failures.iter().map(|failed| match failed.failure.kind {
        FailureKind::Busy(after) => Some(after),
        _ => None,
    });
    retries.collect::<Option<Vec<_>>>()?.into_iter().min()
}

/// Experts that have to find a request wrong before no other is asked. One may lie, and it may be the only one that cannot do
/// what is asked for.
const ENOUGH_REFUSALS: usize = 2;

/// Whether so many experts find the request wrong that it is.
pub(crate) fn is_refused_by_enough(failures: &[AttemptError]) -> bool {
    refusals(failures).count() >= ENOUGH_REFUSALS
}

/// The failures that say that the request is wrong.
fn refusals(failures: &[AttemptError]) -> impl Iterator<Item = &AttemptError> {
    failures.iter().filter(|failed| failed.failure.kind == FailureKind::BadRequest)
}

/// What all experts find wrong with the request, if they find the same, or enough of them do. The words are those of the
/// first.
fn shared_complaint(failures: &[AttemptError]) -> Option<ServiceError> {
    let first = match is_refused_by_enough(failures) {
        true => refusals(failures).next()?,
        // All of them.
        false => failures
            .first()
            .filter(|first| failures.iter().all(|failed| failed.failure.kind == first.failure.kind))?,
    };
    let first = &first.failure;
    let reason = first.reason.clone();
    match first.kind {
        FailureKind::BadRequest => {
            Some(ServiceError::InvalidRequest { field: "request".into(), message: reason })
        }
        FailureKind::ContextTooLong => Some(ServiceError::ContextTooLong { reason }),
        FailureKind::Busy(_) | FailureKind::Failed => None,
    }
}

#[cfg(test)]
mod tests;
