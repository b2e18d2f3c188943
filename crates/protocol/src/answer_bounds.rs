//! The bounds of an answer in bytes, pieces and time, and the one place that enforces them.
//!
//! An answer is read several times on its way: the miner reads it from its model server, the asker's query client from
//! the miner, the router from the query client, the gateway from its node. Each of these readers distrusts another
//! peer, so each has [`AnswerBounds`] of its own; but none of them compares bytes or moments. All ask an
//! [`AnswerMeter`], so that "exactly at the bound", "one beyond it" and "endless small pieces" mean the same
//! everywhere and are tested here.
//!
//! | reader | whole | first and between | bytes and pieces |
//! | --- | --- | --- | --- |
//! | the body of a model server's response, in `nervure-experts` | model list only | yes | yes |
//! | a query in the query server of `nervure-p2p` | yes: as long as the asker waits, or the operator allows | | |
//! | the stream of a query in the query client of `nervure-p2p` | yes | yes | one frame: [`crate::bounds::MAX_CHUNK`] |
//! | a whole answer that the router collects, for ensembles and validators | yes | | yes |
//! | the answer to a query (`nervure_api::ask_within_bounds`), for the router's callers and the gateway | yes | | yes |
//!
//! The answer to a request protocol (`p2p::request`) is one message, not a stream: its codec checks its announced
//! length and its transport's timeout bounds it. The timeouts of the router's strategies (a stall, a straggler) are no
//! bounds: they select another expert and never end an answer.
//!
//! No clock and no timer is in here: both are arguments, so that a simulation can use its own.

use std::{
    future::poll_fn,
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

/// How long an answer may take, and how much it may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerBounds {
    /// From the beginning to the end of the answer.
    pub whole: Duration,
    /// From the beginning of a wait to the first piece.
    pub first: Duration,
    /// From the beginning of a wait to any later piece.
    pub between: Duration,
    /// Bytes of all pieces together.
    pub max_bytes: usize,
    /// Bytes that every piece is charged besides its own, so that an endless answer of empty pieces ends as well.
    pub piece_overhead: usize,
    /// Pieces.
    pub max_pieces: usize,
}

impl AnswerBounds {
    /// No bounds at all: to start from.
    pub const NONE: Self = Self {
        whole: Duration::MAX,
        first: Duration::MAX,
        between: Duration::MAX,
        max_bytes: usize::MAX,
        piece_overhead: 0,
        max_pieces: usize::MAX,
    };
}

/// The bound that an answer exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundExceeded {
    /// It was not complete in time.
    #[error("the answer was not complete after {} ms", .after.as_millis())]
    Late {
        /// [`AnswerBounds::whole`].
        after: Duration,
    },
    /// The next piece did not come in time.
    #[error("no data for {} ms", .after.as_millis())]
    Stalled {
        /// [`AnswerBounds::first`] or [`AnswerBounds::between`].
        after: Duration,
    },
    /// It has too many bytes.
    #[error("more than {max_bytes} bytes")]
    TooLong {
        /// [`AnswerBounds::max_bytes`].
        max_bytes: usize,
    },
    /// It has too many pieces.
    #[error("more than {max_pieces} pieces")]
    TooManyPieces {
        /// [`AnswerBounds::max_pieces`].
        max_pieces: usize,
    },
}

/// Measures one answer against its bounds.
#[derive(Clone, Debug)]
pub struct AnswerMeter {
    bounds: AnswerBounds,
    /// When the whole answer must be there; none when it may take for ever.
    until: Option<Instant>,
    bytes: usize,
    pieces: usize,
}

impl AnswerMeter {
    /// A meter of an answer that begins `now`.
    pub fn new(bounds: AnswerBounds, now: Instant) -> Self {
        Self { bounds, until: now.checked_add(bounds.whole), bytes: 0, pieces: 0 }
    }

    /// Changes how many bytes the answer may have: an error message may be shorter than an answer.
    pub const fn set_max_bytes(&mut self, max_bytes: usize) {
        self.bounds.max_bytes = max_bytes;
    }

    /// Charges the next piece, of so many `bytes`. A piece that reaches a bound exactly is within it.
    ///
    /// # Errors
    /// [`BoundExceeded::TooManyPieces`] or [`BoundExceeded::TooLong`]. The piece must not be used then.
    pub fn charge(&mut self, bytes: usize) -> Result<(), BoundExceeded> {
        let AnswerBounds { max_bytes, max_pieces, piece_overhead, .. } = self.bounds;
        if self.pieces >= max_pieces {
            return Err(BoundExceeded::TooManyPieces { max_pieces });
        }
        let total = self.bytes.saturating_add(bytes).saturating_add(piece_overhead);
        if total > max_bytes {
            return Err(BoundExceeded::TooLong { max_bytes });
        }
        self.pieces += 1;
        self.bytes = total;
        Ok(())
    }

    /// Waits for the next piece. A piece that is ready at the bound counts. `now` is when the wait begins, and
    /// `sleep_until` makes the timer, which is only made for a piece that is not ready at once.
    ///
    /// # Errors
    /// [`BoundExceeded::Stalled`] or [`BoundExceeded::Late`], whichever comes first.
    pub async fn wait<T, S: Future<Output = ()>>(
        &self,
        piece: impl Future<Output = T>,
        now: Instant,
        sleep_until: impl FnOnce(Instant) -> S,
    ) -> Result<T, BoundExceeded> {
        let next = self.next_bound(now);
        let mut sleep_until = Some(sleep_until);
        let (mut piece, mut timer) = (pin!(piece), pin!(None));
        poll_fn(move |context| {
            if let Poll::Ready(piece) = piece.as_mut().poll(context) {
                return Poll::Ready(Ok(piece));
            }
            let Some((at, exceeded)) = next else { return Poll::Pending };
            if let Some(sleep_until) = sleep_until.take() {
                timer.set(Some(sleep_until(at)));
            }
            match timer.as_mut().as_pin_mut() {
                Some(timer) => timer.poll(context).map(|()| Err(exceeded)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// The moment at which a wait that begins `now` ends, and why; none when it may take for ever.
    fn next_bound(&self, now: Instant) -> Option<(Instant, BoundExceeded)> {
        let after = if self.pieces == 0 { self.bounds.first } else { self.bounds.between };
        let stalled = now.checked_add(after).map(|at| (at, BoundExceeded::Stalled { after }));
        let late = self.until.map(|at| (at, BoundExceeded::Late { after: self.bounds.whole }));
        match (stalled, late) {
            (Some(stalled), Some(late)) => Some(if stalled.0 < late.0 { stalled } else { late }),
            (stalled, late) => stalled.or(late),
        }
    }
}

#[cfg(test)]
mod tests;
