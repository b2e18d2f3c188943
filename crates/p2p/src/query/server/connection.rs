//! One connection: its identity, and the queries on its streams.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_primitives::NodeId;
use nervure_protocol::{
    AnswerBounds, AnswerMeter, AskerClass,
    query::{ErrorText, Frame, FrameError},
};
use prometheus_client::metrics::counter::Counter;
use quinn::{Connection, Incoming};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{
    Instrument, Span,
    field::{Empty, display},
};

use super::{
    InboundQuery, Replier, ServerMetrics, Shared,
    metrics::QueryOutcome,
    places::{ClassPlace, NetworkPlace},
    reply::Patience,
};
use crate::query::{
    ClassLimits, QueryErrorCode, QueryOpen,
    clock::{now, sleep_until},
    frame_reader::{FrameReadError, FrameReader},
    stream::{ReceiveHalf, SendHalf},
    tls,
};

/// Drives a connection from the handshake to its end.
pub(super) async fn run(incoming: Incoming, shared: Arc<Shared>, handshake: NetworkPlace) {
    let address = incoming.remote_address().ip();
    let Ok(connecting) = incoming.accept() else { return };
    // A client that stalls its handshake holds a place of its network until then.
    let Ok(Ok(connection)) = timeout(shared.config.handshake, connecting).await else { return };
    let Some(from) = tls::peer(&connection) else {
        return connection.close(1u32.into(), b"no identity");
    };
    let class = shared.admission.standing(&from).class;
    let Some(place) = ConnectionPlace::take(&shared, class, address) else {
        shared.metrics().refused.inc();
        return connection.close(2u32.into(), b"no place for keys of this class");
    };
    drop(handshake);
    widen(&connection, shared.config.classes.of(class));
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

/// The places of a connection whose key is known; given back on drop.
#[expect(dead_code, reason = "held for its drop")]
struct ConnectionPlace(ClassPlace, Option<NetworkPlace>);

impl ConnectionPlace {
    /// Free keys are counted by network, because an adversary has any number of them. The others are not: strangers of a
    /// network must not lock out the paying askers in it.
    fn take(shared: &Shared, class: AskerClass, address: IpAddr) -> Option<Self> {
        let network = match class.is_free() {
            true => Some(shared.networks.take(address)?),
            false => None,
        };
        Some(Self(shared.connections.take(class)?, network))
    }
}

/// Gives a connection the streams and windows of its class; until now it had those of a stranger.
fn widen(connection: &Connection, limits: &ClassLimits) {
    connection.set_max_concurrent_bi_streams(limits.streams.get().into());
    connection.set_receive_window(limits.window_bytes.into());
    connection.set_send_window(limits.window_bytes.into());
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
    // Asked for each query: a node may have gained or lost stake since it connected.
    let standing = shared.admission.standing(&from);
    let limits = *shared.config.classes.of(standing.class);
    let patience = Patience { write: limits.write, refusal: shared.config.refusal };
    let reply = Replier::new(send, shared.metrics().clone(), patience);
    let (open, _place) = match admit(&shared, (from, standing.class), &mut receive).await {
        Ok(admitted) => admitted,
        Err(Refusal { counter, code, message, later }) => {
            counter.inc();
            in_progress.outcome = QueryOutcome::Refused;
            receive.stop();
            return reply.refuse(code, message, later).await;
        }
    };
    let (abandoned, progress) = (reply.abandoned(), reply.progress());
    // The shorter of both: the asker may ask for less time than its class has, and never for more.
    let whole = limits.answer.min(Duration::from_millis(open.deadline_ms.into()));
    let meter = AnswerMeter::new(AnswerBounds { whole, ..AnswerBounds::NONE }, now());
    let span = answer_span(&from, &open);
    let answer = span.in_scope(|| shared.service.serve(InboundQuery { from, standing, open, reply }));
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

/// Admits a query: checks the asker's rate and its class's queries in progress, and reads its open frame.
async fn admit<'a>(
    shared: &'a Shared,
    (from, class): (NodeId, AskerClass),
    receive: &mut FrameReader,
) -> Result<(QueryOpen, ClassPlace), Refusal<'a>> {
    let counters = shared.metrics();
    let refuse = |counter, code, message: &'static str, later| Refusal {
        counter,
        code,
        message: message.into(),
        later,
    };
    // The cheap check first: an asker beyond its rate costs no place and no read.
    if !shared.is_within_rate(from, class) {
        return Err(refuse(
            &counters.rate_limited,
            QueryErrorCode::RateLimited,
            "too many queries",
            Some(RETRY_DELAY),
        ));
    }
    let Some(place) = shared.queries.take(class) else {
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
