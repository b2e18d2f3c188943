//! The load: the same for both subjects.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};

use super::PAYLOAD;

/// What can be asked.
pub(crate) trait Subject {
    /// A question and its answer of as many bytes.
    async fn echo(&self, payload: &[u8]) -> anyhow::Result<()>;
    /// An answer in `chunks` pieces of [`PAYLOAD`] bytes.
    async fn stream(&self, chunks: u32) -> anyhow::Result<()>;
    /// A connection of its own, with one question on it.
    async fn handshake(&self) -> anyhow::Result<()>;
}

/// Puts load on a subject.
pub(crate) struct Load<'a, S> {
    subject: &'a S,
    payload: Vec<u8>,
}

impl<'a, S: Subject> Load<'a, S> {
    /// A load on `subject`.
    pub(crate) fn new(subject: &'a S) -> Self {
        Self { subject, payload: vec![7; PAYLOAD] }
    }

    /// Times of `count` new connections.
    pub(crate) async fn handshakes(&self, count: usize) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            self.subject.handshake().await?;
            times.push(began.elapsed());
        }
        Ok(times)
    }

    /// Times of `count` questions, one after the other.
    pub(crate) async fn sequential(&self, count: usize) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            self.subject.echo(&self.payload).await?;
            times.push(began.elapsed());
        }
        Ok(times)
    }

    /// How many questions are answered within `time`, with `in_flight` at once.
    pub(crate) async fn throughput(&self, in_flight: usize, time: Duration) -> anyhow::Result<u64> {
        let done = Rc::new(Cell::new(0));
        let until = Instant::now() + time;
        let worker = || async {
            while Instant::now() < until {
                self.subject.echo(&self.payload).await?;
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

    /// Times of `streams` answers of `chunks` pieces, all at once.
    pub(crate) async fn streams(&self, streams: usize, chunks: u32) -> anyhow::Result<Vec<Duration>> {
        let began = Instant::now();
        let one = || async {
            self.subject.stream(chunks).await?;
            anyhow::Ok(began.elapsed())
        };
        join_all((0..streams).map(|_| one())).await.into_iter().collect()
    }
}
