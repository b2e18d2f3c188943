//! Tasks as a miner meets them: before assignments were hidden, and now.

use nervure_primitives::MechanismSpec;
use nervure_protocol::{ExpertRequest, Sampling, TrafficStatistics};
use nervure_subnet::{
    Dice, Seed,
    mechanism::{Material, Mechanism, build},
    task::{Traffic, askings, draw_gateway, moments},
};
use std::{sync::Arc, time::Duration};

use crate::{
    Plan, Query, texts,
    users::{GATEWAYS, Known, USERS_PER_TASK, sent},
};

/// Validators that set tasks.
const VALIDATORS: usize = 6;

/// Texts of a task of `embedding` before: those of sixteen triples.
const TEXTS_BEFORE: usize = 48;

/// What a mechanism is set with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With the kinds of questions that users ask.
    NextByte,
    /// With a fixed number of each kind, as in a mesh on one machine.
    NextByteSteady,
    ExactAnswer,
    Embedding,
    /// With passages of private texts instead of the table.
    EmbeddingPassages,
    /// With the questions of the program.
    Reference,
    /// With questions and instructions that the validator has from users.
    ReferenceUsersWords,
    /// With prompts that the validator wrote.
    Preference,
    /// With prompts that users asked.
    PreferenceUsersWords,
}

/// How tasks are set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Before,
    Now,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::NextByte,
        Self::NextByteSteady,
        Self::ExactAnswer,
        Self::Embedding,
        Self::EmbeddingPassages,
        Self::Reference,
        Self::ReferenceUsersWords,
        Self::Preference,
        Self::PreferenceUsersWords,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NextByte => "next-byte",
            Self::NextByteSteady => "next-byte user_mix=0",
            Self::ExactAnswer => "exact-answer",
            Self::Embedding => "embedding",
            Self::EmbeddingPassages => "embedding passages=16",
            Self::Reference => "reference",
            Self::ReferenceUsersWords => "reference, users' words",
            Self::Preference => "preference",
            Self::PreferenceUsersWords => "preference, users' words",
        }
    }

    /// Whether there is such a task in that manner.
    pub(crate) fn is_set(self, manner: Manner) -> bool {
        manner == Manner::Now || matches!(self, Self::NextByte | Self::ExactAnswer | Self::Embedding)
    }

    fn mechanism(self) -> Box<dyn Mechanism> {
        let spec = match self {
            Self::NextByte => MechanismSpec::named("next-byte"),
            Self::NextByteSteady => MechanismSpec::named("next-byte").with("user_mix", 0),
            Self::ExactAnswer => MechanismSpec::named("exact-answer"),
            Self::Embedding => MechanismSpec::named("embedding"),
            Self::EmbeddingPassages => MechanismSpec::named("embedding").with("passages", 16),
            Self::Reference | Self::ReferenceUsersWords => MechanismSpec::named("reference"),
            Self::Preference | Self::PreferenceUsersWords => MechanismSpec::named("preference"),
        };
        build(&spec).expect("it is built in")
    }
}

impl Manner {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Now => "now",
        }
    }
}

/// A task's questions before: no completions, fixed settings, and a marker in the prompt.
fn as_before(request: ExpertRequest, dice: &mut Dice) -> Option<ExpertRequest> {
    match request {
        ExpertRequest::Complete { .. } => None,
        ExpertRequest::Chat { messages, .. } => {
            let max_tokens = dice.pick(&[256, 384, 512]).copied().expect("not empty");
            let temperature_milli = dice.pick(&[0, 0, 200, 700]).copied().expect("not empty");
            let sampling = Sampling { max_tokens, temperature_milli, ..Sampling::default() };
            let prompt = messages.last().map(|message| message.content.clone()).unwrap_or_default();
            let prompt = format!("{prompt} On the last line, write \"Answer:\" followed by just the number.");
            Some(ExpertRequest::chat(prompt, sampling))
        }
        other => Some(other),
    }
}

/// The texts of a task in one query, as they were before.
fn in_one_query(requests: Vec<ExpertRequest>) -> Vec<ExpertRequest> {
    let (mut together, mut others) = (Vec::new(), Vec::new());
    for request in requests {
        match request {
            ExpertRequest::Embed { inputs } => together.extend(inputs),
            other => others.push(other),
        }
    }
    together.truncate(TEXTS_BEFORE);
    if !together.is_empty() {
        others.push(ExpertRequest::Embed { inputs: together });
    }
    others
}

/// One task: its questions, the gateway through which they are asked, and what that one publishes.
struct Drawn {
    requests: Vec<ExpertRequest>,
    gateway: usize,
    traffic: Arc<Traffic>,
}

/// Tasks within the first `last` milliseconds.
pub(crate) fn queries(
    plan: Plan,
    (kind, manner): (Kind, Manner),
    known: &[Known],
    last: u64,
    dice: &mut Dice,
) -> Vec<Query> {
    let drawn = drawn(plan, (kind, manner), known, dice);
    let batch = last / (drawn.len() as u64 / VALIDATORS as u64).max(1);
    let mut queries = Vec::new();
    for (number, task) in drawn.into_iter().enumerate() {
        let (validator, begins) = (number % VALIDATORS, (number / VALIDATORS) as u64 * batch);
        let begins = begins + validator as u64 * batch / VALIDATORS as u64;
        match manner {
            Manner::Before => one_after_another(task, (validator, begins), (&mut queries, dice)),
            Manner::Now => like_users(task, (begins, batch), known, (&mut queries, dice)),
        }
    }
    queries
}

/// The tasks, each from what one gateway publishes.
fn drawn(plan: Plan, (kind, manner): (Kind, Manner), known: &[Known], dice: &mut Dice) -> Vec<Drawn> {
    let mechanism = kind.mechanism();
    let corpus = match kind {
        Kind::ReferenceUsersWords => texts::with_users_words(&texts::corpus(1), dice),
        Kind::Preference => texts::with_prompts(&texts::corpus(1), texts::prompt, dice),
        Kind::PreferenceUsersWords => {
            let corpus = texts::with_users_words(&texts::corpus(1), dice);
            texts::with_prompts(&corpus, texts::question, dice)
        }
        _ => texts::corpus(1),
    };
    let mut material = Material::from(corpus);
    let published: Vec<&TrafficStatistics> = known.iter().map(|one| &one.published).collect();
    let (wanted, mut drawn) = (plan.queries / (USERS_PER_TASK + 1), Vec::new());
    let mut questions = 0;
    while questions < wanted {
        let drawn_one = draw_gateway(&published, dice).expect("there are gateways");
        let gateway = published.iter().position(|one| one.gateway == drawn_one.gateway).expect("one of them");
        if manner == Manner::Now {
            material.traffic = Arc::new(Traffic::new([drawn_one]));
        }
        let seed = Seed::from_bytes(bytes(dice));
        let task = mechanism.draw(seed, &material).unwrap_or_else(|_| {
            // The validator would need new texts: these files are asked again.
            material.retired = Arc::default();
            mechanism.draw(seed, &material).expect("enough text")
        });
        // A piece of text is asked once.
        if manner == Manner::Now {
            Arc::make_mut(&mut material.retired).retire(task.cells().iter().copied());
        }
        let requests = task.requests().iter().cloned();
        let requests: Vec<ExpertRequest> = match manner {
            Manner::Now => requests.collect(),
            Manner::Before => in_one_query(requests.filter_map(|request| as_before(request, dice)).collect()),
        };
        questions += requests.len();
        drawn.push(Drawn { requests, gateway, traffic: material.traffic.clone() });
    }
    drawn
}

/// The validator asks, one question after the other, each when the one before is answered.
fn one_after_another(
    task: Drawn,
    (validator, begins): (usize, u64),
    (queries, dice): (&mut Vec<Query>, &mut Dice),
) {
    let mut at = begins;
    for request in task.requests {
        at += 20 + dice.below(60);
        let budget = cost(&request);
        let asker = GATEWAYS + validator;
        queries.push(Query { asker, deadline_ms: 10_000, budget, at, is_task: true, request });
    }
}

/// The gateway asks, as its clients ask, within three quarters of the time to the next batch.
fn like_users(
    task: Drawn,
    (begins, batch): (u64, u64),
    known: &[Known],
    (queries, dice): (&mut Vec<Query>, &mut Dice),
) {
    let Drawn { requests, gateway, traffic } = task;
    let budgets = &known[gateway].budgets;
    let askings = askings(&requests, &traffic, dice);
    for (moment, number) in moments(&askings, Duration::from_millis(batch * 3 / 4), dice) {
        let deadline_ms = askings[number].deadline.as_millis() as u32 - dice.below(6) as u32;
        queries.push(Query {
            request: sent(requests[number].clone(), dice),
            asker: gateway,
            deadline_ms,
            budget: dice.pick(budgets).copied().unwrap_or(0),
            at: begins + moment.as_millis() as u64,
            is_task: true,
        });
    }
}

/// What the request may cost at a price of 1,000 base units for 1,000 tokens, as the router computes it.
fn cost(request: &ExpertRequest) -> u64 {
    match request {
        ExpertRequest::Complete { sampling, .. } | ExpertRequest::Chat { sampling, .. } => {
            sampling.max_tokens.into()
        }
        ExpertRequest::Embed { .. } | ExpertRequest::Distribution { .. } => 1_000,
    }
}

fn bytes(dice: &mut Dice) -> [u8; 32] {
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_exact_mut(8) {
        chunk.copy_from_slice(&dice.bits().to_be_bytes());
    }
    bytes
}
