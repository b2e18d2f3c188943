//! Reads an answer: checks its number of chunks and its deadlines, so that a short answer is always an error.

use std::time::Duration;

use bytes::Bytes;
use nervure_protocol::query::{Frame, FrameError};
use tokio::time::{Instant, timeout_at};

use crate::query::{
    QueryEnd, QueryError,
    frame_reader::{FrameReadError, FrameReader},
    stream::{ReceiveHalf, SendHalf},
};

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
    /// When the whole answer must have arrived, and the duration from the start until then.
    until: Instant,
    deadline: Duration,
    /// Timeout of the next frame, and of the ones after it.
    next: Duration,
    later: Duration,
    /// Kept open on a stream of the swarm, where its end means that the asker has left.
    _listening: Option<SendHalf>,
}

impl QueryStream {
    pub(super) fn new(
        (receive, listening): (ReceiveHalf, Option<SendHalf>),
        deadline: Duration,
        [first, later]: [Duration; 2],
    ) -> Self {
        let until = Instant::now() + deadline;
        let frames = FrameReader::new(receive);
        Self { frames, chunks: 0, until, deadline, next: first, later, _listening: listening }
    }

    /// The next item. Must not be called again after an end or an error.
    ///
    /// # Errors
    /// When the node refused or failed, broke the protocol, stalled, stopped before its end, or did not
    /// end before the query's deadline.
    pub async fn next(&mut self) -> Result<QueryItem, QueryError> {
        let stalled = Instant::now() + self.next;
        let late = match stalled < self.until {
            true => QueryError::Stalled(self.next),
            false => QueryError::Overdue(self.deadline),
        };
        let frame = timeout_at(stalled.min(self.until), self.frames.next()).await.map_err(|_| late)?;
        self.next = self.later;
        match frame {
            Ok(Frame::Chunk(chunk)) => {
                self.chunks += 1;
                Ok(QueryItem::Chunk(chunk))
            }
            Ok(Frame::End(end)) if end.chunks == self.chunks => Ok(QueryItem::End(end)),
            Ok(Frame::End(end)) => {
                Err(QueryError::Truncated(format!("received {} of {} chunks", self.chunks, end.chunks)))
            }
            Ok(Frame::Error(error)) => Err(error.into()),
            Ok(open @ Frame::Open(_)) => Err(QueryError::Protocol(FrameError::UnexpectedKind(open.kind()))),
            Err(FrameReadError::Frame(error)) => Err(QueryError::Protocol(error)),
            Err(error) => Err(QueryError::Truncated(error.to_string())),
        }
    }
}
