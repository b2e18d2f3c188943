//! The stream of an answer: bounded, cancelled by dropping it, and with an explicit end.
//!
//! It has one of two sources. A worker thread writes into a bounded channel and sees before its next token that the
//! receiver was dropped. An upstream's answer is read only while the stream is polled, so that dropping the stream closes
//! the connection.
//!
//! Invariant: the last item is `Done` or an error. A source that stops without either, because its thread died or because
//! of a bug, ends with [`ExpertError::Internal`], so that a truncated answer never counts as complete.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::ExpertError;
use nervure_protocol::ExpertEvent;

/// One item of an answer.
pub type ExpertItem = Result<ExpertEvent, ExpertError>;

/// The events of one answer. Dropping it cancels the work.
pub struct ExpertStream {
    /// `None` after the last item: the source is freed then, even if the caller keeps the stream.
    source: Option<BoxStream<'static, ExpertItem>>,
}

impl ExpertStream {
    /// The stream of the items of `source`, up to the first `Done` or error.
    pub fn new(source: impl Stream<Item = ExpertItem> + Send + 'static) -> Self {
        Self { source: Some(Box::pin(source)) }
    }

    /// A stream whose only item is `error`.
    #[must_use]
    pub fn refused(error: ExpertError) -> Self {
        Self::new(futures::stream::iter([Err(error)]))
    }

    /// A stream and the channel that feeds it, which buffers at most `capacity` items.
    #[must_use]
    pub fn channel(capacity: usize) -> (mpsc::Sender<ExpertItem>, Self) {
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
    type Item = ExpertItem;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ExpertItem>> {
        let Some(source) = self.source.as_mut() else { return Poll::Ready(None) };
        let item = match source.as_mut().poll_next(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(item)) => item,
            Poll::Ready(None) => Err(ExpertError::Internal("the answer stopped without an end".into())),
        };
        // Freed here and not with the stream: a caller that keeps the stream must not keep the expert busy.
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
    use nervure_protocol::{FinishReason, Usage};

    fn done() -> ExpertItem {
        Ok(ExpertEvent::Done { usage: Usage::default(), reason: FinishReason::Stop })
    }

    async fn collect(source: Vec<ExpertItem>) -> Vec<ExpertItem> {
        ExpertStream::new(futures::stream::iter(source)).collect().await
    }

    #[tokio::test]
    async fn no_item_follows_the_end() {
        let text = || Ok(ExpertEvent::Text("a".into()));
        assert_eq!(collect(vec![text(), done(), text()]).await, vec![text(), done()]);
        let error = || Err(ExpertError::Cancelled);
        assert_eq!(collect(vec![text(), error(), done()]).await, vec![text(), error()]);
    }

    #[tokio::test]
    async fn a_source_without_an_end_is_an_error() {
        let items = collect(vec![Ok(ExpertEvent::Text("half".into()))]).await;
        assert_eq!(items.len(), 2);
        assert!(matches!(items[1], Err(ExpertError::Internal(_))));
    }

    #[tokio::test]
    async fn dropping_the_stream_closes_the_channel() {
        let (sender, stream) = ExpertStream::channel(1);
        assert!(!sender.is_closed());
        drop(stream);
        assert!(sender.is_closed());
    }
}
