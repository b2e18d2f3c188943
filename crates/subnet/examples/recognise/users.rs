//! Users: clients with habits, behind a few gateways.

use std::time::Duration;

use nervure_primitives::{NodeId, UnixMillis};
use nervure_protocol::{ChatMessage, ExpertRequest, Role, Sampling, TrafficStatistics};
use nervure_subnet::{Dice, Seed, mechanism::Corpus, task::TrafficCounter};

use crate::{Plan, Query, tasks::Kind, texts};

/// Gateways through which users ask, and validators where these serve.
pub(crate) const GATEWAYS: usize = 5;

/// Clients.
const CLIENTS: usize = 200;

/// Three of four queries are of users.
pub(crate) const USERS_PER_TASK: usize = 3;

/// How long a gateway counts before it publishes, in milliseconds: six hours.
const COUNTING_TIME: u64 = 6 * 3_600_000;

/// Mean pause between two bursts of one client, and between two queries in a burst, in milliseconds.
const PAUSE: u64 = 600_000;
const THINKING: u64 = 4_000;

/// One client's habits.
struct Client {
    gateway: usize,
    kind: Asked,
    /// Binary logarithm of its usual length in bytes.
    length: u64,
    turns: usize,
    system: bool,
    sampling: Sampling,
    deadline_ms: u32,
    budget: u64,
    steady: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Complete,
    Chat,
    Embed,
    /// One byte after another, as a mixture of experts asks.
    Distribution,
}

impl Client {
    fn draw(kind: Kind, dice: &mut Dice) -> Self {
        let kinds: &[Asked] = match kind {
            Kind::NextByte | Kind::NextByteSteady => {
                &[Asked::Complete, Asked::Complete, Asked::Complete, Asked::Distribution]
            }
            Kind::ExactAnswer | Kind::Preference | Kind::PreferenceUsersWords => &[Asked::Chat],
            Kind::Reference | Kind::ReferenceUsersWords => &[Asked::Chat, Asked::Chat, Asked::Complete],
            Kind::Embedding | Kind::EmbeddingPassages => &[Asked::Embed],
        };
        let mut sampling = Sampling::default();
        // Half of the clients leave everything alone.
        if dice.below(2) == 0 {
            let common = [64, 100, 128, 150, 200, 256, 300, 400, 500, 512, 1_000, 1_024, 2_048];
            sampling.max_tokens = dice.pick(&common).copied().expect("not empty");
            sampling.temperature_milli =
                dice.pick(&[0, 0, 200, 500, 700, 700, 800, 1_000]).copied().expect("not empty");
            sampling.top_p_milli = dice.pick(&[950, 950, 950, 1_000, 900]).copied().expect("not empty");
        }
        // A few have odd values and stop strings, which no statistics show.
        if dice.below(20) == 0 {
            sampling.max_tokens = dice.within(10, 3_000) as u32;
            sampling.temperature_milli = dice.within(0, 1_500) as u32;
        }
        if dice.below(20) == 0 {
            sampling.stop = vec!["\n\n".into()];
        }
        if dice.below(12) == 0 {
            sampling.seed = Some(42);
        }
        Self {
            gateway: dice.index(GATEWAYS),
            kind: dice.pick(kinds).copied().expect("not empty"),
            length: dice.within(4, 11),
            turns: dice.pick(&[0, 0, 0, 1, 1, 2, 3]).copied().expect("not empty"),
            system: dice.below(3) == 0,
            sampling,
            deadline_ms: dice
                .pick(&[60_000, 60_000, 60_000, 60_000, 60_000, 60_000, 30_000, 120_000, 15_000])
                .copied()
                .expect("not empty"),
            budget: if dice.below(20) == 0 { 10_000 } else { 0 },
            steady: dice.below(3) == 0,
        }
    }

    fn request(&self, corpus: &Corpus, dice: &mut Dice) -> ExpertRequest {
        let bytes = ((1u64 << self.length) + dice.below(1 << (self.length + 1))) as usize;
        let sampling = self.sampling.clone();
        match self.kind {
            Asked::Complete => {
                ExpertRequest::Complete { prompt: texts::piece(corpus, bytes, dice), sampling }
            }
            Asked::Distribution => ExpertRequest::Distribution {
                context: texts::piece(corpus, bytes.min(256), dice).into_bytes(),
            },
            Asked::Embed => {
                let inputs = if self.steady { 1 } else { 1 + dice.index(60) };
                let inputs =
                    (0..inputs).map(|_| texts::piece(corpus, (bytes / inputs).max(24), dice)).collect();
                ExpertRequest::Embed { inputs }
            }
            Asked::Chat => ExpertRequest::Chat { messages: self.conversation(bytes, corpus, dice), sampling },
        }
    }

    fn conversation(&self, bytes: usize, corpus: &Corpus, dice: &mut Dice) -> Vec<ChatMessage> {
        let mut messages = Vec::new();
        let mut say = |role, content: String| messages.push(ChatMessage::new(role, content));
        if self.system {
            say(Role::System, dice.pick(&texts::INSTRUCTIONS).copied().expect("not empty").into());
        }
        for _ in 0..self.turns {
            say(Role::User, texts::question(dice));
            say(Role::Assistant, texts::piece(corpus, 60 + dice.index(200), dice));
        }
        let question = texts::question(dice);
        let long = bytes > 200;
        let text = if long { texts::piece(corpus, bytes, dice) } else { String::new() };
        say(Role::User, if long { format!("{question}\n\n{text}") } else { question });
        messages
    }
}

/// How long the clients are watched, in milliseconds, so that they ask about as many queries as the plan has for them.
fn period(plan: Plan) -> u64 {
    let wanted = plan.queries * USERS_PER_TASK / (USERS_PER_TASK + 1);
    // One query in four comes after a pause.
    (wanted / CLIENTS).max(1) as u64 * (PAUSE + 3 * THINKING) / 4
}

/// Users' queries, by the time at which they arrive. Clients ask at all times alike: they had begun long before.
pub(crate) fn queries(plan: Plan, kind: Kind, dice: &mut Dice) -> Vec<Query> {
    let corpus = texts::corpus(0);
    // The same clients at all times.
    let mut habits = Dice::new(Seed::from(plan.seed).derive(kind.name(), 99));
    let clients: Vec<Client> = (0..CLIENTS).map(|_| Client::draw(kind, &mut habits)).collect();
    let period = period(plan);
    let mut queries = Vec::new();
    for client in &clients {
        // What comes before the watch begins is left out.
        let before = 5 * PAUSE;
        let mut at = dice.below(PAUSE);
        loop {
            let burst = dice.below(4) > 0;
            at += exponential(if burst { THINKING } else { PAUSE }, dice);
            if at >= before + period {
                break;
            }
            let Some(at) = at.checked_sub(before) else { continue };
            queries.push(Query {
                request: sent(client.request(&corpus, dice), dice),
                asker: client.gateway,
                deadline_ms: client.deadline_ms - dice.below(6) as u32,
                budget: client.budget,
                at,
                is_task: false,
            });
        }
    }
    queries.sort_by_key(|query| query.at);
    queries
}

/// The request as a miner gets it: with a seed, which the router draws where the client gives none.
pub(crate) fn sent(request: ExpertRequest, dice: &mut Dice) -> ExpertRequest {
    request.with_seed(dice.bits() >> 33)
}

/// What is known of the users of a gateway.
pub(crate) struct Known {
    /// What it publishes.
    pub(crate) published: TrafficStatistics,
    /// The budgets of its users' queries.
    pub(crate) budgets: Vec<u64>,
}

/// What each gateway publishes about the queries of some time before, and its users' budgets.
pub(crate) fn known(plan: Plan, kind: Kind, seed: Seed) -> Vec<Known> {
    let mut counters: Vec<TrafficCounter> = (0..GATEWAYS).map(|_| TrafficCounter::default()).collect();
    let mut budgets = vec![Vec::new(); GATEWAYS];
    let periods = COUNTING_TIME.div_ceil(period(plan));
    for number in 0..periods {
        for query in queries(plan, kind, &mut Dice::new(seed.derive("earlier", number))) {
            // As the client gave it, before it lost milliseconds on its way.
            let deadline = Duration::from_secs(u64::from(query.deadline_ms).div_ceil(1000));
            counters[query.asker].count(&query.request, deadline);
            budgets[query.asker].push(query.budget);
        }
    }
    let publish = |(gateway, (mut counter, budgets)): (usize, (TrafficCounter, Vec<u64>))| {
        let node = NodeId::from_bytes([gateway as u8; 32]);
        Known { published: counter.publish(node, UnixMillis(0), Seed::from(gateway as u64)), budgets }
    };
    counters.into_iter().zip(budgets).enumerate().map(publish).collect()
}

/// A pause of that mean, as between independent events.
pub(crate) fn exponential(mean: u64, dice: &mut Dice) -> u64 {
    let uniform = (dice.below(1 << 53) as f64 + 1.0) / (1u64 << 53) as f64;
    (-(uniform.ln()) * mean as f64) as u64
}
