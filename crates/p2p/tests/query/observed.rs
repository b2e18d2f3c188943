//! What a server counts about a query, and the span that it logs within.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use nervure_primitives::Hash;
use parking_lot::Mutex;
use prometheus_client::{encoding::text::encode, registry::Registry};
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt};

use crate::mesh::{self, Does, Node, ask, client, question, read, server_config};

/// The fields of the spans `answer`.
#[derive(Clone, Default)]
struct Answers(Arc<Mutex<Vec<(Id, Fields)>>>);

#[derive(Clone, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl<S: Subscriber> Layer<S> for Answers {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        if attributes.metadata().name() == "answer" {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            self.0.lock().push((id.clone(), fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some((_, fields)) = self.0.lock().iter_mut().rev().find(|(other, _)| other == id) {
            values.record(fields);
        }
    }
}

#[tokio::test]
async fn an_answer_has_a_span_with_the_id_that_the_asker_sent() {
    let answers = Answers::default();
    // The server answers on a thread of its own, which only a global subscriber reaches.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(answers.clone())).unwrap();
    let (node, client, id) = (Node::start(server_config()), client(2), Hash::from_bytes([0xA7; 32]));
    let mut open = question(Does::Stream(1, 10));
    (open.name, open.expert) = (Some(id), Some("e".into()));
    read(client.open(node.id, &[node.at], open).await.unwrap()).await.unwrap();
    let own = || {
        let all = answers.0.lock();
        let found = all.iter().find(|(_, fields)| fields.0.get("attempt_id") == Some(&id.to_string()));
        found.map(|(_, fields)| fields.0.clone())
    };
    mesh::eventually("the answer's end is recorded", || own().is_some_and(|own| own.contains_key("outcome")))
        .await;
    let own = own().unwrap();
    assert_eq!(own.keys().copied().collect::<Vec<_>>(), ["attempt_id", "expert", "from", "outcome"]);
    assert_eq!((own["expert"].as_str(), own["outcome"].as_str()), ("e", "answered"));
}

#[tokio::test]
async fn a_query_is_measured_by_its_outcome() {
    let (node, client) = (Node::start(server_config()), client(2));
    ask(&client, node.id, node.at, Does::Stream(3, 100)).await.unwrap();
    let broken = ask(&client, node.id, node.at, Does::DropReplier).await;
    assert!(broken.is_err(), "{broken:?}");
    mesh::eventually("both queries are counted", || node.count(|metrics| metrics.queries.get()) == 2).await;
    let (mut registry, mut text) = (Registry::default(), String::new());
    node.server.metrics().register(&mut registry);
    encode(&mut text, &registry).unwrap();
    for line in [
        "query_duration_seconds_count{outcome=\"answered\"} 1",
        "query_duration_seconds_count{outcome=\"failed\"} 1",
        "query_duration_seconds_count{outcome=\"cancelled\"} 0",
        "query_first_chunk_seconds_count 2",
        "query_answer_bytes_sum 300.0",
        "queries_in_progress 0",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is missing in\n{text}");
    }
}
