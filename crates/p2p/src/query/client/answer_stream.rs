//! An answer as it comes: counted, timed, and never short without saying so.

use std::time::Duration;

use bytes::Bytes;
use nervure_protocol::query::{Frame, FrameError};
use tokio::time::{Instant, timeout_at};

use crate::query::{
    QueryEnd, QueryError,
    frame_reader::{FrameReadError, FrameReader},
    stream::{Receiving, Sending},
};

/// A piece of an answer, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryItem {
    /// A piece.
    Chunk(Bytes),
    /// The answer is complete, and as long as its end says.
    End(QueryEnd),
}

/// An answer in progress. Dropping it tells the node to stop.
#[derive(Debug)]
pub struct QueryStream {
    frames: FrameReader,
    chunks: u64,
    /// When the whole answer must have come, and how long that was from the start.
    until: Instant,
    deadline: Duration,
    /// Time to the next frame, and to every later one.
    next: Duration,
    later: Duration,
    /// Kept open on the swarm: its end would say that we have left.
    _listening: Option<Sending>,
}

impl QueryStream {
    pub(super) fn new(
        (receive, listening): (Receiving, Option<Sending>),
        deadline: Duration,
        [first, later]: [Duration; 2],
    ) -> Self {
        let until = Instant::now() + deadline;
        let frames = FrameReader::new(receive);
        Self { frames, chunks: 0, until, deadline, next: first, later, _listening: listening }
    }

    /// The next item. Not to be called again after an end or an error.
    ///
    /// # Errors
    /// When the node refused or failed, broke the protocol, stalled, stopped before its end, or did not
    /// end before the question's deadline.
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
                Err(QueryError::Truncated(format!("{} of {} pieces came", self.chunks, end.chunks)))
            }
            Ok(Frame::Error(error)) => Err(error.into()),
            Ok(open @ Frame::Open(_)) => Err(QueryError::Protocol(FrameError::UnexpectedKind(open.kind()))),
            Err(FrameReadError::Frame(error)) => Err(QueryError::Protocol(error)),
            Err(error) => Err(QueryError::Truncated(error.to_string())),
        }
    }
}
