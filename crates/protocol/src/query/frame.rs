//! A frame and its bytes.

use bytes::{BufMut, Bytes, BytesMut};
use nervure_primitives::cbor::{self, CborError, Limits};

use super::{ErrorFrame, QueryEnd, QueryOpen};
use crate::bounds::{MAX_CHUNK, MAX_CLOSING, MAX_OPEN};

/// Bytes of kind and length, which come before a frame's content.
pub const HEADER_LEN: usize = 5;

/// Kind bytes.
const OPEN: u8 = 1;
const CHUNK: u8 = 2;
const END: u8 = 3;
const ERROR: u8 = 4;
const ALIVE: u8 = 5;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The request.
    Open(QueryOpen),
    /// A piece of the answer.
    Chunk(Bytes),
    /// The answer is complete.
    End(QueryEnd),
    /// The answer failed.
    Error(ErrorFrame),
    /// The expert works and has nothing to send yet. No part of the answer.
    Alive,
}

/// What comes before a frame's content: its kind, which exists, and its length, which is within the kind's bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    kind: u8,
    length: usize,
}

/// Why bytes are not a valid frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A kind that does not exist.
    #[error("frame kind {0} does not exist")]
    UnknownKind(u8),
    /// A kind that may not come here.
    #[error("frame kind {0} may not come here")]
    UnexpectedKind(u8),
    /// Longer than its kind may be.
    #[error("a frame of {length} bytes is longer than the {limit} allowed")]
    TooLong {
        /// Its announced length.
        length: usize,
        /// The limit for its kind.
        limit: usize,
    },
    /// The content does not have the form of its kind.
    #[error(transparent)]
    Cbor(#[from] CborError),
}

impl FrameHeader {
    /// Reads a header.
    ///
    /// # Errors
    /// When the kind does not exist, or the length is over the kind's bound.
    pub fn decode([kind, length @ ..]: [u8; HEADER_LEN]) -> Result<Self, FrameError> {
        Self::new(kind, u32::from_be_bytes(length) as usize)
    }

    fn new(kind: u8, length: usize) -> Result<Self, FrameError> {
        let limit = max_content(kind)?;
        if length > limit {
            return Err(FrameError::TooLong { length, limit });
        }
        Ok(Self { kind, length })
    }

    /// The kind byte.
    pub const fn kind(self) -> u8 {
        self.kind
    }

    /// Bytes of content that follow.
    pub const fn length(self) -> usize {
        self.length
    }
}

impl Frame {
    /// Its kind byte.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Open(_) => OPEN,
            Self::Chunk(_) => CHUNK,
            Self::End(_) => END,
            Self::Error(_) => ERROR,
            Self::Alive => ALIVE,
        }
    }

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
            Self::Alive => put(out, ALIVE, &[]),
        }
    }

    /// Decodes the content of a frame of `kind`.
    ///
    /// # Errors
    /// When the kind does not exist, or the content is too long or not of its form.
    pub fn decode(kind: u8, content: Bytes) -> Result<Self, FrameError> {
        let limits = Limits::new(FrameHeader::new(kind, content.len())?.length);
        Ok(match kind {
            OPEN => Self::Open(cbor::decode(&content, limits)?),
            CHUNK => Self::Chunk(content),
            END => Self::End(cbor::decode(&content, limits)?),
            ALIVE => Self::Alive,
            _ => Self::Error(cbor::decode(&content, limits)?),
        })
    }
}

/// Longest content of a kind, in bytes.
fn max_content(kind: u8) -> Result<usize, FrameError> {
    match kind {
        OPEN => Ok(MAX_OPEN),
        CHUNK => Ok(MAX_CHUNK),
        END | ERROR => Ok(MAX_CLOSING),
        ALIVE => Ok(0),
        other => Err(FrameError::UnknownKind(other)),
    }
}

fn put(out: &mut BytesMut, kind: u8, content: &[u8]) -> Result<(), FrameError> {
    let header = FrameHeader::new(kind, content.len())?;
    // Every bound is far below 4 GiB, so that the length fits.
    let length = u32::try_from(header.length).unwrap_or(u32::MAX);
    out.reserve(HEADER_LEN + content.len());
    out.put_u8(kind);
    out.put_u32(length);
    out.put_slice(content);
    Ok(())
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{Amount, Hash, Netuid};
    use proptest::prelude::*;

    use super::*;
    use crate::{FinishReason, Usage};

    fn open() -> QueryOpen {
        QueryOpen {
            netuid: Netuid(1),
            capability: "text.generate".parse().unwrap(),
            expert: Some("rust".into()),
            body: vec![1, 2, 3],
            deadline_ms: 1000,
            budget: Amount::ZERO,
            name: Some(Hash::of("name", &[])),
            hops: 0,
        }
    }

    fn round_trip(frame: &Frame) -> Frame {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes).unwrap();
        let content = bytes.split_off(HEADER_LEN);
        let header = FrameHeader::decode(bytes[..].try_into().unwrap()).unwrap();
        assert_eq!((header.kind(), header.length()), (frame.kind(), content.len()));
        Frame::decode(header.kind(), content.freeze()).unwrap()
    }

    #[test]
    fn frames_round_trip() {
        let usage = Usage { prompt_tokens: 3, completion_tokens: 4 };
        let error = ErrorFrame { code: 2, message: "busy".into(), retry_after_ms: Some(5) };
        for frame in [
            Frame::Open(open()),
            Frame::Open(QueryOpen { expert: None, name: None, ..open() }),
            Frame::Chunk(Bytes::from_static(b"hello")),
            Frame::End(QueryEnd { chunks: 7, ..QueryEnd::new(usage, FinishReason::Length) }),
            Frame::End(QueryEnd { receipt: Some(vec![1; 670]), ..QueryEnd::new(usage, FinishReason::Other) }),
            Frame::Error(error.clone()),
            Frame::Error(ErrorFrame { retry_after_ms: None, ..error }),
            Frame::Alive,
        ] {
            assert_eq!(round_trip(&frame), frame);
        }
    }

    #[test]
    fn a_frame_over_its_bound_is_not_encoded_or_decoded() {
        let chunk = Frame::Chunk(vec![0; MAX_CHUNK + 1].into());
        assert!(matches!(chunk.encode(&mut BytesMut::new()), Err(FrameError::TooLong { .. })));
        let decoded = Frame::decode(END, vec![0; MAX_CLOSING + 1].into());
        assert!(matches!(decoded, Err(FrameError::TooLong { .. })));
        assert_eq!(
            FrameHeader::decode([ALIVE, 0, 0, 0, 1]),
            Err(FrameError::TooLong { length: 1, limit: 0 })
        );
        assert_eq!(FrameHeader::decode([9, 0, 0, 0, 0]), Err(FrameError::UnknownKind(9)));
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
