//! A miner's side of a query: from an opened stream to an expert and back.
//!
//! Runs on the query endpoint's own thread, so it only moves events; experts work elsewhere. Dropping the expert's
//! stream frees the expert; it is dropped when the asker leaves.
//!
//! What a hostile asker can do: open a query that passed admission, and make us decode one bounded body of
//! canonical CBOR. Everything in it is validated before an expert sees it.

mod answer;
mod load;
mod refusal;
mod share;

use std::{collections::BTreeMap, sync::Arc};

use futures::{FutureExt, future::BoxFuture};
use nervure_experts::Expert;
use nervure_p2p::query::{InboundQuery, QueryErrorCode, QueryOpen, QueryService};
use nervure_primitives::{Capability, Netuid};
use nervure_protocol::{
    ExpertRequest, ModelName,
    bounds::MAX_HOPS,
    query::{ErrorText, body},
};
use nervure_router::price;

use super::receipts::{OpenReceipt, ReceiptSigner, ServedModel};
pub(crate) use load::ExpertLoad;
use refusal::{refuse_busy, refuse_unknown};
pub(crate) use share::ExpertPlaces;

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
    /// How busy it is.
    pub load: ExpertLoad,
    /// Its workers, or the requests to its upstream.
    pub places: ExpertPlaces,
}

impl ServedExpert {
    /// Its load, in percent.
    pub(crate) fn load(&self) -> u8 {
        self.load.percent()
    }

    /// What its receipts say about it: the same as its record.
    fn model(&self) -> ServedModel {
        let card = self.expert.card();
        let (model, identity) = (ModelName::new(&card.model), card.identity.clone());
        ServedModel { expert: self.name.clone(), model, identity }
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
        let InboundQuery { from, standing, open, reply } = query;
        let Some(served) = self.pick(&open).cloned() else {
            return refuse_unknown(reply).boxed();
        };
        let receipt = self.signer.clone().zip(OpenReceipt::of(from, &open, served.model()));
        async move {
            // Before the queue: a refusal needs no place.
            let request = match accept(&served, &open) {
                Ok(request) => request,
                Err((code, reason)) => return reply.refuse(code, reason, None).await,
            };
            let receipt = receipt.map(|(signer, mut open)| {
                open.asked(&request);
                (signer, open)
            });
            // Inside the future: dropping it when the asker leaves gives both back.
            let _in_flight = served.load.begin(standing.class);
            match served.places.take(from, standing).await {
                Ok(place) => {
                    let events = served.expert.run_passed_on(request, open.hops.saturating_add(1));
                    answer::stream(events, place, reply, receipt).await;
                }
                Err(none) => refuse_busy(reply, none).await,
            }
        }
        .boxed()
    }
}

/// The validated request of a query, when its budget covers the cost.
fn accept(served: &ServedExpert, open: &QueryOpen) -> Result<ExpertRequest, (QueryErrorCode, ErrorText)> {
    let bad = |error: &dyn std::fmt::Display| (QueryErrorCode::BadRequest, ErrorText::new(error));
    if open.hops > MAX_HOPS {
        let reason = format!("{} servers have passed it on, at most {MAX_HOPS} may", open.hops);
        return Err((QueryErrorCode::BadRequest, reason.into()));
    }
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

#[cfg(test)]
mod flood_tests;

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
            load: ExpertLoad::default(),
            places: ExpertPlaces::new(std::num::NonZeroUsize::MIN),
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
            hops: 0,
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
    fn the_budget_and_the_body_are_checked_before_the_expert_works() {
        let paid = served("a", "rust", 1_000_000);
        let refused = |open: &QueryOpen| accept(&paid, open).unwrap_err().0;
        assert_eq!(refused(&open("text", None)), QueryErrorCode::BudgetExceeded);
        assert_eq!(
            refused(&QueryOpen { body: vec![0xFF], ..open("text", None) }),
            QueryErrorCode::BadRequest
        );
        assert!(accept(&served("b", "rust", 0), &QueryOpen { hops: MAX_HOPS, ..open("text", None) }).is_ok());
        assert_eq!(
            refused(&QueryOpen { hops: MAX_HOPS + 1, ..open("text", None) }),
            QueryErrorCode::BadRequest
        );
        let budget = Amount::from_base_units(256_000);
        assert!(accept(&paid, &QueryOpen { budget, ..open("text", None) }).is_ok());
        let budget = Amount::from_base_units(255_999);
        assert_eq!(refused(&QueryOpen { budget, ..open("text", None) }), QueryErrorCode::BudgetExceeded);
    }
}
