//! The load: the same for both servers.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};

use super::PAYLOAD_BYTES;

/// A client of one of the servers.
pub(crate) trait EchoClient {
    /// A query with `payload` and its answer of the same length.
    async fn echo(&self, payload: &[u8]) -> anyhow::Result<()>;
    /// An answer in `chunks` pieces of [`PAYLOAD_BYTES`] bytes.
    async fn stream(&self, chunks: u32) -> anyhow::Result<()>;
    /// A new connection with one query on it.
    async fn handshake(&self) -> anyhow::Result<()>;
}

/// Puts load on a server.
pub(crate) struct Load<'a, C> {
    client: &'a C,
    payload: Vec<u8>,
}

impl<'a, C: EchoClient> Load<'a, C> {
    /// A load through `client`.
    pub(crate) fn new(client: &'a C) -> Self {
        Self { client, payload: vec![7; PAYLOAD_BYTES] }
    }

    /// Times of `count` new connections.
    pub(crate) async fn handshakes(&self, count: usize) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            self.client.handshake().await?;
            times.push(began.elapsed());
        }
        Ok(times)
    }

    /// Times of `count` sequential queries.
    pub(crate) async fn sequential(&self, count: usize) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            self.client.echo(&self.payload).await?;
            times.push(began.elapsed());
        }
        Ok(times)
    }

    /// How many queries are answered within `time`, with `in_flight` at once.
    pub(crate) async fn throughput(&self, in_flight: usize, time: Duration) -> anyhow::Result<u64> {
        let done = Rc::new(Cell::new(0));
        let until = Instant::now() + time;
        let worker = || async {
            while Instant::now() < until {
                self.client.echo(&self.payload).await?;
                done.set(done.get() + 1);
            }
            anyhow::Ok(())
        };
        let mut workers: FuturesUnordered<_> = (0..in_flight).map(|_| worker()).collect();
        while let Some(ended) = workers.next().await {
            ended?;
        }
        Ok(done.get())
    }

    /// Times of `streams` concurrent answers of `chunks` pieces.
    pub(crate) async fn streams(&self, streams: usize, chunks: u32) -> anyhow::Result<Vec<Duration>> {
        let began = Instant::now();
        let one = || async {
            self.client.stream(chunks).await?;
            anyhow::Ok(began.elapsed())
        };
        join_all((0..streams).map(|_| one())).await.into_iter().collect()
    }
}
