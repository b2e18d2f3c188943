//! A miner's side of a query: from an opened stream to an expert and back.
//!
//! Runs on the endpoint's own thread, so it only moves events; experts work elsewhere. Dropping the expert's
//! stream frees the expert, and the reply's cancellation drops it.
//!
//! What a hostile asker can do: open a query that passed admission, and make us decode at most
//! [`MAX_REQUEST`] bytes of canonical CBOR. Everything in it is validated before an expert sees it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, future::BoxFuture};
use nervure_experts::{Expert, ExpertError, ExpertEvent, ExpertRequest};
use nervure_p2p::query::{InboundQuery, QueryErrorCode, QueryOpen, QueryService, Replier};
use nervure_primitives::{Amount, Capability, Netuid, cbor};

use super::wire;

/// Largest request body: the experts' own bound on text, escaped at worst, and room for its fields.
const MAX_REQUEST: usize = 512 * 1024;

/// Most bytes of an expert's complaint that travel back.
const MAX_COMPLAINT: usize = 256;

/// An expert as this node offers it.
#[derive(Clone)]
pub(crate) struct ServedExpert {
    /// Its name on this node.
    pub name: String,
    /// The subnet that it serves in.
    pub netuid: Netuid,
    /// What it says it can do.
    pub capability: Capability,
    /// Base units per 1,000 tokens of output.
    pub price: u64,
    /// The model.
    pub expert: Arc<dyn Expert>,
}

/// The experts of this node, by name.
pub(crate) struct ServedExperts(BTreeMap<String, ServedExpert>);

impl ServedExperts {
    /// Experts under distinct names; a later one of the same name replaces the earlier.
    pub(crate) fn new(experts: impl IntoIterator<Item = ServedExpert>) -> Self {
        Self(experts.into_iter().map(|served| (served.name.clone(), served)).collect())
    }

    /// Every expert, in order of name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ServedExpert> {
        self.0.values()
    }

    /// The expert that a query is for: the one it names, else the first that its capability covers.
    fn pick(&self, open: &QueryOpen) -> Option<&ServedExpert> {
        let fits = |served: &&ServedExpert| {
            served.netuid == open.netuid && open.capability.covers(&served.capability)
        };
        match &open.model {
            Some(name) => self.0.get(name).filter(fits),
            None => self.iter().find(fits),
        }
    }
}

impl QueryService for ServedExperts {
    fn serve(&self, query: InboundQuery) -> BoxFuture<'static, ()> {
        let served = self.pick(&query.open).cloned();
        Box::pin(async move {
            let reply = query.reply;
            match served {
                None => reply.refuse(QueryErrorCode::NoSuchExpert, "no such expert here", None).await,
                Some(served) => answer(&served, &query.open, reply).await,
            }
        })
    }
}

async fn answer(served: &ServedExpert, open: &QueryOpen, mut reply: Replier) {
    if Amount::from_base_units(served.price) > open.budget {
        let complaint = format!("costs {} base units per 1,000 tokens", served.price);
        return reply.refuse(QueryErrorCode::BudgetExceeded, &complaint, None).await;
    }
    let request: ExpertRequest = match cbor::decode(&open.body, cbor::Limits::new(MAX_REQUEST)) {
        Ok(request) => request,
        Err(error) => return reply.refuse(QueryErrorCode::BadRequest, &cut(error.to_string()), None).await,
    };
    if let Err(error) = request.validate() {
        return refuse(reply, &error).await;
    }
    let mut events = served.expert.run(request);
    loop {
        let event = tokio::select! {
            biased;
            () = reply.cancelled() => return,
            event = events.next() => event,
        };
        match event {
            Some(Ok(ExpertEvent::Done { usage, reason })) => return reply.end(wire::end(usage, reason)).await,
            Some(Ok(event)) => match wire::encode(&event) {
                Ok(chunk) if reply.send(chunk).await.is_ok() => {}
                Ok(_) => return,
                Err(error) => {
                    return reply.refuse(QueryErrorCode::Internal, &cut(error.to_string()), None).await;
                }
            },
            Some(Err(error)) => return refuse(reply, &error).await,
            None => return,
        }
    }
}

/// Sends an expert's refusal as a typed error frame.
async fn refuse(reply: Replier, error: &ExpertError) {
    let retry_after = match error {
        ExpertError::Busy { retry_after } => Some(*retry_after),
        _ => None,
    };
    reply.refuse(code(error), &cut(error.to_string()), retry_after).await;
}

fn code(error: &ExpertError) -> QueryErrorCode {
    match error {
        ExpertError::Busy { .. } => QueryErrorCode::Busy,
        ExpertError::BadRequest { .. } | ExpertError::ContextTooLong { .. } | ExpertError::Unsupported { .. } => {
            QueryErrorCode::BadRequest
        }
        ExpertError::Cancelled => QueryErrorCode::ShuttingDown,
        ExpertError::Internal(_) => QueryErrorCode::Internal,
        _ => QueryErrorCode::ExpertFailed,
    }
}

fn cut(mut text: String) -> String {
    let end = (0..=MAX_COMPLAINT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    text
}
