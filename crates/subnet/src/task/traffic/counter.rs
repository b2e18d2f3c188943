//! Counts a gateway's queries by the fields that they have, and publishes them so that one query does not show.
//!
//! Settings and lengths are rounded, until one value was there so often that it is a client's habit and not one person's
//! choice: then it counts as it is. Lengths that a program always sends, or settings that no one else has, would show
//! otherwise by being absent among tasks.

use std::collections::BTreeMap;

use nervure_primitives::{NodeId, UnixMillis};
use nervure_protocol::{
    ExpertRequest, FormCount, PairCount, QueryKind, Role, SizeCount, TrafficStatistics, Unset,
    bounds::{MAX_TRAFFIC_PAIRS, MAX_TRAFFIC_ROWS},
};

use super::{QueryShape, round};
use crate::{Dice, Seed};

/// Rows that are counted of the tables of settings and lengths; a query whose row is a new one beyond them is not counted.
const MAX_COUNTED_ROWS: usize = 512;

/// Pairs of them that are counted.
const MAX_COUNTED_PAIRS: usize = 4096;

/// Exact values of which it is known how often they came.
const MAX_EXACT: usize = 1024;

/// How often an exact value has to come before it counts as it is.
const MIN_FREQUENT: u32 = 8;

/// Smallest count that is published.
const MIN_COUNT: u32 = 16;

/// What counts are rounded down to a multiple of.
const COUNT_STEP: u32 = 8;

/// Mean size of the noise on a count, in queries: with it, one query more or less changes the chance of any published
/// count by a factor of at most e^(1/4).
const NOISE: u64 = 4;

/// The queries of one gateway since it last published. Bounded, whatever clients send.
#[derive(Debug, Default)]
pub struct TrafficCounter {
    forms: BTreeMap<FormCount, u32>,
    sizes: BTreeMap<SizeCount, u32>,
    pairs: BTreeMap<(FormCount, SizeCount), u32>,
    exact_forms: Frequent<FormCount>,
    exact_sizes: Frequent<SizeCount>,
}

/// The values that come most often, each with a count that is at most too low (Misra and Gries, 1982).
#[derive(Debug)]
struct Frequent<R>(BTreeMap<R, u32>);

impl<R> Default for Frequent<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R: Ord + Copy> Frequent<R> {
    /// Counts `exact`, and returns it once it is frequent, before that `rounded`.
    fn see(&mut self, exact: R, rounded: R) -> R {
        if let Some(count) = self.0.get_mut(&exact) {
            *count = count.saturating_add(1);
            return if *count > MIN_FREQUENT { exact } else { rounded };
        }
        if self.0.len() < MAX_EXACT {
            self.0.insert(exact, 1);
        } else {
            // Each value gives one back with the one that has no place: as much as came in before, so that it is cheap.
            self.0.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
        rounded
    }
}

impl TrafficCounter {
    /// Counts a user's query that may take `deadline`.
    pub fn count(&mut self, request: &ExpertRequest, deadline: std::time::Duration) {
        self.count_shape(request.into(), &shape(request, deadline));
    }

    /// Counts a query of that shape.
    pub(super) fn count_shape(&mut self, kind: QueryKind, shape: &QueryShape) {
        let (exact, rounded) = form(kind, shape);
        let form = self.exact_forms.see(exact, rounded);
        let (exact, rounded) = size(kind, shape);
        let size = self.exact_sizes.see(exact, rounded);
        if add(&mut self.forms, form, MAX_COUNTED_ROWS) && add(&mut self.sizes, size, MAX_COUNTED_ROWS) {
            add(&mut self.pairs, (form, size), MAX_COUNTED_PAIRS);
        }
    }

    /// What is published, and begins to count again. `seed` makes the noise: it must not be known to others.
    pub fn publish(&mut self, gateway: NodeId, issued_at: UnixMillis, seed: Seed) -> TrafficStatistics {
        let mut dice = Dice::new(seed);
        let Self { forms, sizes, pairs, .. } = std::mem::take(self);
        let forms = published(forms, MAX_TRAFFIC_ROWS, &mut dice);
        let sizes = published(sizes, MAX_TRAFFIC_ROWS, &mut dice);
        let place = |(form, size): (FormCount, SizeCount), count| {
            let form = forms.binary_search_by_key(&form, |(row, _)| *row).ok()?;
            let size = sizes.binary_search_by_key(&size, |(row, _)| *row).ok()?;
            Some(PairCount { form: u16::try_from(form).ok()?, size: u16::try_from(size).ok()?, count })
        };
        let pairs = pairs.into_iter().filter(|(pair, _)| place(*pair, 0).is_some()).collect();
        let pairs = published(pairs, MAX_TRAFFIC_PAIRS, &mut dice);
        let mut pairs: Vec<PairCount> =
            pairs.into_iter().filter_map(|(pair, count)| place(pair, count)).collect();
        pairs.sort_unstable();
        let forms = forms.into_iter().map(|(row, count)| FormCount { count, ..row }).collect();
        let sizes = sizes.into_iter().map(|(row, count)| SizeCount { count, ..row }).collect();
        TrafficStatistics { gateway, issued_at, forms, sizes, pairs }
    }
}

/// The row of its settings, exact and rounded.
fn form(kind: QueryKind, shape: &QueryShape) -> (FormCount, FormCount) {
    let seconds = u16::try_from(shape.deadline.as_secs()).unwrap_or(u16::MAX).max(1);
    let mut exact = FormCount {
        kind,
        max_tokens: 0,
        temperature_milli: 0,
        top_p_milli: 0,
        seed: None,
        stop: 0,
        unset: Unset::default(),
        seconds,
        count: 0,
    };
    if matches!(kind, QueryKind::Complete | QueryKind::Chat) {
        let sampling = &shape.sampling;
        exact = FormCount {
            max_tokens: sampling.max_tokens,
            temperature_milli: sampling.temperature_milli,
            top_p_milli: sampling.top_p_milli,
            seed: round::seed(sampling.seed),
            stop: round::stop(&sampling.stop),
            unset: sampling.unset,
            ..exact
        };
    }
    let mut rounded = FormCount { seconds: round::deadline(seconds), ..exact };
    if matches!(kind, QueryKind::Complete | QueryKind::Chat) {
        rounded = FormCount {
            max_tokens: round::max_tokens(exact.max_tokens),
            temperature_milli: round::temperature(exact.temperature_milli),
            top_p_milli: round::top_p(exact.top_p_milli),
            seed: None,
            ..rounded
        };
    }
    (exact, rounded)
}

/// The row of its length, exact and rounded.
fn size(kind: QueryKind, shape: &QueryShape) -> (SizeCount, SizeCount) {
    let (min_bytes, max_bytes) = round::bytes(shape.bytes);
    let (min_parts, max_parts) = round::parts(shape.parts);
    let system = shape.system;
    let rounded = SizeCount { kind, min_bytes, max_bytes, min_parts, max_parts, system, count: 0 };
    let bytes = u32::try_from(shape.bytes).unwrap_or(u32::MAX).clamp(min_bytes, max_bytes);
    let parts = u16::try_from(shape.parts).unwrap_or(u16::MAX).clamp(min_parts, max_parts);
    let exact =
        SizeCount { min_bytes: bytes, max_bytes: bytes, min_parts: parts, max_parts: parts, ..rounded };
    (exact, rounded)
}

fn shape(request: &ExpertRequest, deadline: std::time::Duration) -> QueryShape {
    let (parts, system) = match request {
        ExpertRequest::Chat { messages, .. } => {
            (messages.len(), messages.first().is_some_and(|first| first.role == Role::System))
        }
        ExpertRequest::Embed { inputs } => (inputs.len(), false),
        ExpertRequest::Complete { .. } | ExpertRequest::Distribution { .. } => (1, false),
    };
    let sampling = request.sampling().cloned().unwrap_or_default();
    QueryShape { sampling, bytes: request.text_bytes(), parts, system, deadline }
}

/// Counts a row, if it is known or there is room; whether it did.
fn add<R: Ord>(rows: &mut BTreeMap<R, u32>, row: R, most: usize) -> bool {
    let room = rows.len() < most;
    match rows.get_mut(&row) {
        Some(count) => *count = count.saturating_add(1),
        None if room => _ = rows.insert(row, 1),
        None => return false,
    }
    true
}

/// The rows with the largest counts, in ascending order, with counts that are noisy, rounded and not small.
fn published<R: Ord + Copy>(rows: BTreeMap<R, u32>, most: usize, dice: &mut Dice) -> Vec<(R, u32)> {
    let mut shown: Vec<(R, u32)> = rows
        .into_iter()
        .map(|(row, count)| (row, noisy(count, dice) / COUNT_STEP * COUNT_STEP))
        .filter(|(_, count)| *count >= MIN_COUNT)
        .collect();
    shown.sort_by(|(_, left), (_, right)| right.cmp(left));
    shown.truncate(most);
    shown.sort_unstable();
    shown
}

/// The difference of two geometric numbers is added: the discrete form of Laplace's noise (Ghosh, Roughgarden and
/// Sundararajan, 2009).
fn noisy(count: u32, dice: &mut Dice) -> u32 {
    let mut geometric = || {
        let mut tries = 0u32;
        while dice.below(NOISE + 1) < NOISE && tries < 1_000 {
            tries += 1;
        }
        tries
    };
    count.saturating_add(geometric()).saturating_sub(geometric())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nervure_protocol::{
        Sampling,
        testing::{MESH, NOW, key},
    };

    use super::*;

    fn chat(max_tokens: u32) -> ExpertRequest {
        ExpertRequest::chat("hello", Sampling { max_tokens, ..Sampling::default() })
    }

    fn counted(queries: impl IntoIterator<Item = ExpertRequest>) -> TrafficStatistics {
        let mut counter = TrafficCounter::default();
        queries.into_iter().for_each(|query| counter.count(&query, Duration::from_secs(60)));
        counter.publish(key(1).node_id(), NOW, Seed::from(1))
    }

    #[test]
    fn a_rare_query_does_not_show() {
        let usual = (0..500).map(|_| chat(256));
        let published = counted(usual.chain([chat(32_768)]));
        assert_eq!(published.forms.iter().map(|row| row.max_tokens).collect::<Vec<_>>(), [256]);
        let count = published.forms[0].count;
        assert!(count.is_multiple_of(COUNT_STEP) && count.abs_diff(500) < 60, "{count}");
        assert_eq!(counted([chat(256)]).forms, [], "one query is not published");
    }

    /// The variant that rounds everything would publish 1,500 tokens, which no client has.
    #[test]
    fn a_habit_is_published_as_it_is_and_what_varies_is_rounded() {
        let published = counted((0..200).map(|_| chat(1_377)));
        assert_eq!(published.forms.iter().map(|row| row.max_tokens).collect::<Vec<_>>(), [1_377]);
        let [size] = published.sizes[..] else { panic!("{:?}", published.sizes) };
        assert_eq!((size.min_bytes, size.max_bytes, size.min_parts), (5, 5, 1));
        let [pair] = published.pairs[..] else { panic!("{:?}", published.pairs) };
        assert_eq!((pair.form, pair.size), (0, 0));
        let varied = counted((0..200).map(|number| chat(1_300 + number % 199)));
        assert_eq!(varied.forms.iter().map(|row| row.max_tokens).collect::<Vec<_>>(), [1_500]);
    }

    #[test]
    fn settings_and_lengths_are_published_together() {
        let long = |_| ExpertRequest::chat("x".repeat(1_000), Sampling::default());
        let published = counted((0..100).map(long).chain((0..100).map(|_| chat(64))));
        assert_eq!((published.forms.len(), published.sizes.len()), (2, 2));
        let pairs: Vec<_> = published.pairs.iter().map(|pair| (pair.form, pair.size)).collect();
        assert_eq!(pairs, [(0, 0), (1, 1)], "64 tokens are short, 256 are long");
    }

    #[test]
    fn counting_begins_again_and_is_bounded() {
        let mut counter = TrafficCounter::default();
        for tokens in 0..4_000u32 {
            let mut request = chat(1 + tokens);
            if let ExpertRequest::Chat { sampling, .. } = &mut request {
                (sampling.temperature_milli, sampling.top_p_milli) = (tokens % 2_000, 1 + tokens % 1_000);
            }
            counter.count(&request, Duration::from_secs(tokens.into()));
        }
        assert!(counter.forms.len() <= MAX_COUNTED_ROWS && counter.pairs.len() <= MAX_COUNTED_PAIRS);
        assert!(counter.exact_forms.0.len() <= MAX_EXACT);
        counter.publish(key(1).node_id(), NOW, Seed::from(1));
        assert_eq!(counter.publish(key(1).node_id(), NOW, Seed::from(1)).sizes, []);
    }

    #[test]
    fn what_is_published_can_be_signed() {
        let kinds = (1..=400).flat_map(|number: u32| {
            let inputs = vec!["a text".to_owned(); number as usize % 128 + 1];
            [chat(number), ExpertRequest::Embed { inputs }, ExpertRequest::Distribution { context: vec![] }]
        });
        let published = counted(kinds);
        assert!(!published.pairs.is_empty());
        let signed = nervure_protocol::SignedTrafficStatistics::sign(&key(1), &MESH, published);
        assert!(signed.is_ok(), "{signed:?}");
    }
}
