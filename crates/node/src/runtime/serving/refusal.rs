//! An expert's refusal as a typed error frame.

use nervure_api::NoPlace;
use nervure_experts::ExpertError;
use nervure_p2p::query::{QueryErrorCode, Replier};
use nervure_protocol::query::ErrorText;

/// Sends an expert's refusal as a typed error frame.
pub(super) async fn refuse_with(reply: Replier, error: &ExpertError) {
    let retry_after = match error {
        ExpertError::Busy { retry_after } => Some(*retry_after),
        _ => None,
    };
    reply.refuse(code(error), ErrorText::new(error), retry_after).await;
}

/// Tells an asker for which there is no place.
pub(super) async fn refuse_busy(reply: Replier, NoPlace { retry_after }: NoPlace) {
    refuse_with(reply, &ExpertError::Busy { retry_after }).await;
}

/// Tells an asker that this node has no such expert.
pub(super) async fn refuse_unknown(reply: Replier) {
    reply.refuse(QueryErrorCode::NoSuchExpert, "no such expert here".into(), None).await;
}

fn code(error: &ExpertError) -> QueryErrorCode {
    match error {
        ExpertError::Busy { .. } => QueryErrorCode::Busy,
        ExpertError::BadRequest { .. } | ExpertError::Unsupported { .. } => QueryErrorCode::BadRequest,
        ExpertError::ContextTooLong { .. } => QueryErrorCode::ContextTooLong,
        ExpertError::Cancelled => QueryErrorCode::ShuttingDown,
        ExpertError::Internal(_) => QueryErrorCode::Internal,
        _ => QueryErrorCode::ExpertFailed,
    }
}
