//! A mock node: the name of the model says how it answers.

use std::{sync::Arc, time::Duration};

use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, pending},
    stream::{self, BoxStream},
};
use nervure_primitives::{Amount, BlockHeight, Capability, Envelope, Hash, MeshId, Netuid, NodeId};
use nervure_protocol::{ExpertEvent, ExpertRequest, FinishReason, Usage};
use parking_lot::Mutex;
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::sync::Semaphore;

use crate::{HttpMetrics, LedgerReader, LightCall, MeshService};
use nervure_api::*;

/// The words of an answer; the accent and the newline test the framing.
pub(super) const WORDS: [&str; 3] = ["Hé", "llo\n", "world"];

/// The mock node.
pub(super) struct MockService {
    /// One permit per expert that was freed: by its end or by being dropped.
    freed: Arc<Semaphore>,
    /// The last question.
    pub(super) asked: Mutex<Option<Query>>,
    /// Why it is not ready.
    pub(super) not_ready: Mutex<Option<String>>,
    /// What the API in front of it counts.
    http: HttpMetrics,
}

/// Given back when an expert's stream, or the wait for one, is dropped.
struct Working(Arc<Semaphore>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

impl MockService {
    /// Behind an API that counts in `http`.
    pub(super) fn new(http: HttpMetrics) -> Self {
        let (asked, not_ready) = (Mutex::default(), Mutex::default());
        Self { freed: Arc::new(Semaphore::new(0)), asked, not_ready, http }
    }

    /// Waits until one more expert was freed.
    pub(super) async fn freed(&self) {
        let freed = tokio::time::timeout(super::TEST_TIMEOUT, self.freed.acquire()).await;
        freed.expect("an expert was never freed").unwrap().forget();
    }

    /// How many experts were freed and not waited for.
    pub(super) fn freed_count(&self) -> usize {
        self.freed.available_permits()
    }

    /// The last question.
    pub(super) fn last(&self) -> Query {
        self.asked.lock().clone().expect("nothing was asked")
    }
}

/// The expert that answers for `model`.
pub(super) fn expert(model: &str) -> ExpertView {
    ExpertView {
        node: NodeId::from_bytes([7; 32]),
        netuid: Netuid(1),
        expert: "wörds".into(),
        capability: "text.generate.words".parse().unwrap(),
        model: model.into(),
        identity: Default::default(),
        context: 4096,
        max_output: 1024,
        price: 0,
        byte_level: false,
        load: 10,
        relayed: false,
        expires_in_ms: 30_000,
        latency_ms: Some(3),
        trust: None,
    }
}

/// The error that a model's name stands for.
fn refusal(name: &str) -> Option<ServiceError> {
    let budget = Amount::ZERO;
    let failed = |failure: &str| nervure_api::FailedAttempt {
        node: NodeId::from_bytes([8; 32]),
        expert: "e".into(),
        failure: failure.into(),
    };
    Some(match name {
        "busy" => ServiceError::Busy { retry_after: Duration::from_millis(1500) },
        "dear" => ServiceError::OverBudget { cheapest: Amount::from_base_units(5), budget },
        "broken" => ServiceError::AllFailed { attempts: vec![failed("timed out"), failed("refused")] },
        "late" => ServiceError::DeadlineExceeded { after: Duration::from_secs(1) },
        "long" => ServiceError::ContextTooLong { reason: "9000 of 4096".into() },
        "stopping" => ServiceError::Unavailable { reason: "it is stopping".into() },
        "unknown" | "Unknown Model" => ServiceError::UnknownModel {
            model: name.into(),
            known: vec!["words".into(), "text.generate".into()],
        },
        _ => return None,
    })
}

/// The pieces of a call of a tool, with what the model thought before.
pub(super) const CALL_PIECES: [&str; 4] = [
    r#"{"reasoning":"Hm."}"#,
    r#"{"logprobs":{"content":[{"logprob":-0.5,"token":"{"}]}}"#,
    r#"{"tool_calls":[{"function":{"arguments":"","name":"weather"},"id":"a","index":0,"type":"function"}]}"#,
    r#"{"tool_calls":[{"function":{"arguments":"{\"city\":\"Bern\"}"},"index":0}]}"#,
];

fn called_tools() -> Vec<Result<ExpertEvent, ServiceError>> {
    let pieces =
        CALL_PIECES.iter().map(|piece| ExpertEvent::Fields(String::from(*piece).try_into().unwrap()));
    let done = ExpertEvent::Done { usage: Usage::default(), reason: FinishReason::ToolCalls };
    pieces.chain([done]).map(Ok).collect()
}

/// The answer of `model`, which may fail half-way.
fn events(
    ask: &Query,
    model: &str,
    working: Working,
) -> BoxStream<'static, Result<ExpertEvent, ServiceError>> {
    let text = |word: &str| Ok(ExpertEvent::Text(word.to_owned()));
    let done = Ok(ExpertEvent::Done {
        usage: Usage { prompt_tokens: 5, completion_tokens: 3 },
        reason: FinishReason::Stop,
    });
    let endless = model == "silent" || model == "flood";
    let items: Vec<_> = match (model, &ask.request) {
        ("flood", _) => Vec::new(),
        ("silent", _) => vec![text(WORDS[0])],
        ("cut", _) => vec![text(WORDS[0])],
        ("fails", _) => {
            vec![text(WORDS[0]), Err(ServiceError::Interrupted { reason: "the expert died".into() })]
        }
        ("tools", _) => called_tools(),
        (_, ExpertRequest::Embed { inputs }) if model != "text-only" => {
            let first = if model == "disordered" { 1 } else { 0 };
            let half = if model == "nan" { f32::NAN } else { 0.5 };
            let vector = |(index, text): (u32, &String)| {
                Ok(ExpertEvent::Embedding { index, vector: vec![text.len() as f32, half] })
            };
            (first..).zip(inputs).map(vector).chain([done]).collect()
        }
        _ => WORDS.iter().map(|word| text(word)).chain([done]).collect(),
    };
    let flood = model == "flood";
    let rest = if flood {
        stream::repeat_with(|| Ok(ExpertEvent::Text("x".repeat(16 * 1024)))).boxed()
    } else if endless {
        stream::pending().boxed()
    } else {
        stream::empty().boxed()
    };
    // The guard lives as long as the stream does.
    stream::iter(items).chain(rest).map(move |item| (&working, item).1).boxed()
}

/// Follows no chain.
struct NoLedger;

impl LedgerReader for NoLedger {}

impl MeshService for MockService {
    fn ask(&self, ask: Query) -> BoxFuture<'_, Result<AnswerStream, ServiceError>> {
        async move {
            *self.asked.lock() = Some(ask.clone());
            let (QueryTarget::Named(name) | QueryTarget::Model(name)) = &ask.target else {
                let QueryTarget::Capability(capability) = ask.target else { unreachable!() };
                return Err(ServiceError::NoExpert { capability, known: vec!["text.generate".into()] });
            };
            if let Some(error) = refusal(name) {
                return Err(error);
            }
            let working = Working(self.freed.clone());
            if name == "never" {
                pending::<()>().await;
            }
            let detail = ask.explain.then(|| serde_json::json!({ "choices": [] }));
            let route = RouteView {
                strategy: ask.strategy.to_string(),
                policy: ask.policy,
                block: BlockHeight(7),
                candidates: 4,
                filtered: 1,
                tried: 1,
                participants: Vec::new(),
                detail,
            };
            let (expert, events) = (expert(name), events(&ask, name, working));
            Ok(AnswerStream { route, expert, events, summary: Arc::default() })
        }
        .boxed()
    }

    fn experts(&self, find: ExpertSearch) -> BoxFuture<'_, Result<ExpertPage, ServiceError>> {
        async move {
            if find.filter.as_deref() == Some("context >") {
                let rendered = "context >\n         ^".into();
                return Err(ServiceError::InvalidFilter {
                    column: 10,
                    message: "expected a number".into(),
                    rendered,
                });
            }
            let first = find.cursor.map_or(0, |cursor| cursor.parse().unwrap());
            let experts = (first..8).take(find.limit).map(|at| expert(&format!("m{at}"))).collect::<Vec<_>>();
            let next = first + experts.len();
            Ok(ExpertPage { experts, next: (next < 8).then(|| next.to_string()) })
        }
        .boxed()
    }

    fn catalog(&self) -> BoxFuture<'_, Catalog> {
        async {
            let capability: Capability = "text.generate.words".parse().unwrap();
            let model = |name: &str| ModelView {
                model: name.into(),
                capability: capability.clone(),
                experts: 2,
                context: 4096,
            };
            let capabilities =
                capability.prefixes().map(|capability| CapabilityCount { capability, experts: 4 }).collect();
            Catalog { models: vec![model("org/words"), model("text")], capabilities }
        }
        .boxed()
    }

    fn status(&self) -> BoxFuture<'_, NodeStatus> {
        async {
            NodeStatus {
                validator: None,
                node: NodeId::from_bytes([7; 32]),
                mesh: MeshId::from_bytes([1; 32]),
                role: "gateway".into(),
                version: "0.0.0".into(),
                uptime_ms: 1,
                not_ready: self.not_ready.lock().clone(),
                clock: None,
                peers_connected: 12,
                experts_known: 8,
                serving: Vec::new(),
                chain: None,
                anchor: None,
                reach: ReachView::default(),
                network: serde_json::Value::Null,
            }
        }
        .boxed()
    }

    fn account(&self, owner: NodeId) -> BoxFuture<'_, Result<AccountView, ServiceError>> {
        let reason = format!("no ledger knows {owner} here");
        std::future::ready(Err(ServiceError::Unavailable { reason })).boxed()
    }

    fn submit(
        &self,
        envelope: Envelope,
        dry_run: bool,
    ) -> BoxFuture<'_, Result<TransactionView, ServiceError>> {
        let state = if dry_run { TransactionState::Possible } else { TransactionState::Pending };
        let id = envelope.id();
        let view = TransactionView { id, state, height: None, paid: None, outcome: None, rejection: None };
        std::future::ready(Ok(view)).boxed()
    }

    fn transaction(&self, id: Hash) -> BoxFuture<'_, Result<TransactionView, ServiceError>> {
        let state = TransactionState::Pending;
        let view = TransactionView { id, state, height: None, paid: None, outcome: None, rejection: None };
        std::future::ready(Ok(view)).boxed()
    }

    fn light(&self, call: LightCall) -> BoxFuture<'_, Result<Vec<u8>, ServiceError>> {
        let (LightCall::Proof(bytes) | LightCall::Transaction(bytes)) = call;
        std::future::ready(Ok(bytes)).boxed()
    }

    fn ledger(&self) -> &dyn LedgerReader {
        &NoLedger
    }

    fn peers(&self) -> BoxFuture<'_, Vec<PeerView>> {
        let peer = PeerView {
            node: NodeId::from_bytes([9; 32]),
            direction: "out".into(),
            rtt_ms: Some(0.3),
            agent: "nervure".into(),
            addresses: vec!["/ip4/127.0.0.1/udp/1/quic-v1".into()],
        };
        async { vec![peer] }.boxed()
    }

    fn peer_reach(&self, peer: NodeId) -> BoxFuture<'_, PeerReachView> {
        let own = RoadView { road: Some("direct".into()), error: None };
        let rendezvous = Vec::new();
        async move { PeerReachView { peer, connected: 1, own, rendezvous, report: None, query: Vec::new() } }
            .boxed()
    }

    fn metrics(&self) -> String {
        let mut registry = Registry::with_prefix("nervure");
        self.http.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }
}
