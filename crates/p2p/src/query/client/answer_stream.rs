//! Reads an answer: checks its number of chunks, so that a short answer is always an error, and has its deadlines
//! enforced by an [`AnswerMeter`].

use std::time::Instant;

use bytes::Bytes;
use nervure_protocol::{
    AnswerBounds, AnswerMeter,
    query::{ErrorText, Frame, FrameError},
};

use crate::query::{
    QueryEnd, QueryError,
    clock::{now, sleep_until},
    frame_reader::{FrameReadError, FrameReader},
    stream::{ReceiveHalf, SendHalf},
};

/// Signs of life that an expert may send beyond one for each second of the answer: several may come at once after a pause of
/// the network.
const SPARE_SIGNS: u64 = 16;

/// A piece of an answer, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryItem {
    /// A piece.
    Chunk(Bytes),
    /// The end: the answer is complete, with the number of chunks that its end contains.
    End(QueryEnd),
}

/// An answer in progress. Dropping it tells the node to stop.
#[derive(Debug)]
pub struct QueryStream {
    frames: FrameReader,
    chunks: u64,
    meter: AnswerMeter,
    began: Instant,
    /// Signs of life so far.
    signs: u64,
    /// Kept open on a stream of the swarm, where its end means that the asker has left.
    _listening: Option<SendHalf>,
}

impl QueryStream {
    pub(super) fn new(receive: ReceiveHalf, listening: Option<SendHalf>, bounds: AnswerBounds) -> Self {
        let began = now();
        let meter = AnswerMeter::new(bounds, began);
        Self { frames: FrameReader::new(receive), chunks: 0, meter, began, signs: 0, _listening: listening }
    }

    /// The next item. Must not be called again after an end or an error.
    ///
    /// # Errors
    /// When the node refused or failed, broke the protocol, stalled, stopped before its end, or did not
    /// end before the query's deadline.
    pub async fn next(&mut self) -> Result<QueryItem, QueryError> {
        let frame = loop {
            // Each wait has the whole timeout: an expert that works may take until the deadline.
            match self.meter.wait(self.frames.next(), now(), sleep_until).await? {
                Ok(Frame::Alive) => self.sign_of_life()?,
                frame => break frame,
            }
        };
        match frame {
            Ok(Frame::Chunk(chunk)) => {
                self.meter.charge(chunk.len())?;
                self.chunks += 1;
                Ok(QueryItem::Chunk(chunk))
            }
            Ok(Frame::End(end)) if end.chunks == self.chunks => Ok(QueryItem::End(end)),
            Ok(Frame::End(end)) => Err(QueryError::Truncated(
                format!("received {} of {} chunks", self.chunks, end.chunks).into(),
            )),
            Ok(Frame::Error(error)) => Err(error.into()),
            Ok(other @ (Frame::Open(_) | Frame::Alive)) => {
                Err(QueryError::Protocol(FrameError::UnexpectedKind(other.kind())))
            }
            Err(FrameReadError::Frame(error)) => Err(QueryError::Protocol(error)),
            Err(error) => Err(QueryError::Truncated(ErrorText::new(error))),
        }
    }

    /// Counts a sign of life. They cost the expert nothing and this node a read each.
    fn sign_of_life(&mut self) -> Result<(), QueryError> {
        self.signs += 1;
        let allowed = now().saturating_duration_since(self.began).as_secs().saturating_add(SPARE_SIGNS);
        match self.signs > allowed {
            true => Err(QueryError::Protocol(FrameError::UnexpectedKind(Frame::Alive.kind()))),
            false => Ok(()),
        }
    }
}
