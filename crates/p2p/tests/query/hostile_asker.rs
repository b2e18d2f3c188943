//! Askers who stall, lie about lengths, and send rubbish: the server counts it and goes on serving others.

use std::time::Duration;

use nervure_p2p::query::frame::MAX_OPEN;
use quinn::Connection;

use crate::{
    bare,
    mesh::{Node, eventually, key, loopback, server_config},
};

/// A stream on which `bytes` were sent and nothing follows.
async fn sent(connection: &Connection, bytes: &[u8]) -> (quinn::SendStream, quinn::RecvStream) {
    let (mut send, receive) = connection.open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    (send, receive)
}

#[tokio::test]
async fn whoever_stalls_in_a_frame_loses_its_place() {
    let mut config = server_config();
    config.header = Duration::from_millis(200);
    let node = Node::start(config);
    let (_endpoint, connection) = bare::connect(&key(9), node.at).await;
    let mut stalled = Vec::new();
    for bytes in [&b""[..], b"\x01", &bare::header(1, 100), &[bare::header(1, 100), vec![0; 50]].concat()] {
        stalled.push(sent(&connection, bytes).await);
    }
    // The first one, too: a later stream opens all before it.
    eventually("all are counted", || node.count(|counters| &counters.malformed) == 4).await;
    eventually("none is in progress", || node.count(|counters| &counters.in_progress) == 0).await;
    node.serves().await;
}

#[tokio::test]
async fn lengths_and_kinds_are_checked_before_anything_is_waited_for() {
    let node = Node::start(server_config());
    let (_endpoint, connection) = bare::connect(&key(9), node.at).await;
    let too_long = bare::header(1, u32::try_from(MAX_OPEN).unwrap() + 1);
    let rubbish = [bare::header(1, 3), vec![0xFF; 3]].concat();
    let mut streams = Vec::new();
    for bytes in [too_long, rubbish, bare::header(77, 0), bare::header(3, 0)] {
        streams.push(sent(&connection, &bytes).await);
    }
    eventually("all are counted", || node.count(|counters| &counters.malformed) == 4).await;
    for (_send, mut receive) in streams {
        let answer = receive.read_to_end(4096).await.unwrap();
        assert_eq!(answer[0], 4, "an error frame says so");
    }
    node.serves().await;
}

#[tokio::test]
async fn an_asker_that_never_reads_does_not_keep_others_waiting() {
    let node = Node::start(server_config());
    let endpoint = bare::client(&key(9), crate::mesh::MESH, Some(1));
    let connection = endpoint.connect(node.at, "x").unwrap().await.unwrap();
    let mut question = bytes::BytesMut::new();
    let open = crate::mesh::question(crate::mesh::Does::Stream(1000, 1000));
    nervure_p2p::query::frame::Frame::Open(open).encode(&mut question).unwrap();
    let _streams = futures::future::join_all((0..20).map(|_| sent(&connection, &question))).await;
    eventually("it asks", || node.count(|counters| &counters.in_progress) > 0).await;
    node.serves().await;
}

#[tokio::test]
async fn datagrams_of_rubbish_and_forged_first_packets_do_nothing() {
    let node = Node::start(server_config());
    let socket = tokio::net::UdpSocket::bind(loopback(0)).await.unwrap();
    for length in [0usize, 1, 20, 1200, 1400] {
        for first in [0x00u8, 0x40, 0xC0, 0xFF] {
            let mut datagram = vec![first; length];
            datagram.iter_mut().enumerate().skip(1).for_each(|(at, byte)| *byte = (at * 31) as u8);
            socket.send_to(&datagram, node.at).await.unwrap();
        }
    }
    node.serves().await;
}
