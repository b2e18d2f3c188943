//! One connection: who it is, and its streams.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use nervure_primitives::NodeId;
use quinn::Incoming;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{InboundQuery, Place, Replier, ServerCounters, Shared};
use crate::query::{
    QueryErrorCode, QueryOpen,
    frame::{Frame, FrameError, FrameReader},
    tls,
    way::{Receiving, Sending},
};

/// Drives a connection from its first packet to its last.
pub(super) async fn run(incoming: Incoming, shared: Arc<Shared>, place: Place) {
    let Ok(connecting) = incoming.accept() else { return };
    let Ok(Ok(connection)) = timeout(shared.config.handshake, connecting).await else { return };
    let Some(from) = tls::peer(&connection) else {
        return connection.close(1u32.into(), b"no identity");
    };
    ServerCounters::count(&shared.counters.connections);
    loop {
        let stream = tokio::select! {
            () = shared.stop.cancelled() => break,
            stream = connection.accept_bi() => stream,
        };
        let Ok((send, receive)) = stream else { break };
        let ways = (Sending::Quic(send, connection.clone()), Receiving::Quic(receive));
        shared.tasks.spawn(query(shared.clone(), from, ways, CancellationToken::new()));
    }
    drop(place);
}

/// When an asker that was refused for others' load may come back.
const LATER: Duration = Duration::from_secs(1);

/// Counts a query while it is in progress.
struct InProgress(Arc<ServerCounters>);

impl InProgress {
    fn begin(counters: &Arc<ServerCounters>) -> Self {
        ServerCounters::count(&counters.in_progress);
        Self(counters.clone())
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.in_progress.fetch_sub(1, Ordering::Relaxed);
        ServerCounters::count(&self.0.queries);
    }
}

/// Answers the question on a stream. `left` is told when the asker is seen to have left.
pub(super) async fn query(
    shared: Arc<Shared>,
    from: NodeId,
    (send, receive): (Sending, Receiving),
    left: CancellationToken,
) {
    let mut receive = FrameReader::sharing(receive, shared.memory.clone());
    let _in_progress = InProgress::begin(&shared.counters);
    let began = Instant::now();
    let reply = Replier::new(send);
    let rate = match shared.admission.is_registered(&from) {
        true => shared.config.rate_registered,
        false => shared.config.rate_stranger,
    };
    let allowed = shared.rates.lock().unwrap_or_else(PoisonError::into_inner).take(from, rate.get(), began);
    if !allowed {
        ServerCounters::count(&shared.counters.rate_limited);
        receive.stop();
        let refusal = reply.refuse(QueryErrorCode::RateLimited, "too many queries", Some(LATER));
        return in_time(&shared, refusal).await;
    }
    let Ok(_place) = shared.places_for_queries.clone().try_acquire_owned() else {
        ServerCounters::count(&shared.counters.refused);
        receive.stop();
        return in_time(&shared, reply.refuse(QueryErrorCode::Busy, "too many queries in all", Some(LATER)))
            .await;
    };
    let open = match timeout(shared.config.header, open(&mut receive)).await {
        Ok(Ok(open)) => open,
        Ok(Err(FrameError::NoRoom)) => {
            ServerCounters::count(&shared.counters.refused);
            receive.stop();
            return in_time(&shared, reply.refuse(QueryErrorCode::Busy, "no room for it", Some(LATER))).await;
        }
        other => {
            ServerCounters::count(&shared.counters.malformed);
            receive.stop();
            let (code, message) = match other {
                Ok(Err(error)) => (QueryErrorCode::BadRequest, error.to_string()),
                _ => (QueryErrorCode::DeadlineExceeded, "the question took too long".into()),
            };
            return in_time(&shared, reply.refuse(code, &message, None)).await;
        }
    };
    let abandoned = reply.abandoned();
    let most = shared.config.answer.min(Duration::from_millis(open.deadline_ms.into()));
    let answer = shared.service.serve(InboundQuery { from, open, reply });
    let (receive, _room) = receive.into_parts();
    let ended = receive.ended();
    let watch = async {
        ended.await;
        left.cancel();
        std::future::pending().await
    };
    tokio::select! {
        // First the answer: one that is ready at once costs nothing but its own poll.
        biased;
        // Dropping the answer drops its replier, which tells the asker.
        _ = timeout(most, answer) => {}
        () = abandoned => {}
        () = watch => {}
        () = shared.stop.cancelled() => {}
    }
}

/// Sends a refusal, for as long as a question may take: an asker that grants no window must not keep its place.
async fn in_time(shared: &Shared, refusal: impl Future<Output = ()>) {
    // Late is as good as never: dropping the replier resets the stream.
    let _ = timeout(shared.config.header, refusal).await;
}

/// The asker's one frame.
async fn open(receive: &mut FrameReader) -> Result<QueryOpen, FrameError> {
    match receive.next().await? {
        Frame::Open(open) => Ok(open),
        _ => Err(FrameError::UnknownKind(0)),
    }
}
