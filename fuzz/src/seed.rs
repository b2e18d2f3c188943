//! Valid inputs, from which mutations start.

mod anchor;
mod nested;

use std::{num::NonZeroUsize, time::Duration};

use bytes::BytesMut;
use nervure_consensus::{
    bft::{
        Equivocation, Message, PolkaCertificate, Proposal, Round, RoundCertificate, RoundReason, RoundVote,
        SignedStatement, Timer, TimerKind, Verdict, Vote, VoteKind, WalEntry,
    },
    checkpoint::{CommitCertificate, SignatureList},
};
use nervure_ledger::{
    block::Header,
    chain::{Draft, Next, Tip},
    checkpoint::Checkpoint,
    snapshot,
    spec::MeshSpec,
    state::LedgerState,
    subnet::Hyperparameter,
    transaction::{
        Call, CommitWeights, RegisterSubnet, SetHyperparameter, SetMechanism, SetWeights, SignerKey, Stake,
        Transaction, Transfer, Unstake, VoteSubnets,
    },
    tree::{Fact, Key, MemoryTree, Record, StateTree},
};
use nervure_light::{LightClient, TrustingPeriod, score::EpochProof};
use nervure_primitives::{
    Amount, BlockHeight, Hash, MechanismSpec, Netuid, NodeKey, Signature, Uid, UnixMillis, UntrustedText,
    cbor,
};
use nervure_protocol::{
    AnswerHasher, Assignment, AuditCase, AuditResponse, ExpertEvent, ExpertId, ExpertRecord, ExpertRequest,
    FinishReason, ModelIdentity, Receipt, ReceiptSampling, Sampling, Score, ScoresRequest, ScoresResponse,
    SignedLiveScores, SignedReceipt, SignedRecord, SignedTaskBatch, SignedTrafficStatistics, Unset, Usage,
    directory::{DirectoryRequest as Request, DirectoryResponse as Response, FindRecords, PageCursor},
    faucet::{FaucetClaim, FaucetRequest, FaucetResponse},
    invite::{Invite, SignedInvite},
    light::{KeysOf, LightRequest, LightResponse},
    query::{ErrorFrame, Frame, QueryEnd, QueryOpen},
    reach::{ReachReport, ReachRequest, ReachResponse, SeenAsker},
    request_hash,
    submission::SubmitResponse,
};
use nervure_subnet::{
    Registration, ScoredExpert, Seed,
    score::{MovingAverageTable, ScorePublication, ScoringRules},
    task::{BatchPlan, OpenBatch, TrafficCounter},
};
use serde::Serialize;
use serde_bytes::ByteBuf;

use crate::{MESH, NOW};

/// An example of the documentation.
const CASE: &str = include_str!("../../docs/examples/yuma.json");

/// Valid inputs of the target called `name`.
#[must_use]
#[allow(clippy::too_many_lines, reason = "one row for each target")]
pub fn of(name: &str) -> Vec<Vec<u8>> {
    match name {
        "envelope" | "expert_record" => vec![record()],
        "query_frame" => frames(),
        "task_batch" => vec![task_batch()],
        "assignment_opening" => assignment_openings(),
        "traffic_statistics" => vec![traffic_statistics()],
        "interim_scores" => vec![interim_scores()],
        "scores_messages" => {
            let request = ScoresRequest { netuid: Netuid(1), after: Some(key().node_id()) };
            let response = ScoresResponse { scores: vec![ByteBuf::from(interim_scores())], more: true };
            vec![encode(&request), encode(&response)]
        }
        "receipt" => vec![receipt()],
        "audit_case" => vec![audit_case()],
        "audit_response" => vec![
            AuditResponse::Taken.encode().unwrap_or_default(),
            AuditResponse::refused("busy").encode().unwrap_or_default(),
        ],
        "scoreboard" => vec![scoreboard().save().unwrap_or_default()],
        "expert_request" => requests(),
        "expert_event" => events(),
        "directory_request" => vec![
            encode(&Request::Publish { records: vec![ByteBuf::from(record())] }),
            encode(&Request::Find(find())),
        ],
        "directory_response" => responses(),
        "submit_response" => {
            vec![encode(&SubmitResponse::Taken), encode(&SubmitResponse::refused("its balance is too small"))]
        }
        "light_request" | "light_response" | "invite" | "faucet_request" | "faucet_response"
        | "reach_request" | "reach_response" => stranger(name),
        "filter" => {
            texts(&["context >= 4096 and (price <= 5 or not byte_level)", "model ~ \"é\" or node != \"x\""])
        }
        "names" => texts(&["text.generate.rust", "12.000000001", &key().node_id().to_string()]),
        "mesh_spec" => vec![spec().into_bytes()],
        "transaction" => transactions(),
        "block" => blocks(),
        "snapshot" => snapshots(),
        "state_proof" => state_proofs(),
        "checkpoint" => checkpoint().and_then(|one| one.encode().ok()).into_iter().collect(),
        "epoch_proof" => epoch_proof().and_then(|one| one.encode().ok()).into_iter().collect(),
        "yuma_case" => vec![CASE.as_bytes().to_vec()],
        "swarm_request" => vec![[&[6u8][..], b"fuzz/1", &[0, 0, 0, 3, 1, 2, 3]].concat()],
        "swarm_answer" => vec![vec![0, 0, 0, 0, 3, 1, 2, 3], vec![1]],
        // Its format is private. The property is that no file stops a node.
        "peer_store" => vec![record(), encode(&(1u8, Vec::<u8>::new()))],
        "mock_server" => texts(&[
            "Quick question: What is (12 + 3) * 4? Finish with a line that says \"Answer: \" and then just the number.",
            "Sort these numbers from largest to smallest: 3, -1, 2. Conclude with \"Answer:\" and the items.",
            "Replace every \"a\" in \"banana\" by \"4\".",
            "Which date is 30 days after 2024-02-29? March 5, 2024 and 5 March 2024 are days.",
            "Add up the ages per team: [{\"name\":\"Ada\",\"age\":7,\"team\":\"red\"}] Answer:",
        ]),
        "upstream_answer" => texts(&[
            "data: {\"choices\":[{\"text\":\"h\u{e9}\",\"finish_reason\":null}]}\n\ndata: [DONE]\n",
            "data: {\"error\":{\"message\":\"no\",\"code\":7}}\r\n",
        ]),
        "consensus_message" => consensus_messages(),
        "commit_certificate" => vec![commit_certificate().encode().unwrap_or_default()],
        "equivocation" => equivocation().into_iter().collect(),
        "consensus_log" => consensus_log(),
        "anchor_attestation"
        | "anchor_submission"
        | "attestation_message"
        | "submissions_request"
        | "submissions_response" => anchor::of(name).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Valid inputs of what strangers and newcomers send and get.
fn stranger(name: &str) -> Vec<Vec<u8>> {
    match name {
        "light_request" => light_requests(),
        "invite" => vec![invite().into_bytes()],
        "faucet_request" => vec![encode(&FaucetRequest::Terms), encode(&FaucetRequest::Claim(claim()))],
        "faucet_response" => vec![
            encode(&FaucetResponse::Terms { bits: 20, amount: Amount::from_base_units(5) }),
            encode(&FaucetResponse::Paid { transaction: root() }),
            encode(&FaucetResponse::refused("no")),
        ],
        "reach_request" => vec![
            encode(&ReachRequest::Ask { peer: key().node_id() }),
            encode(&ReachRequest::Probe {
                asker: key().node_id(),
                addresses: vec![UntrustedText::new("/ip4/8.8.4.4/udp/7/quic-v1")],
            }),
        ],
        "reach_response" => vec![encode(&ReachResponse::Report(ReachReport {
            agent: UntrustedText::new("nervure/1.2.3"),
            height: Some(BlockHeight(7)),
            peers: 3,
            dialable: None,
            relays: 1,
            asker: SeenAsker::Unreachable { reason: UntrustedText::new("no address") },
        }))],
        "light_response" => light_responses(),
        _ => Vec::new(),
    }
}

/// The key that everything is signed with.
#[must_use]
pub fn key() -> NodeKey {
    NodeKey::from_seed(&[1; 32])
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    cbor::encode(value).unwrap_or_default()
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn record() -> Vec<u8> {
    let Ok(capability) = "text.generate".parse() else { return Vec::new() };
    let record = ExpertRecord {
        node: key().node_id(),
        netuid: Netuid(1),
        expert: "rust".into(),
        capability,
        model: "model".into(),
        identity: identity(),
        context: 256,
        max_output: 4096,
        price: 1 << 40,
        byte_level: true,
        load: 7,
        addresses: vec![([127, 0, 0, 1], 4000).into(), ([0u16; 8], 1).into()],
        relays: Vec::new(),
        seq: 1,
        issued_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(30)),
        withdrawn: false,
    };
    SignedRecord::sign(&key(), &MESH, record).map(|signed| signed.bytes().to_vec()).unwrap_or_default()
}

/// The neuron of a board.
pub fn registration() -> Registration {
    Registration { node: key().node_id(), block: BlockHeight(1) }
}

/// Its expert.
fn expert() -> ScoredExpert {
    ScoredExpert { neuron: registration(), expert: ExpertId::from_bytes([3; 32]) }
}

fn scoreboard() -> MovingAverageTable {
    let Ok(mut board) = MovingAverageTable::new(ScoringRules::default()) else {
        unreachable!("the defaults are within their bounds")
    };
    board.set_registered([registration()]);
    board.record(&expert(), Score::ratio(3, 4));
    board
}

/// A batch with one assignment; none for inputs that cannot be encoded, which there are none of.
pub(crate) fn batch() -> OpenBatch {
    let opens_at = NOW.plus(Duration::from_secs(10));
    let miners = vec![NodeKey::from_seed(&[9; 32]).node_id()];
    let assignment = Assignment { task: root(), miners, deadline: opens_at };
    let plan =
        BatchPlan { netuid: Netuid(1), validator: key().node_id(), number: 1, issued_at: NOW, opens_at };
    let Ok(batch) = OpenBatch::new(plan, vec![assignment], Seed::from(1)) else { unreachable!("it encodes") };
    batch
}

fn task_batch() -> Vec<u8> {
    let signed = SignedTaskBatch::sign(&key(), &MESH, batch().batch().clone());
    signed.map(|signed| signed.bytes().to_vec()).unwrap_or_default()
}

fn assignment_openings() -> Vec<Vec<u8>> {
    batch().openings().iter().filter_map(|opening| opening.encode().ok()).collect()
}

fn traffic_statistics() -> Vec<u8> {
    let mut counter = TrafficCounter::default();
    (0..100).for_each(|_| {
        counter.count(&ExpertRequest::chat("hello", Sampling::default()), Duration::from_secs(60))
    });
    let statistics = counter.publish(key().node_id(), NOW, Seed::from(1));
    let signed = SignedTrafficStatistics::sign(&key(), &MESH, statistics);
    signed.map(|signed| signed.bytes().to_vec()).unwrap_or_default()
}

fn interim_scores() -> Vec<u8> {
    let (board, mut publication) = (scoreboard(), ScorePublication::default());
    publication.weights_made(1, &board);
    publication.epoch_began(2);
    let scores = publication.live_scores(&board, (key().node_id(), Netuid(1)), NOW);
    SignedLiveScores::sign(&key(), &MESH, scores).map(|signed| signed.bytes().to_vec()).unwrap_or_default()
}

fn identity() -> ModelIdentity {
    ModelIdentity {
        digest: Some("sha256:ab".into()),
        quant: Some("f16".into()),
        runtime: None,
        sampler: None,
    }
}

fn receipt() -> Vec<u8> {
    let receipt = Receipt {
        netuid: Netuid(1),
        asker: NodeKey::from_seed(&[9; 32]).node_id(),
        miner: key().node_id(),
        query: root(),
        request: root(),
        answer: root(),
        expert: "rust".into(),
        model: "model".into(),
        identity: identity(),
        sampling: Some(ReceiptSampling { temperature_milli: 800, top_p_milli: 950, seed: Some(1) }),
        received_at: NOW,
        took_ms: 7,
    };
    SignedReceipt::sign(&key(), &MESH, receipt).map(|signed| signed.bytes().to_vec()).unwrap_or_default()
}

/// A question with its answer, and a receipt that fits both.
fn audit_case() -> Vec<u8> {
    let sampling = Sampling { seed: Some(1), ..Sampling::default() };
    let request = ExpertRequest::Complete { prompt: "fn".into(), sampling };
    let body = encode(&request);
    let event = ExpertEvent::Text("main".into());
    let mut answer = AnswerHasher::default();
    answer.event(&event);
    let (usage, reason) = (Usage { prompt_tokens: 2, completion_tokens: 4 }, FinishReason::Length);
    let receipt = Receipt {
        netuid: Netuid(1),
        asker: NodeKey::from_seed(&[9; 32]).node_id(),
        miner: key().node_id(),
        query: root(),
        request: request_hash(&root(), &body),
        answer: answer.finish(usage, reason),
        expert: "rust".into(),
        model: "model".into(),
        identity: identity(),
        sampling: ReceiptSampling::of(&request),
        received_at: NOW,
        took_ms: 7,
    };
    let Ok(signed) = SignedReceipt::sign(&key(), &MESH, receipt) else { return Vec::new() };
    let case = AuditCase::new(body, vec![event], (usage, reason), signed.bytes().to_vec());
    case.encode().unwrap_or_default()
}

fn frames() -> Vec<Vec<u8>> {
    let Ok(capability) = "text.generate".parse() else { return Vec::new() };
    let open = QueryOpen {
        netuid: Netuid(1),
        capability,
        expert: Some("rust".into()),
        body: vec![1, 2, 3],
        deadline_ms: 1000,
        budget: Amount::from_base_units(5),
        name: Some(root()),
        hops: 0,
    };
    let usage = Usage { prompt_tokens: 3, completion_tokens: 4 };
    let frames = [
        Frame::Open(open),
        Frame::Chunk(vec![9; 40].into()),
        Frame::End(QueryEnd { receipt: Some(vec![7; 9]), ..QueryEnd::new(usage, FinishReason::Stop) }),
        Frame::Error(ErrorFrame { code: 2, message: "busy".into(), retry_after_ms: Some(7) }),
    ];
    let bytes = |frame: Frame| {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes).ok()?;
        // The target reads kind and content; the length between them is the stream's.
        Some([&bytes[..1], &bytes[5..]].concat())
    };
    frames.into_iter().filter_map(bytes).collect()
}

fn requests() -> Vec<Vec<u8>> {
    let sampling = Sampling { stop: vec!["\n".into()], seed: Some(1), ..Sampling::default() };
    let extra = String::from("{\"response_format\":{\"type\":\"json_object\"},\"top_k\":5}").try_into();
    let unset = Unset { max_tokens: true, temperature: true, top_p: true };
    let open = Sampling { unset, extra: extra.unwrap_or_default(), ..Sampling::default() };
    vec![
        encode(&ExpertRequest::Complete { prompt: "fn".into(), sampling: open }),
        encode(&ExpertRequest::Complete { prompt: "fn".into(), sampling }),
        encode(&ExpertRequest::Embed { inputs: vec!["a".into()] }),
        encode(&ExpertRequest::Distribution { context: vec![0xFF] }),
    ]
}

fn events() -> Vec<Vec<u8>> {
    vec![
        encode(&ExpertEvent::Text("é".into())),
        encode(&ExpertEvent::Embedding { index: 1, vector: vec![0.5, -1.0] }),
        encode(&ExpertEvent::Done { usage: Usage::default(), reason: FinishReason::Stop }),
    ]
}

fn find() -> FindRecords {
    FindRecords {
        netuid: Netuid(1),
        capability: "text".parse().ok(),
        shard: 1,
        filter: Some("context >= 1".into()),
        limit: 9,
        after: Some(cursor()),
    }
}

fn claim() -> FaucetClaim {
    FaucetClaim { owner: key().node_id(), height: BlockHeight(7), block: root(), nonce: 9 }
}

fn invite() -> String {
    let invite = Invite {
        mesh: MESH,
        name: "seed".into(),
        rules: root(),
        seeds: vec!["/ip4/8.8.4.4/udp/1/quic-v1/p2p/x".into()],
        spec: None,
        voucher: Some(ByteBuf::from(vec![3; 32])),
    };
    SignedInvite::sign(&key(), invite).and_then(|signed| signed.link()).unwrap_or_default()
}

fn light_requests() -> Vec<Vec<u8>> {
    let (node, at) = (key().node_id(), BlockHeight(7));
    let keys = ["chain", "params", "subnet/1", "neuron/1/0"].map(str::to_owned).to_vec();
    vec![
        encode(&LightRequest::Block(Some(at))),
        encode(&LightRequest::Facts(at, keys)),
        encode(&LightRequest::Slots(at, vec![(Netuid(1), node)])),
        encode(&LightRequest::Keys(KeysOf::Owner(node))),
        encode(&LightRequest::Experts("text".parse().ok(), Some(cursor()))),
        encode(&LightRequest::Transaction(root())),
    ]
}

fn light_responses() -> Vec<Vec<u8>> {
    let fact = tree().prove(&Key::Chain).ok().and_then(|found| Fact::new(found).encode().ok());
    let fact = ByteBuf::from(fact.unwrap_or_default());
    vec![
        encode(&LightResponse::Block(None)),
        encode(&LightResponse::Facts(Some(vec![fact.clone()]))),
        encode(&LightResponse::Slots(Some(vec![Some((Uid(0), fact)), None]))),
        encode(&LightResponse::Keys(vec!["chain".into()])),
        encode(&LightResponse::Experts(vec![ByteBuf::from(record())], Some(cursor()))),
    ]
}

fn cursor() -> PageCursor {
    PageCursor { node: key().node_id(), expert: "a".into() }
}

fn responses() -> Vec<Vec<u8>> {
    let records = vec![ByteBuf::from(record())];
    vec![
        encode(&Response::Page { records, next: Some(cursor()) }),
        encode(&Response::Published { kept: 1, refused: 2 }),
        encode(&Response::Refused { reason: "no".into() }),
    ]
}

/// A small mesh, in which [`key`] holds tokens, a subnet and a node.
#[must_use]
pub fn mesh() -> MeshSpec {
    let (owner, stake) = (key().node_id(), Amount::from_base_units(5_000_000_000));
    let spec = MeshSpec::test("seed").with_account(owner, Amount::from_base_units(1 << 50));
    let mut spec = spec.with_validator(owner, stake);
    spec.subnets[0].owner = Some(owner);
    spec
}

fn spec() -> String {
    mesh().to_toml()
}

/// The first state of [`mesh`].
#[must_use]
pub fn state() -> Option<LedgerState> {
    LedgerState::genesis(&mesh()).ok()
}

fn tree() -> MemoryTree {
    state().and_then(|state| MemoryTree::of(&state).ok()).unwrap_or_default()
}

/// The root of [`state`].
#[must_use]
pub fn root() -> Hash {
    tree().root().unwrap_or(Hash::from_bytes([0; 32]))
}

/// The record of `key` in [`state`].
#[must_use]
pub fn record_of(key: &Key) -> Option<Record> {
    tree().prove(key).ok().and_then(|(record, _)| record)
}

fn transaction(call: Call) -> Transaction {
    let (nonce, fee) = (0, if call.signer() == SignerKey::Node { 0 } else { 1_000_000 });
    Transaction { nonce, fee: Amount::from_base_units(fee), tip: Amount::ZERO, expiry: BlockHeight(9), call }
}

fn transactions() -> Vec<Vec<u8>> {
    let (node, netuid, amount) = (key().node_id(), Netuid(1), Amount::from_base_units(1 << 40));
    let weights = vec![(Uid(0), 7)];
    let calls = [
        Call::Transfer(Transfer { to: node, amount, memo: None }),
        Call::Stake(Stake { node, amount }),
        Call::Unstake(Unstake { node, amount }),
        Call::RegisterSubnet(RegisterSubnet { name: "two".into(), node, max_lock: amount, mechanism: None }),
        Call::SetHyperparameter(SetHyperparameter { netuid, to: Hyperparameter::Tempo(9) }),
        Call::SetMechanism(SetMechanism {
            netuid,
            to: MechanismSpec::named("next-byte").with("contexts", 8),
        }),
        Call::CommitWeights(CommitWeights { netuid, hash: root() }),
        Call::SetWeights(SetWeights { netuid, weights, version_key: 0 }),
        Call::VoteSubnets(VoteSubnets { weights: vec![(netuid, 1)] }),
    ];
    let calls = calls.into_iter().chain(anchor::registration()).chain(nested::calls());
    calls.map(|call| encode(&transaction(call))).collect()
}

fn blocks() -> Vec<Vec<u8>> {
    let call =
        Call::Transfer(Transfer { to: key().node_id(), amount: Amount::from_base_units(1), memo: None });
    let Ok(envelope) = transaction(call).seal(&key(), &mesh().mesh_id()) else { return Vec::new() };
    let Ok((tip, _)) = Tip::genesis(&mesh()) else { return Vec::new() };
    let next = tip.next(&tree(), Draft::uncertified(&tip, vec![envelope]), NonZeroUsize::MIN);
    next.ok().and_then(|next| next.block.encode().ok()).into_iter().collect()
}

fn snapshots() -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    let written = Tip::genesis(&mesh()).ok().map(|(tip, _)| snapshot::write(&tip, Some(b"it"), &mut bytes));
    written.map(|_| bytes).into_iter().collect()
}

fn state_proofs() -> Vec<Vec<u8>> {
    let keys = [Key::Chain, Key::Account(key().node_id()), Key::Neuron(Netuid(1), Uid(0))];
    let proof = |key| {
        let (record, proof) = tree().prove(&key).ok()?;
        let record = encode(&record?);
        let length = u16::try_from(record.len()).ok()?.to_be_bytes();
        Some([&length[..], &record, &encode(&proof)].concat())
    };
    keys.into_iter().filter_map(proof).collect()
}

/// A client that trusts the genesis of [`mesh`].
#[must_use]
pub fn light_client() -> Option<LightClient> {
    let (tip, _) = Tip::genesis(&mesh()).ok()?;
    let validators = tip.state.validators()?.as_ref().clone();
    LightClient::trusting(&tip.header, validators, TrustingPeriod::new(None, UnixMillis(0))).ok()
}

/// The block after the genesis, which ends an epoch.
fn next() -> Option<Next> {
    let (tip, _) = Tip::genesis(&mesh()).ok()?;
    tip.next(&tree(), Draft::uncertified(&tip, Vec::new()), NonZeroUsize::MIN).ok()
}

/// The header of the block after the genesis.
#[must_use]
pub fn next_header() -> Option<Header> {
    next().map(|next| next.block.header)
}

fn checkpoint() -> Option<Checkpoint> {
    let (header, state) = (next_header()?, state()?);
    let mut certificate = CommitCertificate {
        height: header.height,
        round: Round(0),
        value: header.id(),
        signatures: SignatureList::default(),
    };
    let vote = SignedStatement::sign(&key(), &header.mesh, certificate.vote()).ok()?;
    certificate.signatures = SignatureList::collect([(vote.signer, vote.signature)]).ok()?;
    let validators = state.validators()?.as_ref().clone();
    Some(Checkpoint { header, certificate, validators, next_validators: None })
}

/// The proof of the first epoch for [`key`].
#[must_use]
pub fn epoch_proof() -> Option<EpochProof> {
    let next = next()?;
    let inputs = next.epochs.first()?.inputs.clone();
    let mut tree = tree();
    tree.accept(next.update);
    let fact = |key| Some(Fact::new(tree.prove(&key).ok()?));
    let (subnet, neuron) = (fact(Key::Subnet(Netuid(1)))?, fact(Key::Neuron(Netuid(1), Uid(0))));
    Some(EpochProof { subnet, inputs, neuron })
}

/// An invalid signature, which suffices because decoders do not verify.
const UNVERIFIED: Signature = Signature::from_bytes([9; 64]);

fn commit_certificate() -> CommitCertificate {
    let signatures = (1..=3).map(|n| (NodeKey::from_seed(&[n; 32]).node_id(), UNVERIFIED));
    let signatures = SignatureList::collect(signatures).unwrap_or_default();
    CommitCertificate { height: BlockHeight(7), round: Round(1), value: value(), signatures }
}

fn value() -> Hash {
    Hash::of("fuzz", &[])
}

fn vote(value: Option<Hash>) -> SignedStatement<Vote> {
    let statement = Vote { height: BlockHeight(7), round: Round(1), kind: VoteKind::Prevote, value };
    SignedStatement { statement, signer: key().node_id(), signature: UNVERIFIED }
}

fn proposal() -> SignedStatement<Proposal> {
    let (height, round) = (BlockHeight(7), Round(1));
    let statement = Proposal { height, round, value: value(), valid_round: Some(Round(0)) };
    SignedStatement { statement, signer: key().node_id(), signature: UNVERIFIED }
}

fn polka() -> PolkaCertificate {
    let CommitCertificate { height, round, value, signatures } = commit_certificate();
    PolkaCertificate { height, round, value, signatures }
}

/// Two votes of one validator at one position.
fn equivocation() -> Option<Vec<u8>> {
    let vote = |value| {
        let vote = Vote { height: BlockHeight(3), round: Round(1), kind: VoteKind::Precommit, value };
        SignedStatement::sign(&key(), &MESH, vote).ok()
    };
    Equivocation::votes(vote(None)?, vote(Some(Hash::of("block", &[])))?).ok()?.encode().ok()
}

fn consensus_messages() -> Vec<Vec<u8>> {
    let vote_of = |kind, value| RoundVote { signer: key().node_id(), kind, value, signature: UNVERIFIED };
    let votes = vec![vote_of(VoteKind::Precommit, Some(value()))];
    let reason = RoundReason::Precommits;
    let round = RoundCertificate { height: BlockHeight(7), round: Round(1), reason, votes };
    let skip = RoundCertificate { reason: RoundReason::Skip, ..round.clone() };
    let messages = [
        Message::Vote(vote(None)),
        Message::Vote(vote(Some(value()))),
        Message::Proposal(proposal()),
        Message::Polka(polka()),
        Message::Round(round),
        Message::Round(skip),
    ];
    messages.iter().map(|message| message.encode().unwrap_or_default()).collect()
}

fn consensus_log() -> Vec<Vec<u8>> {
    let (height, round) = (BlockHeight(7), Round(1));
    let verdict = Verdict { height, round, proposer: key().node_id(), value: value(), valid: true };
    let entries = [
        WalEntry::Vote(vote(None)),
        WalEntry::Proposal(proposal()),
        WalEntry::Verdict(verdict),
        WalEntry::Timeout(Timer { height, round, kind: TimerKind::Propose }),
        WalEntry::Polka(polka()),
    ];
    entries.iter().map(|entry| entry.encode().unwrap_or_default()).collect()
}
