//! The stream of an answer: bounded, cancelled by dropping it, and never ending silently.
//!
//! Two sources feed it. A worker thread writes into a bounded channel and sees at its next token that the
//! receiver is gone. An upstream's answer is produced only while the stream is polled, so that dropping the stream
//! drops the connection.
//!
//! The invariant kept here: the last item is `Done` or an error. A source that stops without either, because its
//! thread died or its code forgot, becomes [`ExpertError::Internal`], so that a short answer is never
//! taken for a whole one.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{ExpertError, ExpertEvent};

/// One item of an answer.
pub(crate) type Item = Result<ExpertEvent, ExpertError>;

/// The events of one answer. Dropping it cancels the work.
pub struct ExpertStream {
    /// `None` once the last item is out: the source is freed then, not when the caller lets go.
    source: Option<BoxStream<'static, Item>>,
}

impl ExpertStream {
    /// The stream of what `source` yields, up to its first `Done` or error.
    pub fn new(source: impl Stream<Item = Item> + Send + 'static) -> Self {
        Self { source: Some(Box::pin(source)) }
    }

    /// A stream of one refusal.
    #[must_use]
    pub fn refused(error: ExpertError) -> Self {
        Self::new(futures::stream::iter([Err(error)]))
    }

    /// A stream and the channel that feeds it; `capacity` items wait at most.
    pub(crate) fn channel(capacity: usize) -> (mpsc::Sender<Item>, Self) {
        let (sender, receiver) = mpsc::channel(capacity);
        (sender, Self::new(ReceiverStream::new(receiver)))
    }
}

impl std::fmt::Debug for ExpertStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExpertStream").field("ended", &self.source.is_none()).finish()
    }
}

impl Stream for ExpertStream {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        let Some(source) = self.source.as_mut() else { return Poll::Ready(None) };
        let item = match source.as_mut().poll_next(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(item)) => item,
            Poll::Ready(None) => Err(ExpertError::Internal("the answer stopped without an end".to_owned())),
        };
        if matches!(item, Err(_) | Ok(ExpertEvent::Done { .. })) {
            self.source = None;
        }
        Poll::Ready(Some(item))
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;
    use crate::{FinishReason, Usage};

    fn done() -> Item {
        Ok(ExpertEvent::Done { usage: Usage::default(), reason: FinishReason::Stop })
    }

    async fn collect(source: Vec<Item>) -> Vec<Item> {
        ExpertStream::new(futures::stream::iter(source)).collect().await
    }

    #[tokio::test]
    async fn nothing_follows_the_end() {
        let text = || Ok(ExpertEvent::Text("a".into()));
        assert_eq!(collect(vec![text(), done(), text()]).await, vec![text(), done()]);
        let error = || Err(ExpertError::Cancelled);
        assert_eq!(collect(vec![text(), error(), done()]).await, vec![text(), error()]);
    }

    #[tokio::test]
    async fn a_source_that_merely_stops_is_an_error() {
        let items = collect(vec![Ok(ExpertEvent::Text("half".into()))]).await;
        assert_eq!(items.len(), 2);
        assert!(matches!(items[1], Err(ExpertError::Internal(_))));
    }

    #[tokio::test]
    async fn the_channel_closes_when_the_stream_is_dropped() {
        let (sender, stream) = ExpertStream::channel(1);
        assert!(!sender.is_closed());
        drop(stream);
        assert!(sender.is_closed());
    }
}
