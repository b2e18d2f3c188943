//! The clock and the timer of an answer's meter ([`nervure_protocol::AnswerMeter`]).

use std::time::Instant;

/// The current moment of the runtime's clock, which tests may stop.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Ready at a moment, whatever budget the answer has used up: an answer that is always busy must end, too.
pub(super) fn sleep_until(at: Instant) -> impl Future<Output = ()> {
    tokio::task::unconstrained(tokio::time::sleep_until(at.into()))
}
