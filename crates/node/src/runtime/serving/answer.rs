//! Moves an answer from its expert to its asker.
//!
//! The two sides are read and written at their own pace, with a bounded buffer between them: an asker that reads slowly
//! does not keep its expert's place. The place is given back as soon as the expert has written its last event, or has to
//! stop for an asker of a higher class.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use nervure_experts::{ExpertError, ExpertStream};
use nervure_p2p::query::{QueryEnd, QueryErrorCode, Replier};
use nervure_protocol::{
    ExpertEvent, FinishReason, Usage,
    query::{ErrorText, body},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};

use super::{refusal::refuse_with, share::ExpertPlace};
use crate::runtime::receipts::{OpenReceipt, ReceiptSigner};

/// Bytes of an answer that wait for a slow asker. A built-in model's longest answer fits. An event that is longer has the
/// buffer to itself.
const BUFFER_BYTES: u32 = 64 << 10;

/// What each event is charged at least.
const MIN_EVENT_BYTES: usize = 256;

/// When an asker whose answer was stopped for another may try again.
const DISPLACED_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Silence after which an asker is told that its expert works. Well below what askers wait.
const SIGN_INTERVAL: Duration = Duration::from_secs(5);

/// One step of an answer, and its part of the buffer.
type Step = (AnswerStep, Option<OwnedSemaphorePermit>);

enum AnswerStep {
    Event(Box<ExpertEvent>, Bytes),
    End(Usage, FinishReason),
    Failed(ExpertError),
    /// An event that cannot be sent.
    Unsendable(ErrorText),
}

/// Moves an expert's events to the asker until one of them is done.
pub(super) async fn stream(
    events: ExpertStream,
    place: ExpertPlace,
    reply: Replier,
    receipt: Option<(ReceiptSigner, OpenReceipt)>,
) {
    let (sender, steps) = mpsc::unbounded_channel();
    let reading = async {
        read(events, place, &sender).await;
        // The writer still has what is in the buffer. Dropping the sender tells it when that is all.
        drop(sender);
        std::future::pending().await
    };
    tokio::select! {
        biased;
        // The end of the writer ends all: the answer is complete, or the asker has left.
        () = write(steps, reply, receipt) => {}
        () = reading => {}
    }
}

/// Reads the expert until its last event or until it has to stop, and gives its place back.
async fn read(events: ExpertStream, mut place: ExpertPlace, steps: &mpsc::UnboundedSender<Step>) {
    tokio::select! {
        biased;
        () = place.displaced() => {
            let stopped = ExpertError::Busy { retry_after: DISPLACED_RETRY_DELAY };
            // Fails only when the writer has ended.
            let _ = steps.send((AnswerStep::Failed(stopped), None));
        }
        () = fill(events, steps) => {}
    }
}

/// Moves events into the buffer, as far as it has room.
async fn fill(mut events: ExpertStream, steps: &mpsc::UnboundedSender<Step>) {
    let buffer = Arc::new(Semaphore::new(BUFFER_BYTES as usize));
    // Every stream has to finish with `Done`. One that just stops is incomplete and must not end well: no step says so.
    while let Some(event) = events.next().await {
        let step = match event {
            Ok(ExpertEvent::Done { usage, reason }) => AnswerStep::End(usage, reason),
            Ok(event) => match body::encode_event(&event) {
                Ok(chunk) => AnswerStep::Event(Box::new(event), chunk),
                Err(error) => AnswerStep::Unsendable(ErrorText::new(error)),
            },
            Err(error) => AnswerStep::Failed(error),
        };
        let room = match &step {
            AnswerStep::Event(_, chunk) => {
                let bytes = u32::try_from(chunk.len().max(MIN_EVENT_BYTES)).unwrap_or(u32::MAX);
                buffer.clone().acquire_many_owned(bytes.min(BUFFER_BYTES)).await.ok()
            }
            _ => None,
        };
        let is_last = room.is_none();
        // Fails only when the writer has ended.
        if steps.send((step, room)).is_err() || is_last {
            return;
        }
    }
}

/// Writes to the asker.
async fn write(
    mut steps: mpsc::UnboundedReceiver<Step>,
    mut reply: Replier,
    mut receipt: Option<(ReceiptSigner, OpenReceipt)>,
) {
    loop {
        let step = match timeout(SIGN_INTERVAL, steps.recv()).await {
            Ok(Some(step)) => step,
            Ok(None) => return,
            // A model that loads, reads a long prompt or reasons: its server holds the connection, and its limits end it.
            Err(_) => match reply.alive().await {
                Ok(()) => continue,
                Err(_gone) => return,
            },
        };
        let (step, room) = step;
        match step {
            AnswerStep::Event(event, chunk) => {
                if let Some((_, receipt)) = &mut receipt {
                    receipt.event(&event);
                }
                if let Err(_gone) = reply.send(chunk).await {
                    return;
                }
                drop(room);
            }
            AnswerStep::End(usage, reason) => {
                let receipt = receipt.and_then(|(signer, open)| signer.sign(open, usage, reason));
                return reply.end(QueryEnd { receipt, ..body::end(usage, reason) }).await;
            }
            AnswerStep::Failed(error) => return refuse_with(reply, &error).await,
            AnswerStep::Unsendable(text) => return reply.refuse(QueryErrorCode::Internal, text, None).await,
        }
    }
}
