//! Reads frames from a stream.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use nervure_protocol::query::{Frame, FrameError, FrameHeader, HEADER_LEN};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::stream::ReceiveHalf;

/// Bytes that are read from a stream at once, beyond the rest of the current frame.
const READ_AHEAD_BYTES: usize = 16 * 1024;

/// Why no frame could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameReadError {
    /// The stream stopped inside or before a frame.
    #[error("the stream stopped before its end frame")]
    Truncated,
    /// The memory for long frames is in use.
    #[error("no memory for a frame of this length now")]
    NoMemory,
    /// The bytes are not a valid frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Reads frames from a stream, with read-ahead, so that a short answer and its end take one read.
#[derive(Debug)]
pub(super) struct FrameReader {
    stream: ReceiveHalf,
    /// Read and not yet returned: less than one frame and [`READ_AHEAD_BYTES`].
    buffer: BytesMut,
    /// The memory that all readers share for long frames, in KiB; none for a reader without that bound.
    memory: Option<Arc<Semaphore>>,
    /// This reader's part of it.
    reserved: Option<OwnedSemaphorePermit>,
}

impl FrameReader {
    pub(super) fn new(stream: ReceiveHalf) -> Self {
        Self { stream, buffer: BytesMut::new(), memory: None, reserved: None }
    }

    /// A reader that reserves part of the shared `memory` for a frame longer than [`READ_AHEAD_BYTES`].
    pub(super) fn sharing(stream: ReceiveHalf, memory: Arc<Semaphore>) -> Self {
        Self { memory: Some(memory), ..Self::new(stream) }
    }

    /// The next frame. A length is checked before its bytes are awaited. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Frame, FrameReadError> {
        loop {
            let missing = match self.buffered()? {
                Ok(frame) => return Ok(frame),
                Err(missing) => missing,
            };
            // Before the read: the length is only announced so far, and its bytes must not be buffered
            // without room.
            self.reserve(missing)?;
            if !self.stream.read(missing + READ_AHEAD_BYTES, &mut self.buffer).await {
                return Err(FrameReadError::Truncated);
            }
        }
    }

    /// Tells the sender to stop.
    pub(super) fn stop(&mut self) {
        self.stream.stop();
    }

    /// The stream itself, when no further frame is expected, and the memory that the last frame holds.
    pub(super) fn into_parts(self) -> (ReceiveHalf, Option<OwnedSemaphorePermit>) {
        (self.stream, self.reserved)
    }

    fn reserve(&mut self, missing: usize) -> Result<(), FrameReadError> {
        // Once for a frame: the later reads of the same frame are within the reservation.
        let (Some(memory), None) = (&self.memory, &self.reserved) else { return Ok(()) };
        if missing > READ_AHEAD_BYTES {
            let kib = u32::try_from(missing.div_ceil(1024)).unwrap_or(u32::MAX);
            let reserved = memory.clone().try_acquire_many_owned(kib);
            self.reserved = Some(reserved.map_err(|_| FrameReadError::NoMemory)?);
        }
        Ok(())
    }

    /// The frame at the front of the buffer, or how many bytes it lacks.
    fn buffered(&mut self) -> Result<Result<Frame, usize>, FrameError> {
        let Some((header, rest)) = self.buffer.split_first_chunk::<HEADER_LEN>() else {
            return Ok(Err(HEADER_LEN - self.buffer.len()));
        };
        let header = FrameHeader::decode(*header)?;
        if let Some(missing) = header.length().checked_sub(rest.len()).filter(|missing| *missing > 0) {
            return Ok(Err(missing));
        }
        self.buffer.advance(HEADER_LEN);
        Frame::decode(header.kind(), self.buffer.split_to(header.length()).freeze()).map(Ok)
    }
}
