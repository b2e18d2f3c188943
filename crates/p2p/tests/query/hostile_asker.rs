//! Askers that break the protocol: each loses its own query, and others are not affected.

use std::{num::NonZeroU32, time::Duration};

use futures::FutureExt;
use nervure_p2p::query::{AskerLimits, ClassLimits};
use nervure_protocol::{AskerClass, query::Frame};
use quinn::Connection;
use rand::{RngCore, SeedableRng, rngs::StdRng};

use crate::{
    bare,
    mesh::{Does, MESH, Node, eventually, key, loopback, question, server_config},
};

fn hurried() -> Node {
    let mut config = server_config();
    config.header = Duration::from_millis(200);
    let limits = *config.classes.of(AskerClass::Staked);
    config.classes = AskerLimits::same(ClassLimits { streams: NonZeroU32::new(4).unwrap(), ..limits });
    Node::start(config)
}

/// The kind of the frame with which the server answers `bytes`. The asking side stays open.
async fn told(connection: &Connection, bytes: &[u8]) -> u8 {
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    receive.read_to_end(4096).await.unwrap()[0]
}

#[tokio::test]
async fn malformed_queries_are_refused_and_counted() {
    let node = hurried();
    let (_kept, connection) = bare::connect(&key(2), node.at).await;
    let whole = bare::bytes(&[Frame::Open(question(Does::Hang))]);
    let bad = [
        &whole[..3],
        &whole[..whole.len() - 1],
        &bare::header(1, u32::MAX),
        &bare::header(77, 1),
        &[bare::header(1, 3), vec![0xFF; 3]].concat(),
        &bare::bytes(&[Frame::Chunk(bytes::Bytes::from_static(b"no question"))]),
    ];
    for (number, bytes) in (1..).zip(bad) {
        assert_eq!(told(&connection, bytes).await, 4, "an error frame");
        assert_eq!(node.count(|c| c.malformed.get()), number);
    }
    eventually("no query is in progress", || node.in_progress() == 0).await;
    node.serves().await;
}

#[tokio::test]
async fn more_streams_than_allowed_have_to_wait_for_the_header_deadline() {
    let node = hurried();
    let (_kept, connection) = bare::connect(&key(2), node.at).await;
    let mut stalled = Vec::new();
    for _ in 0..4 {
        let mut streams = connection.open_bi().now_or_never().expect("four are allowed").unwrap();
        streams.0.write_all(&[1]).await.unwrap();
        stalled.push(streams);
    }
    assert!(connection.open_bi().now_or_never().is_none(), "the fifth must wait");
    assert!(connection.open_uni().now_or_never().is_none(), "unidirectional streams are not allowed");
    node.serves().await;
    for (send, mut receive) in stalled {
        receive.read_to_end(4096).await.unwrap();
        drop(send);
    }
    connection.open_bi().await.unwrap();
}

#[tokio::test]
async fn an_asker_that_grants_no_window_does_not_keep_its_place() {
    let node = hurried();
    let endpoint = bare::client(&key(2), MESH, Some(0));
    let connection = endpoint.connect(node.at, "anything").unwrap().await.unwrap();
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    send.write_all(&bare::header(77, 1)).await.unwrap();
    eventually("it was refused", || node.count(|c| c.malformed.get()) == 1).await;
    eventually("its query is no longer in progress", || node.in_progress() == 0).await;
    assert!(connection.close_reason().is_none(), "the asker has not left");
}

#[tokio::test]
async fn datagrams_of_garbage_are_ignored() {
    let (node, mut random) = (hurried(), StdRng::seed_from_u64(1));
    let socket = tokio::net::UdpSocket::bind(loopback(0)).await.unwrap();
    for number in 0..2000usize {
        let mut bytes = vec![0; 1 + number % 1400];
        random.fill_bytes(&mut bytes);
        // Every other one looks like a first packet of QUIC 1.
        if number % 2 == 0 && bytes.len() > 6 {
            bytes[..6].copy_from_slice(&[0xC3, 0, 0, 0, 1, 8]);
        }
        socket.send_to(&bytes, node.at).await.unwrap();
    }
    node.serves().await;
    assert_eq!(node.count(|c| c.connections.get()), 1);
}
