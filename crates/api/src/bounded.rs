//! Asks a query within its bounds: its deadline, and the bytes that its answer may have.
//!
//! Both are enforced here and nowhere else: a router's strategies and a node's service only start answers, and a
//! gateway only states the bounds in the [`Query`]. An expert may be
//! hostile, and so an answer may be late, endless, or endless in small pieces. [`AnswerMeter`] says what counts as
//! beyond a bound.

use std::{future::Future, time::Instant};

use futures::{StreamExt, stream};
use nervure_protocol::{AnswerBounds, AnswerMeter, BoundExceeded, ExpertEvent};

use crate::{AnswerStream, Query, ServiceError};

/// Charged for an event besides its content, so that an endless stream of empty events ends as well.
const EVENT_OVERHEAD_BYTES: usize = 16;

/// Asks `query`, within its bounds, with `ask`, which starts an answer. Dropping the future or the answer drops what
/// `ask` gave. The answer ends after exactly one [`ExpertEvent::Done`] or error, and frees the expert then.
///
/// # Errors
/// [`ServiceError::DeadlineExceeded`] when no answer starts in time; any error of `ask`.
pub async fn ask_within_bounds<F>(
    query: Query,
    ask: impl FnOnce(Query) -> F,
) -> Result<AnswerStream, ServiceError>
where
    F: Future<Output = Result<AnswerStream, ServiceError>>,
{
    let bounds = AnswerBounds {
        whole: query.deadline,
        max_bytes: query.max_answer,
        piece_overhead: EVENT_OVERHEAD_BYTES,
        ..AnswerBounds::NONE
    };
    let meter = AnswerMeter::new(bounds, now());
    let answer = wait_within(&meter, ask(query)).await.map_err(error)??;
    let events = stream::unfold(Some((answer.events, meter)), |running| async move {
        let (mut events, mut meter) = running?;
        let item = match wait_within(&meter, events.next()).await {
            Ok(Some(Ok(event))) => charge(&mut meter, event),
            Ok(Some(Err(error))) => Err(error),
            Ok(None) => Err(interrupted("the stream ended without its last event")),
            Err(exceeded) => Err(error(exceeded)),
        };
        let is_last = matches!(item, Err(_) | Ok(ExpertEvent::Done { .. }));
        Some((item, (!is_last).then_some((events, meter))))
    });
    Ok(AnswerStream { events: events.boxed(), ..answer })
}

/// Waits for `piece` within the bounds of `meter`, on the clock of tokio's runtime.
///
/// # Errors
/// When the piece does not come in time.
pub async fn wait_within<T>(meter: &AnswerMeter, piece: impl Future<Output = T>) -> Result<T, BoundExceeded> {
    // Unconstrained: an answer that uses up the task's budget whenever it is polled must end, too.
    let sleep_until = |at: Instant| tokio::task::unconstrained(tokio::time::sleep_until(at.into()));
    meter.wait(piece, now(), sleep_until).await
}

fn charge(meter: &mut AnswerMeter, event: ExpertEvent) -> Result<ExpertEvent, ServiceError> {
    if !matches!(event, ExpertEvent::Done { .. }) {
        meter.charge(event.content_bytes()).map_err(error)?;
    }
    Ok(event)
}

/// The current moment of the runtime's clock, which tests may stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn error(exceeded: BoundExceeded) -> ServiceError {
    match exceeded {
        BoundExceeded::Late { after } | BoundExceeded::Stalled { after } => {
            ServiceError::DeadlineExceeded { after }
        }
        BoundExceeded::TooLong { .. } | BoundExceeded::TooManyPieces { .. } => {
            interrupted("the expert sent more than this node accepts")
        }
    }
}

fn interrupted(reason: &str) -> ServiceError {
    ServiceError::Interrupted { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
