//! Sends the answer to the asker.
//!
//! The send side fails when the asker leaves: by its STOP_SENDING, or by the end of the connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use nervure_protocol::query::{ErrorFrame, ErrorText, Frame};
use tokio::time::timeout;

use super::{ServerMetrics, metrics::QueryOutcome};
use crate::query::{QueryEnd, QueryErrorCode, stream::SendHalf};

/// The asker is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the asker is gone")]
pub struct Gone;

/// Sends the answer to the asker. Dropping it without [`Replier::end`] or [`Replier::refuse`] resets the stream,
/// which the asker sees as a broken answer.
pub struct Replier {
    send: SendHalf,
    chunks: u64,
    /// Bytes of the answer so far.
    bytes: u64,
    started: Instant,
    progress: Arc<ReplyProgress>,
    metrics: ServerMetrics,
    /// Encoded and not yet sent: a chunk waits for the next poll of the expert so that chunk and end
    /// can leave in one packet.
    buffer: BytesMut,
    patience: Patience,
}

/// How long a write may wait for an asker that does not read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a piece of an answer, and its end.
    pub(super) write: Duration,
    /// For a refusal.
    pub(super) refusal: Duration,
}

/// How far an answer is: open, or which last frame was sent. Before that, a dropped replier resets the stream.
#[derive(Debug, Default)]
pub(super) struct ReplyProgress(AtomicU8);

// Zero, the default, is an answer that has not ended.
const ENDED: u8 = 1;
const REFUSED: u8 = 2;
/// The asker did not read in time, and is told so by a reset.
const CUT: u8 = 3;

impl ReplyProgress {
    fn is_closed(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed), ENDED | REFUSED)
    }

    /// How the answer ended, once its service is done.
    pub(super) fn outcome(&self) -> QueryOutcome {
        match self.0.load(Ordering::Relaxed) {
            ENDED => QueryOutcome::Answered,
            REFUSED => QueryOutcome::Refused,
            CUT => QueryOutcome::Cancelled,
            _ => QueryOutcome::Failed,
        }
    }
}

impl Replier {
    pub(super) fn new(send: SendHalf, metrics: ServerMetrics, patience: Patience) -> Self {
        let (started, progress) = (Instant::now(), Arc::default());
        Self { send, chunks: 0, bytes: 0, started, progress, metrics, buffer: BytesMut::new(), patience }
    }

    pub(super) fn progress(&self) -> Arc<ReplyProgress> {
        self.progress.clone()
    }

    /// Sends a piece of the answer.
    ///
    /// # Errors
    /// [`Gone`] when the asker has left, or did not read for too long.
    pub async fn send(&mut self, chunk: Bytes) -> Result<(), Gone> {
        self.queue(chunk)?;
        let patience = self.patience.write;
        self.write(patience).await
    }

    /// Tells the asker that the expert works and has nothing to send yet, so that its timeouts begin again. An asker takes
    /// one in a second.
    ///
    /// # Errors
    /// [`Gone`] when the asker has left, or did not read for too long.
    pub async fn alive(&mut self) -> Result<(), Gone> {
        Frame::Alive.encode(&mut self.buffer).map_err(|_| Gone)?;
        let patience = self.patience.write;
        self.write(patience).await
    }

    /// Puts a piece of the answer into the next packet, which leaves with [`Replier::send`] or
    /// [`Replier::end`].
    ///
    /// # Errors
    /// [`Gone`] for a piece that no frame can hold; the answer cannot continue then.
    pub fn queue(&mut self, chunk: Bytes) -> Result<(), Gone> {
        let bytes = chunk.len() as u64;
        Frame::Chunk(chunk).encode(&mut self.buffer).map_err(|_| Gone)?;
        if self.chunks == 0 {
            self.metrics.first_chunk(self.started.elapsed());
        }
        (self.chunks, self.bytes) = (self.chunks + 1, self.bytes + bytes);
        Ok(())
    }

    /// Ends a complete answer. The number of chunks is filled in here.
    pub async fn end(mut self, end: QueryEnd) {
        let end = QueryEnd { chunks: self.chunks, ..end };
        self.metrics.answer(self.bytes);
        let patience = self.patience.write;
        self.close(&Frame::End(end), ENDED, patience).await;
    }

    /// Ends an answer that failed.
    pub async fn refuse(mut self, code: QueryErrorCode, message: ErrorText, retry_after: Option<Duration>) {
        let retry_after_ms = retry_after.map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
        let error = ErrorFrame { code: code as u16, message, retry_after_ms };
        let patience = self.patience.refusal;
        self.close(&Frame::Error(error), REFUSED, patience).await;
    }

    /// Waits until the asker is gone.
    pub async fn cancelled(&mut self) {
        self.send.gone().await;
    }

    /// Waits until the asker leaves before the answer's last frame; otherwise for ever. An answer with its last frame
    /// is complete, and the work of its service afterwards must not be cancelled.
    pub(super) fn abandoned(&self) -> impl Future<Output = ()> + Send + 'static {
        let (acknowledged, progress) = (self.send.acknowledged(), self.progress.clone());
        async move {
            if acknowledged.await || progress.is_closed() {
                std::future::pending().await
            }
        }
    }

    async fn close(&mut self, frame: &Frame, last: u8, patience: Duration) {
        if frame.encode(&mut self.buffer).is_ok() && self.write(patience).await.is_ok() {
            self.progress.0.store(last, Ordering::Relaxed);
            // On the swarm, closing waits for the other side as a write does.
            let _ = timeout(patience, self.send.finish()).await;
        }
    }

    /// Sends what is in the buffer, within a time of the server's own: an asker that grants no window would otherwise hold
    /// its query's places for as long as it names.
    async fn write(&mut self, patience: Duration) -> Result<(), Gone> {
        let bytes = self.buffer.split().freeze();
        match timeout(patience, self.send.write(bytes)).await {
            Ok(sent) => sent.map_err(|_| Gone),
            Err(_) => {
                self.metrics.stalled.inc();
                self.progress.0.store(CUT, Ordering::Relaxed);
                self.send.reset();
                Err(Gone)
            }
        }
    }
}

impl Drop for Replier {
    fn drop(&mut self) {
        if !self.progress.is_closed() {
            // Without this the stream would finish as if the answer were complete.
            self.send.reset();
        }
    }
}
