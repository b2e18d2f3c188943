//! The features of a query as a miner sees it, hashed.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use nervure_protocol::{ExpertRequest, Role, Sampling};

use crate::{Query, classifier::Row};

/// What the classifier looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// All but the texts.
    Metadata,
    /// The texts as well.
    WithText,
}

/// The queries of the last milliseconds that are counted.
const WINDOWS: [u64; 3] = [1_000, 10_000, 60_000];

/// Most characters of a text that are looked at.
const MAX_CHARACTERS: usize = 4_000;

/// The rows of queries, which are in the order in which they arrive.
pub(crate) fn rows(queries: &[Query], sight: Sight) -> Vec<Row> {
    let mut last_of: BTreeMap<usize, u64> = BTreeMap::new();
    let mut settings_of: BTreeMap<usize, u64> = BTreeMap::new();
    let mut row = |(at, query): (usize, &Query)| {
        let mut features = BTreeSet::new();
        fields(query, &mut features);
        let before =
            at.checked_sub(1).and_then(|before| queries.get(before)).map(|before| query.at - before.at);
        add(&mut features, "gap", octave(before.unwrap_or(u64::MAX)));
        let own = last_of.insert(query.asker, query.at).map(|last| query.at - last);
        add(&mut features, "own gap", octave(own.unwrap_or(u64::MAX)));
        let settings = settings(query);
        add(&mut features, "asker and settings", (query.asker, settings));
        let again = settings_of.insert(query.asker, settings) == Some(settings);
        add(&mut features, "settings again", (again, octave(own.unwrap_or(u64::MAX))));
        for window in WINDOWS {
            let recent = queries[..at].iter().rev().take_while(|other| query.at - other.at < window).count();
            add(&mut features, "recent", (window, octave(recent as u64)));
        }
        if sight == Sight::WithText {
            words(query, &mut features);
        }
        Row { features: features.into_iter().collect(), is_task: query.is_task }
    };
    queries.iter().enumerate().map(&mut row).collect()
}

/// What the queries of one client have in common.
fn settings(query: &Query) -> u64 {
    let mut hasher = DefaultHasher::new();
    let sampling = query.request.sampling();
    let sampling =
        sampling.map(|one| (one.max_tokens, one.temperature_milli, one.top_p_milli, one.stop.len()));
    (sampling, query.deadline_ms.div_ceil(100)).hash(&mut hasher);
    hasher.finish()
}

/// The fields, each with its exact value and its order of magnitude, and some pairs.
fn fields(query: &Query, features: &mut BTreeSet<u64>) {
    let (kind, sampling, bytes, parts, system) = match &query.request {
        ExpertRequest::Complete { prompt, sampling } => (0, Some(sampling), prompt.len(), 1, false),
        ExpertRequest::Chat { messages, sampling } => {
            let bytes = messages.iter().map(|message| message.content.len()).sum();
            (1, Some(sampling), bytes, messages.len(), messages[0].role == Role::System)
        }
        ExpertRequest::Embed { inputs } => {
            (2, None, inputs.iter().map(String::len).sum(), inputs.len(), false)
        }
        ExpertRequest::Distribution { context } => (3, None, context.len(), 1, false),
    };
    add(features, "kind", kind);
    add(features, "asker", query.asker);
    add(features, "bytes", octave(bytes as u64));
    add(features, "half bytes", octave((bytes * bytes) as u64));
    add(features, "exact bytes", bytes);
    add(features, "parts", (parts, system));
    add(features, "kind and bytes", (kind, octave(bytes as u64), parts));
    // The deadline loses a few milliseconds on its way.
    let seconds = query.deadline_ms.div_ceil(100);
    add(features, "deadline", seconds);
    add(features, "budget", query.budget);
    add(features, "budget size", octave(query.budget));
    if let Some(Sampling { max_tokens, temperature_milli, top_p_milli, seed, stop, .. }) = sampling {
        let settings = (*max_tokens, *temperature_milli, *top_p_milli, seed.is_some());
        add(features, "settings", settings);
        add(features, "tokens", *max_tokens);
        add(features, "temperature", *temperature_milli);
        add(features, "top p", *top_p_milli);
        add(features, "seed", seed.map(octave));
        add(features, "stops", stop.len());
        add(features, "tokens and bytes", (*max_tokens, octave(bytes as u64)));
        add(features, "tokens and budget", query.budget == u64::from(*max_tokens));
        add(features, "settings and deadline", (settings, seconds));
    }
}

/// Words, pairs of words and groups of four characters.
fn words(query: &Query, features: &mut BTreeSet<u64>) {
    let text = match &query.request {
        ExpertRequest::Complete { prompt, .. } => prompt.clone(),
        ExpertRequest::Chat { messages, .. } => {
            messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n")
        }
        ExpertRequest::Embed { inputs } => inputs.join("\n"),
        ExpertRequest::Distribution { context } => String::from_utf8_lossy(context).into_owned(),
    };
    let text: Vec<char> = text.chars().take(MAX_CHARACTERS).collect();
    for group in text.windows(4) {
        add(features, "group", group);
    }
    let text: String = text.into_iter().collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.iter().for_each(|word| add(features, "word", word));
    words.windows(2).for_each(|pair| add(features, "pair", pair));
    add(features, "first", words.first());
    add(features, "last", words.last());
}

fn add(features: &mut BTreeSet<u64>, name: &str, value: impl Hash) {
    let mut hasher = DefaultHasher::new();
    (name, value).hash(&mut hasher);
    features.insert(hasher.finish());
}

/// The binary logarithm, rounded down; 0 for 0 too.
fn octave(number: u64) -> u32 {
    number.checked_ilog2().unwrap_or(0)
}
