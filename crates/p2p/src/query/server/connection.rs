//! One connection: its identity, and the queries on its streams.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_primitives::NodeId;
use nervure_protocol::{
    AnswerBounds, AnswerMeter,
    query::{ErrorText, Frame, FrameError},
};
use prometheus_client::metrics::counter::Counter;
use quinn::Incoming;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{
    Instrument, Span,
    field::{Empty, display},
};

use super::{ConnectionGuard, InboundQuery, Replier, ServerMetrics, Shared, metrics::QueryOutcome};
use crate::query::{
    QueryErrorCode, QueryOpen,
    clock::{now, sleep_until},
    frame_reader::{FrameReadError, FrameReader},
    stream::{ReceiveHalf, SendHalf},
    tls,
};

/// Drives a connection from the handshake to its end.
pub(super) async fn run(incoming: Incoming, shared: Arc<Shared>, place: ConnectionGuard) {
    let Ok(connecting) = incoming.accept() else { return };
    // A client that stalls its handshake holds a place of its network until then.
    let Ok(Ok(connection)) = timeout(shared.config.handshake, connecting).await else { return };
    let Some(from) = tls::peer(&connection) else {
        return connection.close(1u32.into(), b"no identity");
    };
    shared.metrics().connections.inc();
    loop {
        let stream = tokio::select! {
            () = shared.stop.cancelled() => break,
            stream = connection.accept_bi() => stream,
        };
        let Ok((send, receive)) = stream else { break };
        let halves = (SendHalf::Quic(send, connection.clone()), ReceiveHalf::Quic(receive));
        shared.tasks.spawn(query(shared.clone(), from, halves, CancellationToken::new()));
    }
    drop(place);
}

/// When an asker that was refused because of load may try again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Counts a query while it is in progress, and how it ended.
struct InProgressGuard {
    metrics: ServerMetrics,
    started: Instant,
    outcome: QueryOutcome,
}

impl InProgressGuard {
    fn begin(metrics: &ServerMetrics) -> Self {
        metrics.in_progress.inc();
        Self { metrics: metrics.clone(), started: Instant::now(), outcome: QueryOutcome::Stopped }
    }
}

impl Drop for InProgressGuard {
    fn drop(&mut self) {
        self.metrics.in_progress.dec();
        self.metrics.queries.inc();
        self.metrics.ended(self.outcome, self.started.elapsed());
    }
}

/// Answers the query on a stream. Cancels `left` when the asker has left.
pub(super) async fn query(
    shared: Arc<Shared>,
    from: NodeId,
    (send, receive): (SendHalf, ReceiveHalf),
    left: CancellationToken,
) {
    let mut receive = FrameReader::sharing(receive, shared.memory.clone());
    let mut in_progress = InProgressGuard::begin(shared.metrics());
    let reply = Replier::new(send, shared.metrics().clone());
    let (open, _place) = match admit(&shared, &from, &mut receive).await {
        Ok(admitted) => admitted,
        Err(Refusal { counter, code, message, later }) => {
            counter.inc();
            in_progress.outcome = QueryOutcome::Refused;
            receive.stop();
            // A timeout is fine here: dropping the replier resets the stream. An asker that grants no window must not
            // hold its place for longer than its open frame may take.
            let _ = timeout(shared.config.header, reply.refuse(code, message, later)).await;
            return;
        }
    };
    let (abandoned, progress) = (reply.abandoned(), reply.progress());
    // The shorter of both: the asker may ask for less time than this node gives, and never for more.
    let whole = shared.config.answer.min(Duration::from_millis(open.deadline_ms.into()));
    let meter = AnswerMeter::new(AnswerBounds { whole, ..AnswerBounds::NONE }, now());
    let span = answer_span(&from, &open);
    let answer = span.in_scope(|| shared.service.serve(InboundQuery { from, open, reply }));
    let answer = answer.instrument(span.clone());
    let (receive, _room) = receive.into_parts();
    let ended = receive.ended();
    let watch = async {
        ended.await;
        left.cancel();
        std::future::pending().await
    };
    in_progress.outcome = tokio::select! {
        // The answer is polled first: one that is ready at once costs only its own poll.
        biased;
        // Dropping the answer drops its replier, which tells the asker.
        answered = meter.wait(answer, now(), sleep_until) => match answered {
            Ok(()) => progress.outcome(),
            Err(_) => QueryOutcome::TimedOut,
        },
        () = abandoned => QueryOutcome::Cancelled,
        () = watch => QueryOutcome::Cancelled,
        () = shared.stop.cancelled() => QueryOutcome::Stopped,
    };
    span.record("outcome", in_progress.outcome.name());
    span.in_scope(|| tracing::debug!("the query has ended"));
}

/// The span of an answer; `attempt_id` is what the asker logs. At the level debug: there are thousands in a second.
fn answer_span(from: &NodeId, open: &QueryOpen) -> Span {
    let (name, expert) = (open.name.as_ref().map(display), open.expert.as_deref());
    tracing::debug_span!("answer", attempt_id = name, %from, expert, outcome = Empty)
}

/// Why a query is refused.
struct Refusal<'a> {
    counter: &'a Counter,
    code: QueryErrorCode,
    message: ErrorText,
    later: Option<Duration>,
}

/// Admits a query: checks the asker's rate and the number of queries in progress, and reads its open frame.
async fn admit<'a>(
    shared: &'a Shared,
    from: &NodeId,
    receive: &mut FrameReader,
) -> Result<(QueryOpen, OwnedSemaphorePermit), Refusal<'a>> {
    let counters = shared.metrics();
    let refuse = |counter, code, message: &'static str, later| Refusal {
        counter,
        code,
        message: message.into(),
        later,
    };
    let rate = match shared.admission.is_registered(from) {
        true => shared.config.rate_registered,
        false => shared.config.rate_stranger,
    };
    // The cheap check first: an asker beyond its rate costs no place and no read.
    let allowed = shared.rates.lock().take(*from, rate.get(), Instant::now());
    if !allowed {
        return Err(refuse(
            &counters.rate_limited,
            QueryErrorCode::RateLimited,
            "too many queries",
            Some(RETRY_DELAY),
        ));
    }
    let Ok(place) = shared.places_for_queries.clone().try_acquire_owned() else {
        return Err(refuse(
            &counters.refused,
            QueryErrorCode::Busy,
            "too many queries in progress",
            Some(RETRY_DELAY),
        ));
    };
    // The place is held while the frame arrives, so that the timeout bounds how long an asker can hold it
    // without a query.
    match timeout(shared.config.header, open(receive)).await {
        Ok(Ok(open)) => Ok((open, place)),
        Ok(Err(FrameReadError::NoMemory)) => Err(refuse(
            &counters.refused,
            QueryErrorCode::Busy,
            "no memory for a query of this length now",
            Some(RETRY_DELAY),
        )),
        Ok(Err(error)) => Err(Refusal {
            counter: &counters.malformed,
            code: QueryErrorCode::BadRequest,
            message: ErrorText::new(error),
            later: None,
        }),
        Err(_) => {
            let (code, message) = (QueryErrorCode::DeadlineExceeded, "the open frame took too long");
            Err(refuse(&counters.malformed, code, message, None))
        }
    }
}

/// The asker's one frame.
async fn open(receive: &mut FrameReader) -> Result<QueryOpen, FrameReadError> {
    match receive.next().await? {
        Frame::Open(open) => Ok(open),
        other => Err(FrameError::UnexpectedKind(other.kind()).into()),
    }
}
