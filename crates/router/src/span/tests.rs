//! The spans of a query as a subscriber sees them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Once},
};

use parking_lot::Mutex;
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt, registry::LookupSpan};

use crate::fake::{FakeExpert, FakeMesh, died, drop_after, ms, query, unreachable, virtually, writer};

/// A span: its name, that of the span around it, and its fields.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    name: &'static str,
    parent: Option<&'static str>,
    fields: BTreeMap<&'static str, String>,
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

/// Collects spans in the order of their creation.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(Id, Seen)>>>);

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Collector {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let parent = context.span(id).and_then(|span| span.parent().map(|parent| parent.name()));
        let mut seen = Seen { name: attributes.metadata().name(), parent, ..Seen::default() };
        attributes.record(&mut seen);
        self.0.lock().push((id.clone(), seen));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some((_, seen)) = self.0.lock().iter_mut().rev().find(|(other, _)| other == id) {
            values.record(seen);
        }
    }
}

/// Makes every test of this process a subscriber: `tracing` remembers for each span whether anyone wants it, and the
/// first test to reach one, on a thread without a subscriber, would switch it off for all.
fn keep_spans_on() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap());
}

/// The spans that `run` makes in virtual time.
fn spans<T>(run: impl Future<Output = T>) -> (T, Vec<Seen>) {
    keep_spans_on();
    let collector = Collector::default();
    let subscriber = tracing_subscriber::registry().with(collector.clone());
    let output = tracing::subscriber::with_default(subscriber, || virtually(run));
    let seen = collector.0.lock().iter().map(|(_, seen)| seen.clone()).collect();
    (output, seen)
}

fn field<'a>(seen: &'a Seen, name: &str) -> &'a str {
    seen.fields.get(name).map_or("", String::as_str)
}

#[test]
fn a_query_has_a_span_and_each_attempt_one_within_it() {
    let (mesh, seen) = spans(async {
        let mesh =
            FakeMesh::new(vec![FakeExpert::new(0, unreachable()), FakeExpert::new(1, writer("abc", ms(5)))]);
        mesh.ask(query("best")).await.unwrap();
        mesh
    });
    let [query, first, second] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((query.name, query.parent), ("query", None));
    let fields: Vec<_> = query.fields.keys().copied().collect();
    assert_eq!(fields, ["outcome", "query_id", "strategy", "target"]);
    assert_eq!(
        ["strategy", "target", "outcome"].map(|name| field(query, name)),
        ["best", "text.generate", "answered"]
    );
    for (number, (attempt, outcome)) in [(first, "failed"), (second, "answered")].into_iter().enumerate() {
        assert_eq!((attempt.name, attempt.parent), ("attempt", Some("query")));
        let asked = &mesh.queries()[number];
        let wanted =
            [asked.id.to_string(), asked.record.node.to_string(), format!("e{number}"), outcome.into()];
        assert_eq!(["attempt_id", "node", "expert", "outcome"].map(|name| field(attempt, name)), wanted);
    }
}

#[test]
fn attempts_of_one_query_share_no_part_of_their_ids() {
    let (mesh, seen) = spans(async {
        let experts = (0..3).map(|number| FakeExpert::new(number, writer("abc", ms(5))));
        let mesh = FakeMesh::new(experts.collect());
        mesh.ask(query("vote:3")).await.unwrap();
        mesh
    });
    let ids: Vec<[u8; 32]> = mesh.queries().iter().map(|asked| *asked.id.as_bytes()).collect();
    assert_eq!(ids.len(), 3);
    let parts = |range: std::ops::Range<usize>| {
        let parts: std::collections::BTreeSet<_> = ids.iter().map(|id| &id[range.clone()]).collect();
        parts.len()
    };
    assert_eq!([0..8, 8..16, 16..24, 24..32].map(parts), [3; 4]);
    let query_id = field(&seen[0], "query_id");
    assert!(ids.iter().all(|id| !data_encoding::HEXLOWER.encode(id).contains(query_id)), "it never leaves");
}

#[test]
fn a_query_that_fails_or_is_dropped_says_so() {
    let dead = || vec![FakeExpert::new(0, unreachable())];
    let (_, failed) = spans(async { FakeMesh::new(dead()).ask(query("best")).await.unwrap_err() });
    assert_eq!(field(&failed[0], "outcome"), "failed");
    let broken = FakeExpert::new(0, |_, _| vec![died()]);
    let (_, failed) = spans(async { FakeMesh::new(vec![broken]).ask(query("best")).await.unwrap_err() });
    assert_eq!([0, 1].map(|at| field(&failed[at], "outcome")), ["failed"; 2]);
    let (_, dropped) = spans(async {
        let mesh = FakeMesh::new(vec![FakeExpert::new(0, writer("abc", ms(500)))]);
        drop_after(mesh.ask(query("best")), ms(100)).await.map(|_| ())
    });
    assert_eq!((dropped.len(), field(&dropped[0], "outcome")), (2, ""));
}
