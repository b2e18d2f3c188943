//! Servers that break the protocol: each violation is a distinct error, and never an answer.

use std::time::Duration;

use bytes::Bytes;
use nervure_p2p::query::{ClientConfig, QueryClient, QueryEnd, QueryError};
use nervure_protocol::{
    FinishReason, Usage,
    bounds::MAX_CHUNK,
    query::{Frame, FrameError},
};
use quinn::Connection;

use crate::{
    bare::{self, Then},
    mesh::{Answer, Does, MESH, Node, ask, client, key, question, server_config},
};

fn chunk() -> Frame {
    Frame::Chunk(Bytes::from_static(b"a piece"))
}

fn end(chunks: u64) -> Frame {
    Frame::End(QueryEnd { chunks, ..QueryEnd::new(Usage::default(), FinishReason::Stop) })
}

async fn answered(bytes: Vec<u8>) -> Result<Answer, QueryError> {
    let (liar, endpoint) = (key(66), bare::server(&key(66), 10));
    bare::answer_with(&endpoint, bytes, Then::Finish);
    ask(&client(2), liar.node_id(), endpoint.local_addr().unwrap(), Does::Hang).await
}

#[tokio::test]
async fn the_bare_server_can_also_answer_correctly() {
    assert_eq!(answered(bare::bytes(&[chunk(), chunk(), end(2)])).await.unwrap().0.len(), 2);
}

#[tokio::test]
async fn an_answer_without_its_end_is_truncated() {
    for bytes in [vec![], bare::bytes(&[chunk()]), bare::bytes(&[chunk(), end(1)])[..20].to_vec()] {
        let answer = answered(bytes).await;
        assert!(matches!(answer, Err(QueryError::Truncated(_))), "{answer:?}");
    }
}

/// The broken variant: it takes the end of the stream for the end of the answer.
async fn careless(connection: &Connection) -> Vec<u8> {
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    send.write_all(&bare::bytes(&[Frame::Open(question(Does::Hang))])).await.unwrap();
    send.finish().unwrap();
    receive.read_to_end(1 << 20).await.unwrap()
}

#[tokio::test]
async fn a_reader_that_ignores_the_end_frame_takes_a_short_answer_for_whole() {
    let (short, endpoint) = (bare::bytes(&[chunk()]), bare::server(&key(66), 10));
    bare::answer_with(&endpoint, short.clone(), Then::Finish);
    let (_kept, connection) = bare::connect(&key(2), endpoint.local_addr().unwrap()).await;
    assert_eq!(careless(&connection).await, short);
}

#[tokio::test]
async fn a_wrong_count_is_truncated() {
    for count in [0, 1, 3, u64::MAX] {
        let answer = answered(bare::bytes(&[chunk(), chunk(), end(count)])).await;
        assert!(matches!(answer, Err(QueryError::Truncated(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn unknown_kinds_and_open_frames_break_the_protocol() {
    for (bytes, error) in [
        (bare::header(9, 0), FrameError::UnknownKind(9)),
        (bare::header(0, 0), FrameError::UnknownKind(0)),
        (bare::bytes(&[Frame::Open(question(Does::Hang))]), FrameError::UnexpectedKind(1)),
    ] {
        assert_eq!(answered(bytes).await.unwrap_err(), QueryError::Protocol(error));
    }
}

#[tokio::test]
async fn a_frame_that_is_too_long_is_refused_by_its_header() {
    for (kind, length) in [(2, MAX_CHUNK as u32 + 1), (3, 2049), (4, u32::MAX)] {
        let answer = answered(bare::header(kind, length)).await;
        assert!(
            matches!(answer, Err(QueryError::Protocol(FrameError::TooLong { length: l, .. })) if l == length as usize),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn garbage_in_an_end_or_error_frame_breaks_the_protocol() {
    for kind in [3, 4] {
        let bytes = [bare::header(kind, 4), vec![0xFF, 0x00, 0xA1, 0x61]].concat();
        let answer = answered(bytes).await;
        assert!(matches!(answer, Err(QueryError::Protocol(FrameError::Cbor(_)))), "{answer:?}");
    }
}

fn impatient() -> QueryClient {
    let mut config = ClientConfig::new(key(2), MESH);
    config.first_byte = Duration::from_millis(300);
    config.between = Duration::from_millis(300);
    QueryClient::start(config).unwrap()
}

#[tokio::test]
async fn a_server_that_stalls_is_given_up() {
    for bytes in [vec![], bare::bytes(&[chunk()]), bare::header(2, 100)] {
        let endpoint = bare::server(&key(66), 10);
        bare::answer_with(&endpoint, bytes, Then::Wait);
        let answer = ask(&impatient(), key(66).node_id(), endpoint.local_addr().unwrap(), Does::Hang).await;
        assert!(matches!(answer, Err(QueryError::Stalled(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_server_that_grants_no_stream_is_given_up() {
    let endpoint = bare::server(&key(66), 0);
    bare::answer_with(&endpoint, vec![], Then::Wait);
    let answer = ask(&impatient(), key(66).node_id(), endpoint.local_addr().unwrap(), Does::Hang).await;
    assert!(matches!(answer, Err(QueryError::Stalled(_))), "{answer:?}");
}

#[tokio::test]
async fn the_askers_deadline_ends_an_answer_that_does_not() {
    let endpoint = bare::server(&key(66), 10);
    bare::answer_with(&endpoint, bare::bytes(&[chunk()]), Then::Wait);
    let (client, mut open) = (client(2), question(Does::Hang));
    open.deadline_ms = 300;
    let at = endpoint.local_addr().unwrap();
    let stream = client.open(key(66).node_id(), &[at], open).await.unwrap();
    let answer = crate::mesh::read(stream).await;
    assert!(matches!(answer, Err(QueryError::Overdue(_))), "{answer:?}");
}

/// A client that waits for a second for any frame.
fn waits_a_second() -> QueryClient {
    let second = Duration::from_secs(1);
    QueryClient::start(ClientConfig {
        first_byte: second,
        between: second,
        ..ClientConfig::new(key(2), MESH)
    })
    .unwrap()
}

#[tokio::test]
async fn an_expert_that_works_longer_than_its_asker_waits_says_so() {
    let node = Node::start(server_config());
    let answer = ask(&waits_a_second(), node.id, node.at, Does::Work(15)).await.unwrap();
    assert_eq!(answer.0.len(), 1, "signs of life are no pieces");
    let silent = ask(&waits_a_second(), node.id, node.at, Does::HangSilently).await;
    assert!(matches!(silent, Err(QueryError::Stalled(_))), "without them it counts as gone: {silent:?}");
}

#[tokio::test]
async fn a_flood_of_signs_of_life_breaks_the_protocol() {
    let flood = vec![Frame::Alive; 2_000];
    let answer = answered(bare::bytes(&[&flood[..], &[chunk(), end(1)]].concat())).await;
    assert_eq!(answer.unwrap_err(), QueryError::Protocol(FrameError::UnexpectedKind(5)));
    // As many as one for each second, and some that were delayed.
    let few = vec![Frame::Alive; 10];
    assert!(answered(bare::bytes(&[&few[..], &[chunk(), end(1)]].concat())).await.is_ok());
}
