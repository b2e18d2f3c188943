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

/// What all experts find wrong with the request, if they find the same. The words are those of the first.
fn shared_complaint(failures: &[AttemptError]) -> Option<ServiceError> {
    let first = &failures.first()?.failure;
    if failures.iter().any(|failed| failed.failure.kind != first.kind) {
        return None;
    }
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
