//! Sends the answer to the asker.
//!
//! The send side fails when the asker leaves: by its STOP_SENDING, or by the end of the connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use nervure_protocol::query::{ErrorFrame, ErrorText, Frame};

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
    /// Whether the last frame was sent; before that, a dropped replier resets the stream.
    closed: Arc<AtomicBool>,
    /// Encoded and not yet sent: a chunk waits for the next poll of the expert so that chunk and end
    /// can leave in one packet.
    buffer: BytesMut,
}

impl Replier {
    pub(super) fn new(send: SendHalf) -> Self {
        Self { send, chunks: 0, closed: Arc::default(), buffer: BytesMut::new() }
    }

    /// Sends a piece of the answer.
    ///
    /// # Errors
    /// [`Gone`] when the asker has left.
    pub async fn send(&mut self, chunk: Bytes) -> Result<(), Gone> {
        self.queue(chunk)?;
        self.flush().await
    }

    /// Puts a piece of the answer into the next packet, which leaves with [`Replier::send`] or
    /// [`Replier::end`].
    ///
    /// # Errors
    /// [`Gone`] for a piece that no frame can hold; the answer cannot continue then.
    pub fn queue(&mut self, chunk: Bytes) -> Result<(), Gone> {
        Frame::Chunk(chunk).encode(&mut self.buffer).map_err(|_| Gone)?;
        self.chunks += 1;
        Ok(())
    }

    /// Ends a complete answer. The number of chunks is filled in here.
    pub async fn end(mut self, end: QueryEnd) {
        let end = QueryEnd { chunks: self.chunks, ..end };
        self.close(&Frame::End(end)).await;
    }

    /// Ends an answer that failed.
    pub async fn refuse(mut self, code: QueryErrorCode, message: ErrorText, retry_after: Option<Duration>) {
        let retry_after_ms = retry_after.map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
        self.close(&Frame::Error(ErrorFrame { code: code as u16, message, retry_after_ms })).await;
    }

    /// Waits until the asker is gone.
    pub async fn cancelled(&mut self) {
        self.send.gone().await;
    }

    /// Waits until the asker leaves before the answer's last frame; otherwise for ever. An answer with its last frame
    /// is complete, and the work of its service afterwards must not be cancelled.
    pub(super) fn abandoned(&self) -> impl Future<Output = ()> + Send + 'static {
        let (acknowledged, closed) = (self.send.acknowledged(), self.closed.clone());
        async move {
            if acknowledged.await || closed.load(Ordering::Relaxed) {
                std::future::pending().await
            }
        }
    }

    async fn close(&mut self, frame: &Frame) {
        if frame.encode(&mut self.buffer).is_ok() && self.flush().await.is_ok() {
            self.closed.store(true, Ordering::Relaxed);
            self.send.finish().await;
        }
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        let bytes = self.buffer.split().freeze();
        self.send.write(bytes).await.map_err(|_| Gone)
    }
}

impl Drop for Replier {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::Relaxed) {
            // Without this the stream would finish as if the answer were complete.
            self.send.reset();
        }
    }
}
