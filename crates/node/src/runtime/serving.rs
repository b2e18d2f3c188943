//! A miner's side of a query: from an opened stream to an expert and back.
//!
//! Runs on the query endpoint's own thread, so it only moves events; experts work elsewhere. Dropping the expert's
//! stream frees the expert; it is dropped when the asker leaves.
//!
//! What a hostile asker can do: open a query that passed admission, and make us decode one bounded body of
//! canonical CBOR. Everything in it is validated before an expert sees it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use futures::{FutureExt, StreamExt, future::BoxFuture};
use nervure_experts::{Expert, ExpertError, ExpertStream};
use nervure_p2p::query::{InboundQuery, QueryEnd, QueryErrorCode, QueryOpen, QueryService, Replier};
use nervure_primitives::{Capability, Netuid};
use nervure_protocol::{
    ExpertEvent, ExpertRequest,
    query::{ErrorText, body},
};
use nervure_router::price;

use super::receipts::{OpenReceipt, ReceiptSigner};

/// Queries at which an expert counts as fully loaded: the length of a built-in model's queue.
const FULL_LOAD_QUERIES: u32 = 16;

/// An expert as this node offers it.
#[derive(Clone)]
pub(crate) struct ServedExpert {
    /// Its name on this node.
    pub name: String,
    /// The subnet that it serves in.
    pub netuid: Netuid,
    /// The capability that it advertises.
    pub capability: Capability,
    /// Base units per 1,000 tokens of output.
    pub price: u64,
    /// The model.
    pub expert: Arc<dyn Expert>,
    /// Queries that it works on or that wait for it.
    pub in_progress: Arc<AtomicU32>,
}

impl ServedExpert {
    /// Its load, in percent of [`FULL_LOAD_QUERIES`].
    pub(crate) fn load(&self) -> u8 {
        // The minimum comes first, so that the product cannot overflow.
        let busy = self.in_progress.load(Ordering::Relaxed).min(FULL_LOAD_QUERIES) * 100 / FULL_LOAD_QUERIES;
        u8::try_from(busy).unwrap_or(100)
    }
}

/// Counts a query as in progress until it is dropped.
struct InFlightGuard(Arc<AtomicU32>);

impl InFlightGuard {
    fn begin(counter: &Arc<AtomicU32>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter.clone())
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The experts of this node, by name.
pub(crate) struct ServedExperts {
    experts: BTreeMap<String, ServedExpert>,
    /// Signs receipts for their answers; without it there are none.
    signer: Option<ReceiptSigner>,
}

impl ServedExperts {
    /// Experts by their names, which are distinct.
    pub(crate) fn new(experts: impl IntoIterator<Item = ServedExpert>) -> Self {
        let experts = experts.into_iter().map(|served| (served.name.clone(), served)).collect();
        Self { experts, signer: None }
    }

    /// The same, with receipts for their answers.
    pub(crate) fn signing(self, signer: ReceiptSigner) -> Self {
        Self { signer: Some(signer), ..self }
    }

    /// Every expert, in order of name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ServedExpert> {
        self.experts.values()
    }

    /// The expert that a query is for: the one it names, else the first that its capability covers.
    fn pick(&self, open: &QueryOpen) -> Option<&ServedExpert> {
        let fits = |served: &&ServedExpert| {
            served.netuid == open.netuid && open.capability.covers(&served.capability)
        };
        match &open.expert {
            Some(name) => self.experts.get(name).filter(fits),
            None => self.iter().find(fits),
        }
    }
}

impl QueryService for ServedExperts {
    fn serve(&self, query: InboundQuery) -> BoxFuture<'static, ()> {
        let InboundQuery { from, open, reply } = query;
        let Some(served) = self.pick(&open).cloned() else {
            return reply_no_such(reply).boxed();
        };
        let receipt = self.signer.clone().zip(OpenReceipt::of(from, &open));
        async move {
            // Inside the future: dropping it when the asker leaves gives the count back.
            let _in_flight = InFlightGuard::begin(&served.in_progress);
            match accept(&served, &open) {
                Ok(request) => stream(served.expert.run(request), reply, receipt).await,
                Err((code, reason)) => reply.refuse(code, reason, None).await,
            }
        }
        .boxed()
    }
}

async fn reply_no_such(reply: Replier) {
    reply.refuse(QueryErrorCode::NoSuchExpert, "no such expert here".into(), None).await;
}

/// The validated request of a query, when its budget covers the cost.
fn accept(served: &ServedExpert, open: &QueryOpen) -> Result<ExpertRequest, (QueryErrorCode, ErrorText)> {
    let bad = |error: &dyn std::fmt::Display| (QueryErrorCode::BadRequest, ErrorText::new(error));
    let request = body::decode_request(&open.body).map_err(|error| bad(&error))?;
    // CBOR gives the types only. The bounds of the fields are checked before the expert sees them.
    request.validate().map_err(|error| bad(&error))?;
    // The most that the request may cost, before any work: the number of tokens is known only at the end.
    let cost = price::max_cost(served.price, &request);
    if cost > open.budget {
        return Err((
            QueryErrorCode::BudgetExceeded,
            format!("may cost {cost} tokens, offered are {}", open.budget).into(),
        ));
    }
    Ok(request)
}

/// Moves an expert's events to the asker until one of them is done.
async fn stream(
    mut events: ExpertStream,
    mut reply: Replier,
    mut receipt: Option<(ReceiptSigner, OpenReceipt)>,
) {
    loop {
        let event = tokio::select! {
            biased;
            // First in order: an asker that has left must free the expert, also while the expert always has
            // an event.
            () = reply.cancelled() => return,
            event = events.next() => event,
        };
        let sent = match event {
            Some(Ok(ExpertEvent::Done { usage, reason })) => {
                let receipt = receipt.and_then(|(signer, open)| signer.sign(open));
                return reply.end(QueryEnd { receipt, ..body::end(usage, reason) }).await;
            }
            Some(Ok(event)) => body::encode_event(&event),
            Some(Err(error)) => return refuse(reply, &error).await,
            // Every stream has to finish with `Done`. Without it the answer is incomplete and must not end well.
            None => return,
        };
        match sent {
            Ok(chunk) => {
                if let Some((_, receipt)) = &mut receipt {
                    // The encoded bytes, as the asker receives them: both sides hash the same.
                    receipt.chunk(&chunk);
                }
                if let Err(_gone) = reply.send(chunk).await {
                    return;
                }
            }
            Err(error) => {
                return reply.refuse(QueryErrorCode::Internal, ErrorText::new(error), None).await;
            }
        }
    }
}

/// Sends an expert's refusal as a typed error frame.
async fn refuse(reply: Replier, error: &ExpertError) {
    let retry_after = match error {
        ExpertError::Busy { retry_after } => Some(*retry_after),
        _ => None,
    };
    reply.refuse(code(error), ErrorText::new(error), retry_after).await;
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

#[cfg(test)]
#[cfg(feature = "byte-lm")]
mod tests {
    use nervure_byte_lm::{ByteExpert, ServeOptions, builtin};
    use nervure_primitives::Amount;
    use nervure_protocol::Sampling;

    use super::*;

    fn served(name: &str, domain: &str, price: u64) -> ServedExpert {
        let model = builtin::find(domain).unwrap();
        ServedExpert {
            name: name.into(),
            netuid: Netuid(1),
            capability: model.card().capability.parse().unwrap(),
            price,
            expert: Arc::new(ByteExpert::builtin(model, ServeOptions::default()).unwrap()),
            in_progress: Arc::default(),
        }
    }

    fn open(capability: &str, expert: Option<&str>) -> QueryOpen {
        let request = ExpertRequest::Complete { prompt: "x".into(), sampling: Sampling::default() };
        QueryOpen {
            netuid: Netuid(1),
            capability: capability.parse().unwrap(),
            expert: expert.map(Into::into),
            body: body::encode_request(&request).unwrap(),
            deadline_ms: 1000,
            budget: Amount::ZERO,
            name: None,
        }
    }

    #[test]
    fn a_query_finds_the_expert_it_names_or_one_that_fits() {
        let experts = ServedExperts::new([served("a", "rust", 0), served("b", "prose", 0)]);
        let picked = |open: &QueryOpen| experts.pick(open).map(|served| served.name.clone());
        assert_eq!(picked(&open("text.generate", None)).as_deref(), Some("a"));
        assert_eq!(picked(&open("text.generate", Some("b"))).as_deref(), Some("b"));
        assert_eq!(picked(&open("text.generate.prose", None)).as_deref(), Some("b"));
        assert_eq!(picked(&open("text.generate.prose", Some("a"))), None, "it cannot do that");
        assert_eq!(picked(&open("image", None)), None);
        assert_eq!(picked(&QueryOpen { netuid: Netuid(2), ..open("text", None) }), None);
    }

    #[test]
    fn the_load_follows_the_queries_within_its_bounds() {
        let expert = served("a", "rust", 0);
        assert_eq!(expert.load(), 0);
        let some: Vec<_> = (0..4).map(|_| InFlightGuard::begin(&expert.in_progress)).collect();
        assert_eq!(expert.load(), 25);
        let many: Vec<_> = (0..100).map(|_| InFlightGuard::begin(&expert.in_progress)).collect();
        assert_eq!(expert.load(), 100);
        drop((some, many));
        assert_eq!(expert.load(), 0);
    }

    #[test]
    fn the_budget_and_the_body_are_checked_before_the_expert_works() {
        let paid = served("a", "rust", 1_000_000);
        let refused = |open: &QueryOpen| accept(&paid, open).unwrap_err().0;
        assert_eq!(refused(&open("text", None)), QueryErrorCode::BudgetExceeded);
        assert_eq!(
            refused(&QueryOpen { body: vec![0xFF], ..open("text", None) }),
            QueryErrorCode::BadRequest
        );
        let budget = Amount::from_base_units(256_000);
        assert!(accept(&paid, &QueryOpen { budget, ..open("text", None) }).is_ok());
        let budget = Amount::from_base_units(255_999);
        assert_eq!(refused(&QueryOpen { budget, ..open("text", None) }), QueryErrorCode::BudgetExceeded);
    }
}
