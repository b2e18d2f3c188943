//! The bytes of every message, frozen: each fixed value encodes to the bytes in `fixtures/` and decodes back.
//!
//! `NERVURE_WRITE_FIXTURES=1 cargo test -p nervure-protocol` writes the files. A file that changes is another protocol,
//! which needs another name.

#![allow(clippy::unwrap_used)]

use std::{fmt::Debug, fs, path::PathBuf, time::Duration};

use bytes::BytesMut;
use nervure_primitives::{Amount, BlockHeight, Hash, MeshId, Netuid, NodeKey, UnixMillis, cbor};
use nervure_protocol::{
    AnswerHasher, Assignment, ChatMessage, ExpertEvent, ExpertRecord, ExpertRequest, FinishReason, LiveScore,
    LiveScores, Neurons, Receipt, Registry, Role, Sampling, Score, SignedAssignment, SignedLiveScores,
    SignedReceipt, SignedRecord, Usage,
    chain::{BlockAnnouncement, BlocksRequest, BlocksResponse, frame_consensus, unframe_consensus},
    clock::ClockResponse,
    commitment,
    directory::{DirectoryRequest, DirectoryResponse, FindRecords, PageCursor},
    query::{ErrorFrame, Frame, FrameHeader, HEADER_LEN, QueryEnd, QueryOpen, body},
    request_hash,
    state_sync::{StateRequest, StateResponse},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;

const MESH: MeshId = MeshId::from_bytes([7; 32]);
const NOW: UnixMillis = UnixMillis(1_000_000);

/// Every node is registered and may do everything.
struct AllowAll;

impl Registry for AllowAll {
    fn may_advertise(&self, _: &nervure_primitives::NodeId, _: Netuid) -> bool {
        true
    }
}

impl Neurons for AllowAll {
    fn may_validate(&self, _: &nervure_primitives::NodeId, _: Netuid) -> bool {
        true
    }

    fn registered_at(&self, _: &nervure_primitives::NodeId, _: Netuid) -> Option<BlockHeight> {
        Some(BlockHeight(1))
    }
}

fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

fn hash(name: &str) -> Hash {
    Hash::of(name, &[])
}

/// Compares `bytes` with the fixture called `name`, in lower-case hex.
fn frozen(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{name}.hex"));
    let hex = data_encoding::HEXLOWER.encode(bytes) + "\n";
    if std::env::var_os("NERVURE_WRITE_FIXTURES").is_some() {
        return fs::write(path, hex).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), hex, "{name} has other bytes");
}

/// Freezes the canonical CBOR of `value`, and checks that it decodes.
fn frozen_cbor<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: &T) {
    let bytes = cbor::encode(value).unwrap();
    frozen(name, &bytes);
    assert_eq!(&cbor::decode::<T>(&bytes, cbor::Limits::new(bytes.len())).unwrap(), value, "{name}");
}

fn frozen_frame(name: &str, frame: &Frame) {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes).unwrap();
    frozen(name, &bytes);
    let content = bytes.split_off(HEADER_LEN).freeze();
    let header = FrameHeader::decode(bytes[..].try_into().unwrap()).unwrap();
    assert_eq!(&Frame::decode(header.kind(), content).unwrap(), frame, "{name}");
}

#[test]
fn expert_requests_and_events_are_frozen() {
    let sampling = Sampling {
        max_tokens: 9,
        seed: Some(5),
        stop: vec!["\n".into()],
        prefix: "fn".into(),
        ..Sampling::default()
    };
    let chat = |role| ChatMessage { role, content: "é".into() };
    let messages = [Role::System, Role::User, Role::Assistant].map(chat).to_vec();
    for (name, request) in [
        ("request_complete", ExpertRequest::Complete { prompt: "fn main".into(), sampling }),
        ("request_chat", ExpertRequest::Chat { messages, sampling: Sampling::default() }),
        ("request_embed", ExpertRequest::Embed { inputs: vec!["a".into(), "b".into()] }),
        ("request_distribution", ExpertRequest::Distribution { context: vec![0xFF, 0] }),
    ] {
        frozen(name, &body::encode_request(&request).unwrap());
        assert_eq!(body::decode_request(&body::encode_request(&request).unwrap()).unwrap(), request);
    }
    let usage = Usage { prompt_tokens: 3, completion_tokens: 4 };
    for (name, event) in [
        ("event_text", ExpertEvent::Text("é".into())),
        ("event_embedding", ExpertEvent::Embedding { index: 1, vector: vec![0.5, -1.0] }),
        ("event_distribution", ExpertEvent::Distribution(vec![0.25; 4])),
        ("event_done", ExpertEvent::Done { usage, reason: FinishReason::Other }),
    ] {
        frozen(name, &body::encode_event(&event).unwrap());
        assert_eq!(body::decode_event(&body::encode_event(&event).unwrap()).unwrap(), event);
    }
}

#[test]
fn query_frames_are_frozen() {
    let open = QueryOpen {
        netuid: Netuid(1),
        capability: "text.generate".parse().unwrap(),
        expert: Some("rust".into()),
        body: vec![1, 2, 3],
        deadline_ms: 1000,
        budget: Amount::from_base_units(5),
        name: Some(hash("name")),
    };
    let usage = Usage { prompt_tokens: 3, completion_tokens: 4 };
    let end = |reason| QueryEnd { chunks: 7, ..QueryEnd::new(usage, reason) };
    let error = ErrorFrame { code: 2, message: "busy".into(), retry_after_ms: Some(5) };
    frozen_frame("frame_open", &Frame::Open(open.clone()));
    frozen_frame("frame_open_short", &Frame::Open(QueryOpen { expert: None, name: None, ..open }));
    frozen_frame("frame_chunk", &Frame::Chunk(b"hello"[..].into()));
    frozen_frame("frame_end_stop", &Frame::End(end(FinishReason::Stop)));
    frozen_frame("frame_end_length", &Frame::End(end(FinishReason::Length)));
    let receipt = Some(vec![9; 3]);
    frozen_frame("frame_end_receipt", &Frame::End(QueryEnd { receipt, ..end(FinishReason::Other) }));
    frozen_frame("frame_error", &Frame::Error(error.clone()));
    frozen_frame("frame_error_short", &Frame::Error(ErrorFrame { retry_after_ms: None, ..error }));
}

#[test]
fn expert_records_are_frozen() {
    let record = ExpertRecord {
        node: key(1).node_id(),
        netuid: Netuid(1),
        expert: "rust".into(),
        capability: "text.generate.rust".parse().unwrap(),
        model: "byte-rust".into(),
        context: 256,
        max_output: 4096,
        price: 7,
        byte_level: true,
        load: 3,
        addresses: vec![([127, 0, 0, 1], 4000).into(), "[2001:db8::1]:4000".parse().unwrap()],
        seq: 2,
        issued_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(30)),
        withdrawn: false,
    };
    let signed = SignedRecord::sign(&key(1), &MESH, record).unwrap();
    frozen("expert_record", signed.bytes());
    assert_eq!(SignedRecord::verify(signed.bytes(), &MESH, NOW, &AllowAll), Ok(signed));
}

#[test]
fn assignments_are_frozen() {
    let validator = key(1).node_id();
    let requests = [ExpertRequest::chat("2 + 2?", Sampling::default())];
    let assignment = Assignment {
        netuid: Netuid(1),
        validator,
        task: commitment((&validator, Netuid(1)), &requests, &[7; 32]).unwrap(),
        miners: vec![key(2).node_id()],
        issued_at: NOW,
        deadline: NOW.plus(Duration::from_secs(20)),
    };
    let signed = SignedAssignment::sign(&key(1), &MESH, assignment).unwrap();
    frozen("assignment", signed.bytes());
    assert_eq!(SignedAssignment::verify(signed.bytes(), &MESH, NOW, &AllowAll), Ok(signed));
}

#[test]
fn receipts_are_frozen() {
    let query = hash("q");
    let mut answer = AnswerHasher::default();
    answer.chunk(b"a");
    let receipt = Receipt {
        netuid: Netuid(1),
        asker: key(1).node_id(),
        miner: key(2).node_id(),
        query,
        request: request_hash(&query, b"r"),
        answer: answer.finish(),
        received_at: NOW,
        took_ms: 5,
    };
    let signed = SignedReceipt::sign(&key(2), &MESH, receipt).unwrap();
    frozen("receipt", signed.bytes());
    assert_eq!(SignedReceipt::verify(signed.bytes(), &MESH), Ok(signed));
}

#[test]
fn live_scores_are_frozen() {
    let score =
        LiveScore { node: key(2).node_id(), block: BlockHeight(5), score: Score::ratio(1, 2), tasks: 20 };
    let scores =
        LiveScores { netuid: Netuid(1), validator: key(1).node_id(), issued_at: NOW, scores: vec![score] };
    let signed = SignedLiveScores::sign(&key(1), &MESH, scores).unwrap();
    frozen("live_scores", signed.bytes());
    assert_eq!(SignedLiveScores::verify(signed.bytes(), &MESH, NOW, &AllowAll), Ok(signed));
}

#[test]
fn directory_messages_are_frozen() {
    let cursor = PageCursor { node: key(1).node_id(), expert: "rust".into() };
    let find = FindRecords {
        netuid: Netuid(1),
        capability: "text".parse().ok(),
        shard: 1,
        filter: Some("context >= 1".into()),
        limit: 9,
        after: Some(cursor.clone()),
    };
    let everything = FindRecords { capability: None, filter: None, after: None, ..find.clone() };
    let records = || vec![ByteBuf::from(vec![1, 2])];
    frozen_cbor("directory_publish", &DirectoryRequest::Publish { records: records() });
    frozen_cbor("directory_find", &DirectoryRequest::Find(find));
    frozen_cbor("directory_find_all", &DirectoryRequest::Find(everything));
    frozen_cbor("directory_published", &DirectoryResponse::Published { kept: 1, refused: 2 });
    frozen_cbor("directory_page", &DirectoryResponse::Page { records: records(), next: Some(cursor) });
    frozen_cbor("directory_last_page", &DirectoryResponse::Page { records: records(), next: None });
    frozen_cbor("directory_refused", &DirectoryResponse::Refused { reason: "no".into() });
}

#[test]
fn chain_messages_are_frozen() {
    let block = || (ByteBuf::from(vec![1; 3]), ByteBuf::from(vec![2; 2]));
    frozen_cbor("block_announcement", &BlockAnnouncement::new(BlockHeight(7), vec![1; 3], vec![2; 2]));
    frozen_cbor("block_announcement_short", &BlockAnnouncement { height: BlockHeight(7), block: None });
    frozen_cbor("blocks_request_body", &BlocksRequest::Body(hash("b")));
    frozen_cbor("blocks_request_from", &BlocksRequest::From(BlockHeight(7)));
    frozen_cbor("blocks_response_body", &BlocksResponse::Body(Some(ByteBuf::from(vec![1; 3]))));
    frozen_cbor("blocks_response_no_body", &BlocksResponse::Body(None));
    frozen_cbor("blocks_response_blocks", &BlocksResponse::Blocks(vec![block(), block()]));
    let framed = frame_consensus(&[9; 4], 258);
    frozen("consensus_frame", &framed);
    assert_eq!(unframe_consensus(&framed).unwrap(), [9; 4]);
}

#[test]
fn state_messages_are_frozen() {
    frozen_cbor("state_request_checkpoint", &StateRequest::Block(None));
    frozen_cbor("state_request_block", &StateRequest::Block(Some(BlockHeight(7))));
    frozen_cbor("state_request_first_records", &StateRequest::Records(BlockHeight(7), None));
    frozen_cbor("state_request_records", &StateRequest::Records(BlockHeight(7), Some(hash("k"))));
    frozen_cbor("state_response_block", &StateResponse::Block(Some(ByteBuf::from(vec![1; 3]))));
    frozen_cbor("state_response_no_block", &StateResponse::Block(None));
    let records = StateResponse::Records(Some((vec![ByteBuf::from(vec![1])], true)));
    frozen_cbor("state_response_records", &records);
    frozen_cbor("state_response_no_records", &StateResponse::Records(None));
}

#[test]
fn the_clock_response_is_frozen() {
    let response = ClockResponse(UnixMillis(1_234_567_890));
    frozen("clock_response", &response.encode());
    assert_eq!(ClockResponse::decode(&response.encode()), Some(response));
}
