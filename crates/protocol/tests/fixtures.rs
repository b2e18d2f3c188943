//! The bytes of every message, frozen: each fixed value encodes to the bytes in `fixtures/` and decodes back.
//!
//! `NERVURE_WRITE_FIXTURES=1 cargo test -p nervure-protocol` writes the files. A file that changes is another protocol,
//! which needs another name.

#![allow(clippy::unwrap_used)]

#[path = "fixtures/reach.rs"]
mod reach;

use std::{fmt::Debug, fs, path::PathBuf, time::Duration};

use bytes::BytesMut;
use nervure_primitives::{Amount, BlockHeight, Hash, MeshId, Netuid, NodeId, NodeKey, Uid, UnixMillis, cbor};
use nervure_protocol::{
    AnswerHasher, Assignment, AssignmentOpening, ChatMessage, ExpertEvent, ExpertId, ExpertRecord,
    ExpertRequest, FinishReason, FormCount, LiveScore, LiveScores, ModelIdentity, Neurons, PairCount,
    QueryKind, Receipt, ReceiptSampling, Registry, Role, Sampling, Score, ScoresRequest, ScoresResponse,
    SignedLiveScores, SignedReceipt, SignedRecord, SignedTaskBatch, SignedTrafficStatistics, SizeCount,
    TaskBatch, TaskTree, TrafficStatistics, Unset, Usage,
    chain::{BlockAnnouncement, BlocksRequest, BlocksResponse, frame_consensus, unframe_consensus},
    clock::ClockResponse,
    commitment,
    directory::{DirectoryRequest, DirectoryResponse, FindRecords, PageCursor},
    faucet::{FaucetClaim, FaucetRequest, FaucetResponse},
    forward::{ForwardRequest, ForwardResponse},
    invite::{Invite, SignedInvite},
    light::{KeysOf, LightRequest, LightResponse},
    query::{ErrorFrame, Frame, FrameHeader, HEADER_LEN, QueryEnd, QueryOpen, body},
    query_name, request_hash,
    state_sync::{StateRequest, StateResponse},
    submission::SubmitResponse,
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
    let chat = |role| ChatMessage::new(role, "é");
    let messages = [Role::System, Role::User, Role::Assistant].map(chat).to_vec();
    let unset = Unset { max_tokens: true, ..Unset::default() };
    let extra = String::from("{\"top_k\":5}").try_into().unwrap();
    let open = Sampling { unset, extra, ..Sampling::default() };
    for (name, request) in [
        ("request_open", ExpertRequest::Complete { prompt: "fn main".into(), sampling: open }),
        ("request_complete", ExpertRequest::Complete { prompt: "fn main".into(), sampling }),
        ("request_chat", ExpertRequest::Chat { messages, sampling: Sampling::default() }),
        ("request_tools", tools_request()),
        ("request_embed", ExpertRequest::Embed { inputs: vec!["a".into(), "b".into()] }),
        ("request_distribution", ExpertRequest::Distribution { context: vec![0xFF, 0] }),
    ] {
        frozen(name, &body::encode_request(&request).unwrap());
        assert_eq!(body::decode_request(&body::encode_request(&request).unwrap()).unwrap(), request);
    }
    let usage = Usage { prompt_tokens: 3, completion_tokens: 4 };
    let call = String::from("{\"tool_calls\":[{\"id\":\"a\",\"index\":0}]}").try_into().unwrap();
    for (name, event) in [
        ("event_text", ExpertEvent::Text("é".into())),
        ("event_embedding", ExpertEvent::Embedding { index: 1, vector: vec![0.5, -1.0] }),
        ("event_distribution", ExpertEvent::Distribution(vec![0.25; 4])),
        ("event_fields", ExpertEvent::Fields(call)),
        ("event_done", ExpertEvent::Done { usage, reason: FinishReason::Other }),
        ("event_tool_calls", ExpertEvent::Done { usage, reason: FinishReason::ToolCalls }),
    ] {
        frozen(name, &body::encode_event(&event).unwrap());
        assert_eq!(body::decode_event(&body::encode_event(&event).unwrap()).unwrap(), event);
    }
}

/// A chat in which a tool was called, and its result.
fn tools_request() -> ExpertRequest {
    let fields = |text: &str| text.to_owned().try_into().unwrap();
    let call = fields("{\"content\":null,\"tool_calls\":[{\"id\":\"a\"}]}");
    let result = fields("{\"tool_call_id\":\"a\"}");
    ExpertRequest::Chat {
        messages: vec![
            ChatMessage { fields: call, ..ChatMessage::new(Role::Assistant, "") },
            ChatMessage { fields: result, ..ChatMessage::new(Role::Tool, "5") },
        ],
        sampling: Sampling::default(),
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
        hops: 0,
    };
    let usage = Usage { prompt_tokens: 3, completion_tokens: 4 };
    let end = |reason| QueryEnd { chunks: 7, ..QueryEnd::new(usage, reason) };
    let error = ErrorFrame { code: 2, message: "busy".into(), retry_after_ms: Some(5) };
    frozen_frame("frame_open", &Frame::Open(open.clone()));
    frozen_frame("frame_open_short", &Frame::Open(QueryOpen { expert: None, name: None, ..open.clone() }));
    frozen_frame("frame_open_hops", &Frame::Open(QueryOpen { hops: 2, ..open.clone() }));
    frozen_frame("frame_chunk", &Frame::Chunk(b"hello"[..].into()));
    frozen_frame("frame_end_stop", &Frame::End(end(FinishReason::Stop)));
    frozen_frame("frame_end_length", &Frame::End(end(FinishReason::Length)));
    let receipt = Some(vec![9; 3]);
    frozen_frame("frame_end_receipt", &Frame::End(QueryEnd { receipt, ..end(FinishReason::Other) }));
    frozen_frame("frame_error", &Frame::Error(error.clone()));
    frozen_frame("frame_error_short", &Frame::Error(ErrorFrame { retry_after_ms: None, ..error }));
    frozen_frame("frame_alive", &Frame::Alive);
}

fn expert_record() -> ExpertRecord {
    ExpertRecord {
        node: key(1).node_id(),
        netuid: Netuid(1),
        expert: "rust".into(),
        capability: "text.generate.rust".parse().unwrap(),
        model: "byte-rust".into(),
        identity: identity(),
        context: 256,
        max_output: 4096,
        price: 7,
        byte_level: true,
        load: 3,
        addresses: vec![([127, 0, 0, 1], 4000).into(), "[2001:db8::1]:4000".parse().unwrap()],
        relays: Vec::new(),
        seq: 2,
        issued_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(30)),
        withdrawn: false,
    }
}

#[test]
fn expert_records_are_frozen() {
    let signed = SignedRecord::sign(&key(1), &MESH, expert_record()).unwrap();
    frozen("expert_record", signed.bytes());
    assert_eq!(SignedRecord::verify(signed.bytes(), &MESH, NOW, &AllowAll), Ok(signed));
    let relays = vec![key(2).node_id(), key(3).node_id()];
    let relayed = ExpertRecord { addresses: Vec::new(), relays, ..expert_record() };
    let relayed = SignedRecord::sign(&key(1), &MESH, relayed).unwrap();
    frozen("expert_record_relayed", relayed.bytes());
    assert_eq!(SignedRecord::verify(relayed.bytes(), &MESH, NOW, &AllowAll), Ok(relayed));
}

#[test]
fn task_batches_and_openings_are_frozen() {
    let validator = key(1).node_id();
    let requests = [ExpertRequest::chat("2 + 2?", Sampling::default())];
    let assignment = Assignment {
        task: commitment((&validator, Netuid(1)), &requests, &[7; 32]).unwrap(),
        miners: vec![key(2).node_id()],
        deadline: NOW.plus(Duration::from_secs(20)),
    };
    let opens_at = NOW.plus(Duration::from_secs(30));
    let empty = hash("root");
    let mut batch =
        TaskBatch { netuid: Netuid(1), validator, number: 9, root: empty, issued_at: NOW, opens_at };
    let leaf = batch.leaf(&assignment, &hash("salt")).unwrap();
    let tree = TaskTree::new([leaf], |number| hash(&format!("filler {number}")));
    batch.root = tree.root();
    let opening = AssignmentOpening {
        netuid: Netuid(1),
        validator,
        batch: 9,
        index: 0,
        salt: hash("salt"),
        assignment,
        path: tree.path(0),
    };
    assert_eq!(opening.verify(&batch, opens_at), Ok(()));
    frozen("assignment_opening", &opening.encode().unwrap());
    assert_eq!(AssignmentOpening::decode(&opening.encode().unwrap()), Ok(opening));
    let signed = SignedTaskBatch::sign(&key(1), &MESH, batch).unwrap();
    frozen("task_batch", signed.bytes());
    assert_eq!(SignedTaskBatch::verify(signed.bytes(), &MESH, NOW, &AllowAll), Ok(signed));
}

#[test]
fn traffic_statistics_are_frozen() {
    let kind = QueryKind::Chat;
    let statistics = TrafficStatistics {
        gateway: key(1).node_id(),
        issued_at: NOW,
        forms: vec![FormCount {
            kind,
            max_tokens: 256,
            temperature_milli: 800,
            top_p_milli: 950,
            seed: Some(42),
            stop: 2,
            unset: Unset::default(),
            seconds: 60,
            count: 16,
        }],
        sizes: vec![SizeCount {
            kind,
            min_bytes: 91,
            max_bytes: 127,
            min_parts: 3,
            max_parts: 4,
            system: true,
            count: 24,
        }],
        pairs: vec![PairCount { form: 0, size: 0, count: 16 }],
    };
    let signed = SignedTrafficStatistics::sign(&key(1), &MESH, statistics).unwrap();
    frozen("traffic_statistics", signed.bytes());
    assert_eq!(SignedTrafficStatistics::verify(signed.bytes(), &MESH, NOW), Ok(signed));
}

fn identity() -> ModelIdentity {
    ModelIdentity {
        digest: Some("sha256:ab".into()),
        quant: Some("f16".into()),
        runtime: Some("nervure-byte-lm/2".into()),
        sampler: Some("inverse-cdf/chacha8".into()),
    }
}

#[test]
fn receipts_are_frozen() {
    let query = query_name(Some(&hash("n")), &hash("q"));
    let mut answer = AnswerHasher::default();
    answer.event(&ExpertEvent::Text("a".into()));
    answer.event(&ExpertEvent::Distribution(vec![0.5; 2]));
    let usage = Usage { prompt_tokens: 3, completion_tokens: 4 };
    let request = ExpertRequest::chat("2 + 2?", Sampling { seed: Some(7), ..Sampling::default() });
    let receipt = Receipt {
        netuid: Netuid(1),
        asker: key(1).node_id(),
        miner: key(2).node_id(),
        query,
        request: request_hash(&query, b"r"),
        answer: answer.finish(usage, FinishReason::Stop),
        expert: "rust".into(),
        model: "byte-rust".into(),
        identity: identity(),
        sampling: ReceiptSampling::of(&request),
        received_at: NOW,
        took_ms: 5,
    };
    let signed = SignedReceipt::sign(&key(2), &MESH, receipt).unwrap();
    frozen("receipt", signed.bytes());
    assert_eq!(SignedReceipt::verify(signed.bytes(), &MESH), Ok(signed));
}

#[test]
fn live_scores_are_frozen() {
    let expert = ExpertId::of(&expert_record(), BlockHeight(5));
    let score = LiveScore::new(expert, Score::ratio(1, 2), 20);
    let scores =
        LiveScores { netuid: Netuid(1), validator: key(1).node_id(), issued_at: NOW, scores: vec![score] };
    let signed = SignedLiveScores::sign(&key(1), &MESH, scores).unwrap();
    frozen("live_scores", signed.bytes());
    assert_eq!(SignedLiveScores::verify(signed.bytes(), &MESH, NOW, &AllowAll), Ok(signed));
}

#[test]
fn requests_for_live_scores_are_frozen() {
    let first = ScoresRequest { netuid: Netuid(1), after: None };
    let next = ScoresRequest { netuid: Netuid(1), after: Some(key(1).node_id()) };
    frozen("scores_request_first", &first.encode().unwrap());
    frozen("scores_request_next", &next.encode().unwrap());
    assert_eq!(ScoresRequest::decode(&next.encode().unwrap()), Ok(next));
    let response = ScoresResponse { scores: vec![ByteBuf::from(vec![1, 2, 3])], more: true };
    frozen("scores_response", &response.encode().unwrap());
    assert_eq!(ScoresResponse::decode(&response.encode().unwrap()), Ok(response));
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
    frozen_cbor("blocks_response_pruned", &BlocksResponse::Pruned(BlockHeight(7)));
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
fn an_invite_is_frozen() {
    let key = NodeKey::from_seed(&[1; 32]);
    let invite = Invite {
        mesh: MESH,
        name: "example".into(),
        rules: hash("r"),
        seeds: vec![format!("/ip4/8.8.4.4/udp/4001/quic-v1/p2p/{}", key.node_id())],
        spec: Some("https://mesh.example/mesh.toml".into()),
        voucher: Some(ByteBuf::from(vec![3; 32])),
    };
    let signed = SignedInvite::sign(&key, invite.clone()).unwrap();
    frozen("invite", signed.link().unwrap().as_bytes());
    let read = SignedInvite::parse(&signed.link().unwrap()).unwrap();
    assert_eq!((read.invite(), read.by()), (&invite, key.node_id()));
}

#[test]
fn faucet_messages_are_frozen() {
    let owner = NodeKey::from_seed(&[2; 32]).node_id();
    let claim = FaucetClaim { owner, height: BlockHeight(7), block: hash("b"), nonce: 9 };
    frozen_cbor("faucet_request_terms", &FaucetRequest::Terms);
    frozen_cbor("faucet_request_claim", &FaucetRequest::Claim(claim));
    let terms = FaucetResponse::Terms { bits: 20, amount: Amount::from_base_units(5) };
    frozen_cbor("faucet_response_terms", &terms);
    frozen_cbor("faucet_response_paid", &FaucetResponse::Paid { transaction: hash("t") });
    frozen_cbor("faucet_response_refused", &FaucetResponse::refused("this owner was paid before"));
}

#[test]
fn light_messages_are_frozen() {
    let (at, node) = (BlockHeight(7), NodeId::from_bytes([7; 32]));
    let bytes = || ByteBuf::from(vec![1; 3]);
    let cursor = || PageCursor { node, expert: "a".into() };
    let capability = || Some("text.generate".parse().unwrap());
    frozen_cbor("light_request_newest", &LightRequest::Newest);
    frozen_cbor("light_request_block", &LightRequest::Block(Some(at)));
    frozen_cbor("light_request_facts", &LightRequest::Facts(at, vec!["chain".into(), "params".into()]));
    frozen_cbor("light_request_slots", &LightRequest::Slots(at, vec![(Netuid(1), node)]));
    frozen_cbor("light_request_owner", &LightRequest::Keys(KeysOf::Owner(node)));
    frozen_cbor("light_request_node", &LightRequest::Keys(KeysOf::Node(node)));
    frozen_cbor("light_request_subnets", &LightRequest::Keys(KeysOf::Subnets));
    frozen_cbor("light_request_subnet", &LightRequest::Keys(KeysOf::Subnet(Netuid(1))));
    frozen_cbor("light_request_validators", &LightRequest::Keys(KeysOf::Validators));
    frozen_cbor("light_request_epoch", &LightRequest::Epoch(Netuid(1), node));
    frozen_cbor("light_request_experts", &LightRequest::Experts(capability(), Some(cursor())));
    frozen_cbor("light_request_transaction", &LightRequest::Transaction(hash("t")));
    frozen_cbor("light_request_spec", &LightRequest::Spec);
    frozen_cbor("light_response_spec", &LightResponse::Spec(bytes()));
    frozen_cbor("light_response_block", &LightResponse::Block(Some(bytes())));
    frozen_cbor("light_response_facts", &LightResponse::Facts(Some(vec![bytes()])));
    frozen_cbor("light_response_no_facts", &LightResponse::Facts(None));
    frozen_cbor("light_response_slots", &LightResponse::Slots(Some(vec![Some((Uid(3), bytes())), None])));
    frozen_cbor("light_response_keys", &LightResponse::Keys(vec!["chain".into()]));
    frozen_cbor("light_response_epoch", &LightResponse::Epoch(Some((bytes(), bytes()))));
    frozen_cbor("light_response_experts", &LightResponse::Experts(vec![bytes()], Some(cursor())));
    frozen_cbor("light_response_transaction", &LightResponse::Transaction(Some((at, bytes()))));
}

#[test]
fn the_responses_to_a_submission_are_frozen() {
    frozen_cbor("submit_response_taken", &SubmitResponse::Taken);
    frozen_cbor("submit_response_refused", &SubmitResponse::refused("its balance is too small"));
    let longest = SubmitResponse::refused("x".repeat(10_000)).encode().unwrap();
    assert!(SubmitResponse::decode(&longest).is_ok(), "the longest reason has room");
}

#[test]
fn forwarded_questions_and_answers_are_frozen() {
    let request = ForwardRequest {
        netuid: Netuid(1),
        miner: key(2).node_id(),
        expert: "rust".into(),
        query: hash("q"),
        body: ByteBuf::from(vec![1, 2]),
        deadline_ms: 60_000,
    };
    frozen_cbor("forward_request", &request);
    let answer = ForwardResponse::Answer {
        chunks: vec![ByteBuf::from(vec![1, 2])],
        usage: Usage { prompt_tokens: 3, completion_tokens: 4 },
        reason: FinishReason::Stop,
        receipt: Some(ByteBuf::from(vec![3])),
    };
    frozen_cbor("forward_response_answer", &answer);
    frozen_cbor("forward_response_busy", &ForwardResponse::Busy(250));
    frozen_cbor("forward_response_failed", &ForwardResponse::Failed("unreachable".into()));
    frozen_cbor("forward_response_refused", &ForwardResponse::Refused("no permit".into()));
}

#[test]
fn the_clock_response_is_frozen() {
    let response = ClockResponse(UnixMillis(1_234_567_890));
    frozen("clock_response", &response.encode());
    assert_eq!(ClockResponse::decode(&response.encode()), Some(response));
}
