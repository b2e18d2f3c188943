//! Scripted experts in virtual time: a mesh for one router, and a trace of what it does.

mod dial;

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use nervure_api::{AnswerStream, AnswerSummary, Query, QueryTarget, ServiceError, Strategy};
use nervure_primitives::{Amount, BlockHeight, MeshId, Netuid, NodeId, UnixMillis};
use nervure_protocol::{
    ExpertEvent, ExpertId, ExpertRecord, ExpertRequest, FinishReason, Sampling, Score, query::QueryErrorCode,
};
use nervure_subnet::{Dice, IndexSearch, Observation, Observations, Page, Policy, Seed, score::MedianScore};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

use crate::{
    Catalog, Clock, ComposedPiece, Composer, DialError, Entropy, Environment, ExpertQuery, NeuronTrust,
    Router, SubnetTrust, TrustSnapshot, TrustSource, TrustTable,
};
use dial::FakeDial;

/// The wall clock when a test starts.
const EPOCH: UnixMillis = UnixMillis(1_700_000_000_000);

/// Runs `future` in virtual time: a sleep takes no time but moves the clock.
pub(crate) fn virtually<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(future)
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What a scripted expert does next.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// It is silent for this long.
    Wait(Duration),
    /// It sends an event.
    Event(ExpertEvent),
    /// It ends the answer.
    End(FinishReason),
    /// It fails.
    Fail(DialError),
    /// It is silent for ever.
    Hang,
}

/// From a request, and how many the expert got before, to its answer.
type Script = Arc<dyn Fn(&ExpertRequest, u32) -> Vec<Step> + Send + Sync>;

/// A scripted expert on a node of its own.
#[derive(Clone)]
pub(crate) struct FakeExpert {
    pub(crate) record: ExpertRecord,
    pub(crate) trust_percent: u64,
    script: Script,
}

impl FakeExpert {
    /// The expert `number`. Lower numbers are more trusted, so that they are asked first.
    pub(crate) fn new(
        number: u8,
        script: impl Fn(&ExpertRequest, u32) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let record = ExpertRecord {
            node: node(number),
            netuid: Netuid(1),
            expert: format!("e{number}"),
            capability: "text.generate".parse().unwrap(),
            model: "m".into(),
            identity: Default::default(),
            context: 256,
            max_output: 4096,
            price: 0,
            byte_level: true,
            load: 0,
            addresses: vec![([127, 0, 0, 1], 1).into()],
            relays: Vec::new(),
            seq: 1,
            issued_at: EPOCH,
            expires_at: EPOCH.plus(Duration::from_secs(3600)),
            withdrawn: false,
        };
        let trust_percent = 100u64.saturating_sub(15 * u64::from(number)).max(30);
        Self { record, trust_percent, script: Arc::new(script) }
    }

    pub(crate) fn with_model(mut self, model: &str) -> Self {
        self.record.model = model.into();
        self
    }
}

/// The node of expert `number`.
pub(crate) fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number + 1; 32])
}

/// A writer of `text`, in pieces of three characters: the first after `latency`, each further one after 10 ms. It
/// continues the prefix that it is asked to continue.
pub(crate) fn writer(
    text: &'static str,
    latency: Duration,
) -> impl Fn(&ExpertRequest, u32) -> Vec<Step> + Send + Sync + Clone + 'static {
    move |request, _| {
        let mut steps = vec![Step::Wait(latency)];
        steps.extend(pieces(text, request).into_iter().flat_map(|step| [step, Step::Wait(ms(10))]));
        steps.push(Step::End(FinishReason::Stop));
        steps
    }
}

/// The pieces of `text` after the prefix that `request` comes with.
pub(crate) fn pieces(text: &str, request: &ExpertRequest) -> Vec<Step> {
    let remainder = text.strip_prefix(prefix(request)).expect("a prefix of the text");
    let characters: Vec<char> = remainder.chars().collect();
    let piece = |piece: &[char]| Step::Event(ExpertEvent::Text(piece.iter().collect()));
    characters.chunks(3).map(piece).collect()
}

/// The text that a request asks to continue.
pub(crate) fn prefix(request: &ExpertRequest) -> &str {
    match request {
        ExpertRequest::Complete { sampling, .. } | ExpertRequest::Chat { sampling, .. } => &sampling.prefix,
        _ => "",
    }
}

/// An expert that refuses after `latency`.
pub(crate) fn refuser(
    code: QueryErrorCode,
    retry_after: Option<Duration>,
    latency: Duration,
) -> impl Fn(&ExpertRequest, u32) -> Vec<Step> + Send + Sync + 'static {
    let error = DialError::Refused { code, message: format!("{code:?}").into(), retry_after };
    move |_, _| vec![Step::Wait(latency), Step::Fail(error.clone())]
}

/// A node that cannot be reached.
pub(crate) fn unreachable() -> impl Fn(&ExpertRequest, u32) -> Vec<Step> + Send + Sync + 'static {
    |_, _| vec![Step::Fail(DialError::Unreachable("cannot reach it".into()))]
}

pub(crate) fn died() -> Step {
    Step::Fail(DialError::Interrupted("the connection was lost".into()))
}

/// A mesh of scripted experts, and a router in it.
pub(crate) struct FakeMesh {
    pub(crate) router: Router,
    pub(crate) catalog: Arc<FakeCatalog>,
    pub(crate) dial: Arc<FakeDial>,
}

impl FakeMesh {
    /// To be called in virtual time.
    pub(crate) fn new(experts: Vec<FakeExpert>) -> Self {
        Self::seeded(0, experts)
    }

    pub(crate) fn seeded(seed: u64, experts: Vec<FakeExpert>) -> Self {
        let start = Instant::now();
        let table = trust_table(&experts);
        let records = experts.iter().map(|expert| expert.record.clone()).collect();
        let catalog = Arc::new(FakeCatalog { records, observations: Mutex::default() });
        let dial = Arc::new(FakeDial::new(experts));
        let router = Router::new(Environment {
            node: NodeId::from_bytes([255; 32]),
            mesh: MeshId::from_bytes([7; 32]),
            dial: dial.clone(),
            catalog: catalog.clone(),
            trust: Arc::new(FixedTrust(Arc::new(table))),
            clock: Arc::new(VirtualClock(start)),
            entropy: Arc::new(SeededEntropy(Seed::from(seed), AtomicU64::new(0))),
            composer: |sampling| Box::new(GreedyComposer { left: sampling.max_tokens, written: 0 }),
        });
        Self { router, catalog, dial }
    }

    /// What the experts saw so far: milliseconds, event and expert.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.dial.trace()
    }

    pub(crate) fn queries(&self) -> Vec<ExpertQuery> {
        self.dial.queries()
    }

    pub(crate) fn observation(&self, number: u8) -> Observation {
        self.catalog.observation(&node(number), &format!("e{number}"))
    }

    /// Queries that are with experts now.
    pub(crate) fn in_flight(&self) -> u32 {
        let observations = self.catalog.observations();
        let in_flight = |record: &ExpertRecord| observations.of(&record.node, &record.expert).in_flight;
        self.catalog.records.iter().map(in_flight).sum()
    }

    /// Has expert `number` known for having started within 1 to 20 ms: its 95th percentile is 19 ms.
    pub(crate) fn teach_latencies(&self, number: u8) {
        let mut observations = self.catalog.observations();
        (1..=20)
            .for_each(|latency| observations.first_byte(node(number), &format!("e{number}"), ms(latency)));
    }

    /// Asks and reads the whole answer.
    pub(crate) async fn ask(&self, query: Query) -> Result<FakeAnswer, ServiceError> {
        FakeAnswer::read(self.router.ask(query).await?).await
    }
}

/// All experts are of subnets that the mesh stands behind, and known for long.
fn trust_table(experts: &[FakeExpert]) -> TrustTable {
    let mut subnets = BTreeMap::<Netuid, SubnetTrust>::new();
    for FakeExpert { record, trust_percent, .. } in experts {
        let subnet = subnets.entry(record.netuid).or_default();
        (subnet.backing, subnet.has_live_scores) = (Score::ONE, true);
        let registered = BlockHeight(1);
        subnet.neurons.insert(record.node, NeuronTrust { registered, incentive: None });
        let median = MedianScore { score: Score::ratio(*trust_percent, 100), tasks: 100 };
        subnet.experts.insert(ExpertId::of(record, registered), median);
    }
    subnets.into_iter().collect()
}

/// An answer that was read to its end.
#[derive(Debug, PartialEq)]
pub(crate) struct FakeAnswer {
    pub(crate) node: NodeId,
    pub(crate) route: nervure_api::RouteView,
    pub(crate) events: Vec<ExpertEvent>,
    pub(crate) summary: AnswerSummary,
}

impl FakeAnswer {
    pub(crate) async fn read(mut answer: AnswerStream) -> Result<Self, ServiceError> {
        let mut events = Vec::new();
        while let Some(event) = answer.events.next().await {
            events.push(event?);
        }
        assert!(
            matches!(events.last(), Some(ExpertEvent::Done { .. })),
            "an answer ends with Done or an error"
        );
        let summary = answer.summary.get().cloned().unwrap_or_default();
        Ok(Self { node: answer.expert.node, route: answer.route, events, summary })
    }

    pub(crate) fn text(&self) -> String {
        let texts = self.events.iter().filter_map(|event| match event {
            ExpertEvent::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }
}

/// A query for a text, with a deadline of a minute.
pub(crate) fn query(strategy: &str) -> Query {
    let sampling = Sampling { max_tokens: 1000, seed: Some(1), ..Sampling::default() };
    Query {
        target: QueryTarget::Capability("text.generate".parse().unwrap()),
        request: ExpertRequest::Complete { prompt: "p".into(), sampling },
        strategy: strategy.parse::<Strategy>().unwrap(),
        policy: Policy::Balanced,
        budget: Amount::ZERO,
        deadline: Duration::from_secs(60),
        max_answer: 8 << 20,
        explain: false,
        receipt: false,
        filter: None,
        nonce: None,
        release: None,
        subnets: Vec::new(),
        hops: 0,
    }
}

pub(crate) struct FakeCatalog {
    pub(crate) records: Vec<ExpertRecord>,
    observations: Mutex<Observations>,
}

impl Catalog for FakeCatalog {
    fn find(&self, find: &IndexSearch) -> Page {
        let matches = |record: &&ExpertRecord| {
            find.capability.as_ref().is_none_or(|wanted| wanted.covers(&record.capability))
                && find.model.as_ref().is_none_or(|model| record.model == model.as_str())
        };
        Page { records: self.records.iter().filter(matches).take(find.limit).cloned().collect(), next: None }
    }

    fn observations(&self) -> MutexGuard<'_, Observations> {
        self.observations.lock()
    }
}

struct FixedTrust(Arc<TrustTable>);

impl TrustSource for FixedTrust {
    fn snapshot(&self) -> TrustSnapshot {
        TrustSnapshot { block: BlockHeight(5), table: self.0.clone() }
    }
}

struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> UnixMillis {
        EPOCH.plus(self.0.elapsed())
    }
}

struct SeededEntropy(Seed, AtomicU64);

impl Entropy for SeededEntropy {
    fn bytes(&self) -> [u8; 32] {
        *self.0.derive("entropy", self.1.fetch_add(1, Ordering::Relaxed)).as_bytes()
    }
}

/// Always the likeliest byte; every byte is a piece.
struct GreedyComposer {
    left: u32,
    written: u32,
}

impl Composer for GreedyComposer {
    fn choose(&mut self, logarithms: &[f32]) -> u8 {
        let likeliest = (0..=u8::MAX)
            .rev()
            .max_by(|a, b| logarithms[usize::from(*a)].total_cmp(&logarithms[usize::from(*b)]));
        likeliest.unwrap()
    }

    fn push(&mut self, byte: u8) -> ComposedPiece {
        (self.left, self.written) = (self.left - 1, self.written + 1);
        let end = (self.left == 0).then_some(FinishReason::Length);
        ComposedPiece { text: char::from(byte).to_string(), end }
    }

    fn written(&self) -> u32 {
        self.written
    }
}

/// Polls `future` for a while of virtual time, and drops it unfinished.
pub(crate) async fn drop_after<T>(future: impl Future<Output = T>, duration: Duration) -> Option<T> {
    let mut future = pin!(future);
    tokio::select! {
        biased;
        output = &mut future => Some(output),
        () = sleep(duration) => None,
    }
}

/// A step of a random script: mostly text, sometimes a pause.
pub(crate) fn random_pauses(steps: Vec<Step>, dice: &mut Dice) -> Vec<Step> {
    let pause = |step: Step| [Step::Wait(ms(dice.below(40))), step];
    steps.into_iter().flat_map(pause).collect()
}
