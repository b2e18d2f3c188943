//! The frames of a query, and their bytes.
//!
//! A frame is one byte of kind, four bytes of length (big-endian) and that many bytes. Open, end and error
//! are canonical CBOR; a chunk's bytes belong to whoever asked. Wire names and numbers are frozen.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use nervure_primitives::{
    Amount, Capability, Hash, Netuid,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::way::Receiving;

/// Largest open frame, in bytes: the largest question and its terms.
pub const MAX_OPEN: usize = 640 * 1024;
/// Largest chunk, in bytes.
pub const MAX_CHUNK: usize = 256 * 1024;
/// Largest end or error frame, in bytes.
pub const MAX_CLOSING: usize = 2 * 1024;
/// Longest message of an error frame, in bytes; longer ones are cut before they are sent.
pub const MAX_MESSAGE: usize = 512;
/// Bytes of kind and length.
const HEADER: usize = 5;
/// Bytes that are taken from a stream at once, beyond what the frame at hand needs.
const READ_AHEAD: usize = 16 * 1024;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryOpen {
    /// In which subnet.
    #[serde(rename = "n")]
    pub netuid: Netuid,
    /// For what.
    #[serde(rename = "c")]
    pub capability: Capability,
    /// For which of the node's experts; any that fits when none is named.
    #[serde(rename = "x", skip_serializing_if = "Option::is_none", default)]
    pub expert: Option<String>,
    /// The question itself; the query plane does not look into it.
    #[serde(rename = "q", with = "serde_bytes")]
    pub body: Vec<u8>,
    /// Milliseconds that the whole answer may take.
    #[serde(rename = "d")]
    pub deadline_ms: u32,
    /// The most that the asker pays.
    #[serde(rename = "b")]
    pub budget: Amount,
    /// What the asker calls the question; it gives no two the same name. With one, the expert's node signs a receipt.
    #[serde(rename = "i", skip_serializing_if = "Option::is_none", default)]
    pub name: Option<Hash>,
}

/// The last frame of a complete answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryEnd {
    /// How many chunks came before.
    #[serde(rename = "k")]
    pub chunks: u64,
    /// What it took.
    #[serde(rename = "u")]
    pub usage: QueryUsage,
    /// Why it ended.
    #[serde(rename = "r")]
    pub reason: EndReason,
    /// The node's signed word on what it answered, for a question with a name; the query plane does not look into it.
    #[serde(rename = "s", with = "serde_bytes", skip_serializing_if = "Option::is_none", default)]
    pub receipt: Option<Vec<u8>>,
}

impl QueryEnd {
    /// The end of an answer that nobody wants a receipt for; how many chunks came before is filled in where it is sent.
    pub const fn new(usage: QueryUsage, reason: EndReason) -> Self {
        Self { chunks: 0, usage, reason, receipt: None }
    }
}

/// Tokens read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryUsage {
    /// Tokens of the question.
    #[serde(rename = "i")]
    pub input: u32,
    /// Tokens of the answer.
    #[serde(rename = "o")]
    pub output: u32,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The expert was done.
    Stop,
    /// The asked-for length was reached.
    Length,
    /// Another reason of the model's.
    Other,
}

/// The last frame of an answer that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorFrame {
    /// What went wrong; see [`super::QueryErrorCode`].
    #[serde(rename = "c")]
    pub code: u16,
    /// In words. Written by the other side: not to be trusted.
    #[serde(rename = "m")]
    pub message: String,
    /// Milliseconds after which asking again may help.
    #[serde(rename = "w", skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u32>,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The question.
    Open(QueryOpen),
    /// A piece of the answer.
    Chunk(Bytes),
    /// The answer is complete.
    End(QueryEnd),
    /// The answer failed.
    Error(ErrorFrame),
}

/// Why no frame could be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The stream stopped inside or before a frame.
    #[error("the stream stopped before its end frame")]
    Truncated,
    /// A kind that does not exist.
    #[error("frame kind {0} does not exist")]
    UnknownKind(u8),
    /// Longer than its kind may be.
    #[error("a frame of {length} bytes is longer than the {limit} allowed")]
    TooLong {
        /// Its announced length.
        length: usize,
        /// The limit for its kind.
        limit: usize,
    },
    /// Too many long frames are being read already.
    #[error("no room for a frame of this length now")]
    NoRoom,
    /// Its content is not what its kind must have.
    #[error(transparent)]
    Cbor(#[from] CborError),
}

/// Kind bytes.
const OPEN: u8 = 1;
const CHUNK: u8 = 2;
const END: u8 = 3;
const ERROR: u8 = 4;

impl Frame {
    /// Appends the frame's bytes.
    ///
    /// # Errors
    /// When the frame is longer than its kind may be.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), FrameError> {
        match self {
            Self::Open(open) => put(out, OPEN, &cbor::encode(open)?),
            Self::Chunk(chunk) => put(out, CHUNK, chunk),
            Self::End(end) => put(out, END, &cbor::encode(end)?),
            Self::Error(error) => put(out, ERROR, &cbor::encode(error)?),
        }
    }

    /// Decodes the content of a frame of `kind`.
    ///
    /// # Errors
    /// When the kind does not exist, or the content is too long or not of its form.
    pub fn decode(kind: u8, content: Bytes) -> Result<Self, FrameError> {
        let limit = limit(kind)?;
        if content.len() > limit {
            return Err(FrameError::TooLong { length: content.len(), limit });
        }
        let limits = Limits::new(limit);
        Ok(match kind {
            OPEN => Self::Open(cbor::decode(&content, limits)?),
            CHUNK => Self::Chunk(content),
            END => Self::End(cbor::decode(&content, limits)?),
            _ => Self::Error(cbor::decode(&content, limits)?),
        })
    }
}

fn limit(kind: u8) -> Result<usize, FrameError> {
    match kind {
        OPEN => Ok(MAX_OPEN),
        CHUNK => Ok(MAX_CHUNK),
        END | ERROR => Ok(MAX_CLOSING),
        other => Err(FrameError::UnknownKind(other)),
    }
}

/// Reads frames from a stream: as much at once as there is, so that a short answer and its end cost one read.
#[derive(Debug)]
pub(super) struct FrameReader {
    stream: Receiving,
    /// Read and not yet given out: less than one frame and [`READ_AHEAD`].
    buffer: BytesMut,
    /// Where room for long frames comes from, in KiB; nowhere, for a reader that trusts its own bounds.
    memory: Option<Arc<Semaphore>>,
    /// Room that was taken.
    room: Option<OwnedSemaphorePermit>,
}

impl FrameReader {
    pub(super) fn new(stream: Receiving) -> Self {
        Self { stream, buffer: BytesMut::new(), memory: None, room: None }
    }

    /// A reader that takes room for frames longer than [`READ_AHEAD`] out of what all readers share.
    pub(super) fn sharing(stream: Receiving, memory: Arc<Semaphore>) -> Self {
        Self { memory: Some(memory), ..Self::new(stream) }
    }

    /// The next frame. A length is checked before its bytes are waited for. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Frame, FrameError> {
        loop {
            let wanted = match self.buffered()? {
                Ok(frame) => return Ok(frame),
                Err(wanted) => wanted,
            };
            self.take_room(wanted)?;
            if !self.stream.read(wanted + READ_AHEAD, &mut self.buffer).await {
                return Err(FrameError::Truncated);
            }
        }
    }

    /// Tells the sender to stop.
    pub(super) fn stop(&mut self) {
        self.stream.stop();
    }

    /// The stream itself, when no frame is expected any more, and the room that the last one takes.
    pub(super) fn into_parts(self) -> (Receiving, Option<OwnedSemaphorePermit>) {
        (self.stream, self.room)
    }

    fn take_room(&mut self, wanted: usize) -> Result<(), FrameError> {
        let (Some(memory), None) = (&self.memory, &self.room) else { return Ok(()) };
        if wanted > READ_AHEAD {
            let kib = u32::try_from(wanted.div_ceil(1024)).unwrap_or(u32::MAX);
            let room = memory.clone().try_acquire_many_owned(kib);
            self.room = Some(room.map_err(|_| FrameError::NoRoom)?);
        }
        Ok(())
    }

    /// The frame at the front of the buffer, or how many bytes it lacks.
    fn buffered(&mut self) -> Result<Result<Frame, usize>, FrameError> {
        let Some((&[kind, ref length @ ..], rest)) = self.buffer.split_first_chunk::<HEADER>() else {
            return Ok(Err(HEADER - self.buffer.len()));
        };
        let (length, limit) = (u32::from_be_bytes(*length) as usize, limit(kind)?);
        if length > limit {
            return Err(FrameError::TooLong { length, limit });
        }
        if let Some(missing) = length.checked_sub(rest.len()).filter(|missing| *missing > 0) {
            return Ok(Err(missing));
        }
        self.buffer.advance(HEADER);
        Frame::decode(kind, self.buffer.split_to(length).freeze()).map(Ok)
    }
}

fn put(out: &mut BytesMut, kind: u8, content: &[u8]) -> Result<(), FrameError> {
    let limit = limit(kind)?;
    let length = match u32::try_from(content.len()) {
        Ok(length) if content.len() <= limit => length,
        _ => return Err(FrameError::TooLong { length: content.len(), limit }),
    };
    out.reserve(HEADER + content.len());
    out.put_u8(kind);
    out.put_u32(length);
    out.put_slice(content);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open() -> QueryOpen {
        QueryOpen {
            netuid: Netuid(1),
            capability: "text.generate".parse().unwrap(),
            expert: Some("rust".into()),
            body: vec![1, 2, 3],
            deadline_ms: 1000,
            budget: Amount::ZERO,
            name: Some(Hash::of("name", &[])),
        }
    }

    fn round_trip(frame: &Frame) -> Frame {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes).unwrap();
        let content = bytes.split_off(HEADER);
        assert_eq!(bytes[1..], (content.len() as u32).to_be_bytes());
        Frame::decode(bytes[0], content.freeze()).unwrap()
    }

    #[test]
    fn frames_round_trip() {
        let usage = QueryUsage { input: 3, output: 4 };
        let error = ErrorFrame { code: 2, message: "busy".into(), retry_after_ms: Some(5) };
        for frame in [
            Frame::Open(open()),
            Frame::Open(QueryOpen { expert: None, name: None, ..open() }),
            Frame::Chunk(Bytes::from_static(b"hello")),
            Frame::End(QueryEnd { chunks: 7, ..QueryEnd::new(usage, EndReason::Length) }),
            Frame::End(QueryEnd { receipt: Some(vec![1; 670]), ..QueryEnd::new(usage, EndReason::Other) }),
            Frame::Error(error.clone()),
            Frame::Error(ErrorFrame { retry_after_ms: None, ..error }),
        ] {
            assert_eq!(round_trip(&frame), frame);
        }
    }

    #[test]
    fn the_wire_is_frozen() {
        let mut bytes = BytesMut::new();
        let end = QueryEnd { chunks: 1, ..QueryEnd::new(QueryUsage::default(), EndReason::Stop) };
        Frame::End(end).encode(&mut bytes).unwrap();
        let hex = data_encoding::HEXLOWER.encode(&bytes);
        assert_eq!(hex, "0300000014a3616b0161726473746f706175a2616900616f00");
    }

    #[test]
    fn what_is_too_long_is_neither_sent_nor_taken() {
        let chunk = Frame::Chunk(vec![0; MAX_CHUNK + 1].into());
        assert!(matches!(chunk.encode(&mut BytesMut::new()), Err(FrameError::TooLong { .. })));
        let taken = Frame::decode(END, vec![0; MAX_CLOSING + 1].into());
        assert!(matches!(taken, Err(FrameError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(kind: u8, content: Vec<u8>) {
            let _ = Frame::decode(kind, content.into());
        }

        #[test]
        fn a_mutated_open_frame_decodes_to_itself_or_not_at_all(at: usize, to: u8) {
            let mut content = cbor::encode(&open()).unwrap();
            let at = at % content.len();
            content[at] = to;
            if let Ok(Frame::Open(open)) = Frame::decode(OPEN, content.clone().into()) {
                prop_assert_eq!(cbor::encode(&open).unwrap(), content);
            }
        }
    }
}
