//! What many failures come to.

use std::time::Duration;

use super::*;
use crate::{
    attempt::AttemptFailure,
    fake::{FakeExpert, unreachable},
};

fn failed(kinds: &[FailureKind]) -> ServiceError {
    let record = FakeExpert::new(0, unreachable()).record;
    let failure = |(at, kind): (usize, &FailureKind)| AttemptError {
        record: record.clone(),
        failure: AttemptFailure { kind: *kind, reason: format!("reason {at}") },
    };
    summary(kinds.iter().enumerate().map(failure).collect())
}

const BUSY_SHORT: FailureKind = FailureKind::Busy(Duration::from_secs(2));
const BUSY_LONG: FailureKind = FailureKind::Busy(Duration::from_secs(9));

#[test]
fn all_busy_is_busy_until_the_first_has_room() {
    assert_eq!(
        failed(&[BUSY_LONG, BUSY_SHORT, BUSY_LONG]),
        ServiceError::Busy { retry_after: Duration::from_secs(2) }
    );
}

#[test]
fn a_shared_complaint_is_the_askers_fault() {
    let field = "request".to_owned();
    let expected = ServiceError::InvalidRequest { field, message: "reason 0".into() };
    assert_eq!(failed(&[FailureKind::BadRequest, FailureKind::BadRequest]), expected);
    let expected = ServiceError::ContextTooLong { reason: "reason 0".into() };
    assert_eq!(failed(&[FailureKind::ContextTooLong]), expected);
}

#[test]
fn anything_else_lists_all_attempts() {
    let mixtures: [&[FailureKind]; 4] = [
        &[],
        &[FailureKind::Failed],
        &[BUSY_SHORT, FailureKind::Failed],
        &[FailureKind::BadRequest, FailureKind::ContextTooLong],
    ];
    for kinds in mixtures {
        let ServiceError::AllFailed { attempts } = failed(kinds) else { panic!("{kinds:?}") };
        assert_eq!(attempts.len(), kinds.len());
    }
}
