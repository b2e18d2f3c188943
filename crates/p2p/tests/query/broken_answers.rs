//! Nodes that lie about their answers: whatever they send, it is an error and never a short answer.

use nervure_p2p::query::{
    ClientConfig, EndReason, QueryClient, QueryEnd, QueryError, QueryUsage,
    frame::{Frame, FrameError},
};

use crate::{
    bare::{self, Then},
    mesh::{Does, MESH, ask, client, key},
};

fn end(chunks: u64) -> Frame {
    Frame::End(QueryEnd { chunks, usage: QueryUsage::default(), reason: EndReason::Stop })
}

fn chunk() -> Frame {
    Frame::Chunk(vec![7; 100].into())
}

/// What an asker makes of a node that answers with `bytes`.
async fn verdict(bytes: Vec<u8>, then: Then) -> Result<usize, QueryError> {
    let endpoint = bare::server(&key(1), 8);
    bare::answer_with(&endpoint, bytes, then);
    let mut config = ClientConfig::new(key(2), MESH);
    config.between = std::time::Duration::from_millis(300);
    let client = QueryClient::start(config).unwrap();
    let at = endpoint.local_addr().unwrap();
    ask(&client, key(1).node_id(), at, Does::HangSilently).await.map(|(pieces, _)| pieces.len())
}

#[tokio::test]
async fn an_answer_counts_only_with_an_end_that_counts_it() {
    let whole = bare::bytes(&[chunk(), chunk(), end(2)]);
    assert_eq!(
        verdict(whole.clone(), Then::Finish).await,
        Ok(2),
        "the honest form, or the rest shows nothing"
    );
    for bytes in [
        bare::bytes(&[chunk(), chunk()]),
        bare::bytes(&[chunk(), end(2)]),
        bare::bytes(&[chunk(), chunk(), end(1)]),
        whole[..whole.len() - 1].to_vec(),
        whole[..3].to_vec(),
        Vec::new(),
    ] {
        let verdict = verdict(bytes, Then::Finish).await;
        assert!(matches!(verdict, Err(QueryError::Truncated(_))), "{verdict:?}");
    }
}

#[tokio::test]
async fn what_is_no_frame_is_named() {
    let too_long = verdict(bare::header(2, u32::MAX), Then::Wait).await;
    assert!(matches!(too_long, Err(QueryError::Protocol(FrameError::TooLong { .. }))), "{too_long:?}");
    let unknown = verdict(bare::header(9, 1), Then::Wait).await;
    assert!(matches!(unknown, Err(QueryError::Protocol(FrameError::UnknownKind(9)))), "{unknown:?}");
    let garbage = [bare::header(3, 2), vec![0xFF, 0xFF]].concat();
    let garbage = verdict(garbage, Then::Finish).await;
    assert!(matches!(garbage, Err(QueryError::Protocol(FrameError::Cbor(_)))), "{garbage:?}");
}

#[tokio::test]
async fn a_node_that_stalls_in_the_middle_is_given_up() {
    let stalled = verdict(bare::bytes(&[chunk()]), Then::Wait).await;
    assert!(matches!(stalled, Err(QueryError::Stalled(_))), "{stalled:?}");
}

#[tokio::test]
async fn an_answer_that_is_late_as_a_whole_is_given_up() {
    let node = crate::mesh::Node::start(crate::mesh::server_config());
    let mut question = crate::mesh::question(Does::HangSilently);
    question.deadline_ms = 200;
    let client = client(2);
    let answer = crate::mesh::read(client.open(node.id, &[node.at], question).await.unwrap()).await;
    assert!(answer.is_err(), "{answer:?}");
}
