//! Floods by free keys (findings T4): what they hold, and that others are answered. Each defence has a variant of the server
//! without it.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use nervure_p2p::query::{AskerLimits, ClassLimits, QueryError, QueryErrorCode, ServerConfig};
use nervure_protocol::{AskerClass, query::Frame};
use quinn::{Connection, Endpoint};

use crate::{
    bare,
    mesh::{Does, MESH, Node, Registry, ask, client, eventually, key, question, server_config},
};

/// The number of the one validator.
const VALIDATOR: u8 = 200;

/// Far longer than a test takes.
const FOR_EVER: Duration = Duration::from_secs(600);

/// A server with few places, and times that a test can wait for.
fn small() -> ServerConfig {
    let mut config = server_config();
    config.queries = NonZeroUsize::new(32).unwrap();
    config.refusal = Duration::from_millis(50);
    for class in AskerClass::ALL {
        config.classes.of_mut(class).write = Duration::from_millis(50);
    }
    config
}

/// The same without the times of its own: what an asker that does not read holds, it holds until its deadline.
fn patient() -> ServerConfig {
    let mut config = small();
    config.refusal = FOR_EVER;
    for class in AskerClass::ALL {
        let limits = config.classes.of_mut(class);
        (limits.write, limits.answer) = (FOR_EVER, FOR_EVER);
    }
    config
}

/// An asker that lets the server send no byte, and asks as often as it may on its connection.
struct Stalled {
    connection: Connection,
    _endpoint: Endpoint,
}

impl Stalled {
    async fn connect(number: u8, node: &Node) -> Self {
        let endpoint = bare::client(&key(number), MESH, Some(0));
        let connection = endpoint.connect(node.at, "anything").unwrap().await.unwrap();
        Self { connection, _endpoint: endpoint }
    }

    /// Asks `count` questions with a deadline of ten minutes, and reads no answer.
    async fn ask(&self, count: usize, does: Does) {
        let mut open = question(does);
        open.deadline_ms = 600_000;
        let bytes = bare::bytes(&[Frame::Open(open)]);
        for _ in 0..count {
            let (mut send, receive) = self.connection.open_bi().await.unwrap();
            send.write_all(&bytes).await.unwrap();
            // Dropped, the streams would tell the server that the asker has left.
            std::mem::forget((send, receive));
        }
    }
}

/// How many questions are in progress at both servers, once the first has none.
async fn in_progress_when_the_first_is_free(does: Does) -> i64 {
    let (strict, lax) = (Node::start(small()), Node::start(patient()));
    for node in [&lax, &strict] {
        let asker = Stalled::connect(2, node).await;
        asker.ask(3, does.clone()).await;
        eventually("all three arrived", || node.count(|c| c.queries.get()) as i64 + node.in_progress() == 3)
            .await;
        std::mem::forget(asker);
    }
    eventually("the strict server has cut them", || strict.in_progress() == 0).await;
    assert_eq!(strict.count(|c| c.stalled.get()), 3);
    lax.in_progress()
}

#[tokio::test]
async fn a_refusal_does_not_wait_for_the_askers_deadline() {
    let held = in_progress_when_the_first_is_free(Does::Refuse).await;
    assert_eq!(held, 3, "without a time of the server's own they are held");
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_cut() {
    let held = in_progress_when_the_first_is_free(Does::Stream(1, 10)).await;
    assert_eq!(held, 3, "without a time of the server's own they are held");
}

/// Whether the validator is answered while 66 free keys hold what they get.
async fn under_flood(config: ServerConfig, registry: Registry) -> Result<usize, QueryErrorCode> {
    let node = Node::admitting(config, registry);
    let mut askers = Vec::new();
    for number in 1..=66 {
        let asker = Stalled::connect(number, &node).await;
        asker.ask(1, Does::Hang).await;
        askers.push(asker);
    }
    let settled = || {
        let ended = node.count(|c| c.queries.get()) as i64;
        ended + node.in_progress() >= 66
    };
    eventually("all have asked", settled).await;
    match ask(&client(VALIDATOR), node.id, node.at, Does::Stream(3, 100)).await {
        Ok((pieces, _)) => Ok(pieces.len()),
        Err(QueryError::Refused { code, .. }) => Err(code),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn free_keys_hold_half_of_the_places_and_a_validator_is_answered() {
    // Without times of the server's own, to show that this does not depend on them.
    assert_eq!(under_flood(patient(), Registry::only(VALIDATOR)).await, Ok(3));
    let refused = under_flood(patient(), Registry(None)).await;
    assert_eq!(refused, Err(QueryErrorCode::Busy), "the variant in which all are of one class");
}

#[tokio::test]
async fn deadlines_are_capped_by_class() {
    let mut config = small();
    config.classes.of_mut(AskerClass::Stranger).answer = Duration::from_millis(50);
    let node = Node::admitting(config, Registry::only(VALIDATOR));
    let stranger = ask(&client(2), node.id, node.at, Does::HangSilently).await;
    assert!(stranger.is_err(), "its deadline was a minute: {stranger:?}");
    let validator = client(VALIDATOR);
    let mut waiting = validator.open(node.id, &[node.at], question(Does::Hang)).await.unwrap();
    waiting.next().await.unwrap();
    assert_eq!(node.in_progress(), 1, "a validator's is not cut so early");
}

#[tokio::test]
async fn all_free_keys_together_have_one_rate() {
    let limited = async |registry| {
        let mut config = small();
        config.free_rate = NonZeroU32::MIN;
        let node = Node::admitting(config, registry);
        for number in 1..=10 {
            // Refused or not does not matter: the server counts.
            let _ = ask(&client(number), node.id, node.at, Does::Stream(1, 10)).await;
        }
        ask(&client(VALIDATOR), node.id, node.at, Does::Stream(1, 10)).await.unwrap();
        node.count(|c| c.rate_limited.get())
    };
    assert!(limited(Registry::only(VALIDATOR)).await > 0, "ten keys, one question each");
    assert_eq!(limited(Registry(None)).await, 0, "the variant in which all are validators");
}

#[tokio::test]
async fn a_networks_free_keys_are_bounded_and_paying_askers_of_it_get_in() {
    let admitted = async |loopback_is_exempt: bool| {
        let mut config = server_config();
        config.connections_per_subnet = NonZeroUsize::new(2).unwrap();
        config.loopback_is_exempt = loopback_is_exempt;
        let node = Node::admitting(config, Registry::only(VALIDATOR));
        let mut kept = Vec::new();
        for number in 2..=5 {
            let (endpoint, connection) = bare::connect(&key(number), node.at).await;
            // Whether it is refused shows after the handshake.
            let settled = || node.count(|c| c.connections.get() + c.refused.get()) >= u64::from(number) - 1;
            eventually("it was admitted or refused", settled).await;
            kept.push((endpoint, connection));
        }
        let strangers = node.count(|c| c.connections.get());
        ask(&client(VALIDATOR), node.id, node.at, Does::Stream(1, 10)).await.unwrap();
        strangers
    };
    assert_eq!(admitted(false).await, 2);
    assert_eq!(admitted(true).await, 4, "the variant that exempts loopback");
}

/// How many bytes after its question an asker can send before its window is full; at most a megabyte.
async fn taken_after_the_question(limits: ClassLimits) -> usize {
    let mut config = server_config();
    config.classes = AskerLimits::same(limits);
    let node = Node::start(config);
    let (_kept, connection) = bare::connect(&key(2), node.at).await;
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    send.write_all(&bare::bytes(&[Frame::Open(question(Does::Hang))])).await.unwrap();
    receive.read_chunk(1, true).await.unwrap();
    let mut sent = 0;
    // Fails when the server has stopped the stream.
    while sent < 1 << 20 && send.write_all(&[0; 1024]).await.is_ok() {
        sent += 1024;
    }
    // The connection still works: what was discarded gave its window back.
    node.serves().await;
    sent
}

#[tokio::test]
async fn what_follows_a_question_is_not_kept() {
    let limits = *server_config().classes.of(AskerClass::Stranger);
    let sent = taken_after_the_question(limits).await;
    assert!(sent < 1 << 20, "the server stopped it: {sent}");
}
