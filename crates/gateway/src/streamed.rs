//! Bodies that come piece by piece: server-sent events, and lines of JSON.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{
        IntoResponse, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{Stream, StreamExt};
use serde::Serialize;

/// Time without an event after which a comment is sent: it keeps proxies from closing, and detects a client that left.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Server-sent events.
pub(crate) fn sse(events: impl Stream<Item = Event> + Send + 'static) -> impl IntoResponse {
    (
        // nginx buffers a response otherwise, and the client sees the tokens in bursts.
        [("x-accel-buffering", "no")],
        Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE_INTERVAL)),
    )
}

/// A line of JSON for each value.
pub(crate) fn lines<T: Serialize>(values: impl Stream<Item = T> + Send + 'static) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    (kind, Body::from_stream(values.map(|value| line(&value))))
}

/// One line with its end.
fn line(value: &impl Serialize) -> Result<Bytes, serde_json::Error> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}
