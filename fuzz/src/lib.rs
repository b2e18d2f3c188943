//! Fuzz targets for every decoder of bytes from outside, and the properties that must hold for any input.
//!
//! Each target is a plain function: libFuzzer calls it (`fuzz_targets/`), and so does an ordinary test with mutations of
//! valid inputs ([`seed`]), so that every test run is a short run of the fuzzer. Two properties are checked: nothing
//! panics, and where an encoding is canonical, every value that decodes encodes to the same bytes.

pub mod seed;

use bytes::{Bytes, BytesMut};
use nervure_anchor::{
    AnchorDomain, Attestation, AttestationMessage, Submission, SubmissionsRequest, SubmissionsResponse,
};
use nervure_consensus::{
    bft::{Equivocation, Message, WalEntry},
    checkpoint::CommitCertificate,
    yuma::case::Case,
};
use nervure_ledger::{
    block::Block,
    block::BlockContext,
    checkpoint::Checkpoint,
    snapshot as state_snapshot,
    spec::MeshSpec,
    state::LedgerState,
    transaction::{Checked, DOMAIN, Transaction},
    tree::{Fact, Key, Record, StateProof},
};
use nervure_light::score::{EpochProof, explain};
use nervure_primitives::{
    Amount, BlockHeight, Capability, Envelope, MeshId, Netuid, NodeId, Uid, UnixMillis,
    cbor::{self, Limits},
};
use nervure_protocol::{
    AssignmentOpening, AuditCase, AuditResponse, ExpertEvent, ExpertRequest, Neurons, Registry,
    ScoresRequest, ScoresResponse, SignedLiveScores, SignedReceipt, SignedRecord, SignedTaskBatch,
    SignedTrafficStatistics,
    bounds::MAX_SCORES_PAGE,
    faucet::{FaucetRequest, FaucetResponse},
    invite::SignedInvite,
    light::{LightRequest, LightResponse},
    query::Frame,
    reach::{ReachRequest, ReachResponse},
    submission::SubmitResponse,
};
use nervure_subnet::{
    Filter, Index,
    directory::{self, Context},
    score::{LiveScoreTable, MAX_EXPERTS_OF_NEURON, MovingAverageTable, ScoringRules},
    task::{Assignments, PendingQueries, Traffic},
};
use serde::{Serialize, de::DeserializeOwned};

/// The mesh of all seeds.
pub const MESH: MeshId = MeshId::from_bytes([7; 32]);

/// The time of all seeds.
pub const NOW: UnixMillis = UnixMillis(1_000_000);

/// Bytes that a target reads at most.
const MAX_INPUT_BYTES: usize = 64 << 10;

/// A registry in which every node may advertise, so that the fuzzer gets past it.
pub struct AllowAll;

impl Registry for AllowAll {
    fn may_advertise(&self, _: &NodeId, _: Netuid) -> bool {
        true
    }
}

/// Every node is registered, and a validator.
impl Neurons for AllowAll {
    fn may_validate(&self, _: &NodeId, _: Netuid) -> bool {
        true
    }

    fn registered_at(&self, _: &NodeId, _: Netuid) -> Option<BlockHeight> {
        Some(BlockHeight(1))
    }
}

/// A decoder and its properties.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 48] = [
    ("envelope", envelope),
    ("expert_record", expert_record),
    ("query_frame", query_frame),
    ("expert_request", expert_request),
    ("expert_event", expert_event),
    ("directory_request", directory_request),
    ("directory_response", directory_response),
    ("submit_response", submit_response),
    ("light_request", light_request),
    ("light_response", light_response),
    ("invite", invite),
    ("faucet_request", faucet_request),
    ("faucet_response", faucet_response),
    ("reach_request", reach_request),
    ("reach_response", reach_response),
    ("filter", filter),
    ("names", names),
    ("mesh_spec", mesh_spec),
    ("yuma_case", yuma_case),
    ("transaction", transaction),
    ("block", block),
    ("snapshot", snapshot),
    ("state_proof", state_proof),
    ("checkpoint", checkpoint),
    ("epoch_proof", epoch_proof),
    ("swarm_request", nervure_p2p::fuzzing::request),
    ("swarm_answer", nervure_p2p::fuzzing::answer),
    ("peer_store", nervure_p2p::fuzzing::peers),
    ("mock_server", nervure_mock_server::fuzzing::mock_server),
    ("upstream_answer", nervure_experts::fuzzing::upstream),
    ("consensus_message", consensus_message),
    ("commit_certificate", commit_certificate),
    ("equivocation", equivocation),
    ("consensus_log", consensus_log),
    ("task_batch", task_batch),
    ("assignment_opening", assignment_opening),
    ("traffic_statistics", traffic_statistics),
    ("interim_scores", interim_scores),
    ("scores_messages", scores_messages),
    ("receipt", receipt),
    ("audit_case", audit_case),
    ("audit_response", audit_response),
    ("scoreboard", scoreboard),
    ("anchor_attestation", anchor_attestation),
    ("anchor_submission", anchor_submission),
    ("attestation_message", attestation_message),
    ("submissions_request", submissions_request),
    ("submissions_response", submissions_response),
];

/// Decodes a value, which must encode to the same bytes.
fn canonical<T: Serialize + DeserializeOwned>(data: &[u8]) -> Option<T> {
    let value: T = cbor::decode(data, Limits::new(MAX_INPUT_BYTES)).ok()?;
    assert!(cbor::encode(&value).is_ok_and(|again| again == data), "two encodings of one value");
    Some(value)
}

/// Validators' attestations of checkpoints.
pub fn anchor_attestation(data: &[u8]) {
    if let Ok(one) = Attestation::decode(data) {
        assert!(one.encode().is_ok_and(|again| again == data), "two encodings of one attestation");
    }
}

/// Checkpoints with the signatures of a quorum, and the quorum.
pub fn anchor_submission(data: &[u8]) {
    if let Ok(one) = Submission::decode(data) {
        assert!(one.encode().is_ok_and(|again| again == data), "two encodings of one submission");
        // Verification must not panic on any submission.
        let _ = one.verify(&AnchorDomain::LOCAL);
    }
}

/// Attestations, as gossip brings them.
pub fn attestation_message(data: &[u8]) {
    if let Ok(message) = AttestationMessage::decode(data) {
        assert!(message.encode().is_ok_and(|again| again == data), "two encodings of one message");
    }
}

/// Requests for submissions.
pub fn submissions_request(data: &[u8]) {
    if let Ok(request) = SubmissionsRequest::decode(data) {
        assert!(request.encode().is_ok_and(|again| again == data), "two encodings of one request");
    }
}

/// Responses with submissions.
pub fn submissions_response(data: &[u8]) {
    let Ok(response) = SubmissionsResponse::decode(data) else { return };
    assert!(response.encode().is_ok_and(|again| again == data), "two encodings of one response");
    for submission in response.submissions().unwrap_or_default() {
        // Verification must not panic on any submission.
        let _ = submission.verify(&AnchorDomain::LOCAL);
    }
}

/// Signed envelopes.
pub fn envelope(data: &[u8]) {
    if let Ok(envelope) = Envelope::decode(data, MAX_INPUT_BYTES) {
        assert!(envelope.encode().is_ok_and(|again| again == data), "two encodings of one envelope");
    }
}

/// Expert records, as gossip and the directory bring them.
pub fn expert_record(data: &[u8]) {
    if let Ok(record) = SignedRecord::verify(data, &MESH, NOW, &AllowAll) {
        assert_eq!(record.bytes(), data);
        Index::default().insert(record, NOW);
    }
}

/// Batches of tasks of validators.
pub fn task_batch(data: &[u8]) {
    if let Ok(signed) = SignedTaskBatch::verify(data, &MESH, NOW, &AllowAll) {
        assert_eq!(signed.bytes(), data);
        Assignments::default().insert(signed, NOW);
    }
}

/// Openings of assignments.
pub fn assignment_opening(data: &[u8]) {
    if let Ok(opening) = AssignmentOpening::decode(data) {
        assert!(opening.encode().is_ok_and(|again| again == data), "two encodings of one opening");
        let batch = seed::batch();
        assert!(opening.verify(batch.batch(), UnixMillis(0)).is_err(), "no batch has ended");
    }
}

/// Traffic statistics of gateways.
pub fn traffic_statistics(data: &[u8]) {
    if let Ok(signed) = SignedTrafficStatistics::verify(data, &MESH, NOW) {
        assert_eq!(signed.bytes(), data);
        let traffic = Traffic::new([signed.statistics()]);
        let mut dice = nervure_subnet::Dice::new(1.into());
        for kind in nervure_protocol::QueryKind::ALL {
            assert!(
                traffic.draw(kind, &mut dice).sampling.validate().is_ok(),
                "a task that no miner accepts"
            );
        }
    }
}

/// Interim scores of validators.
pub fn interim_scores(data: &[u8]) {
    if let Ok(signed) = SignedLiveScores::verify(data, &MESH, NOW, &AllowAll) {
        assert_eq!(signed.bytes(), data);
        let mut book = LiveScoreTable::new(signed.scores().netuid);
        book.insert(&signed, NOW);
        book.medians(|_| u64::MAX, NOW);
    }
}

/// Requests for validators' live scores, and the responses.
pub fn scores_messages(data: &[u8]) {
    if let Ok(request) = ScoresRequest::decode(data) {
        assert_eq!(request.encode().ok().as_deref(), Some(data));
    }
    if let Ok(response) = ScoresResponse::decode(data) {
        assert!(response.scores.len() <= MAX_SCORES_PAGE);
        response.scores.iter().for_each(|bytes| interim_scores(bytes));
    }
}

/// Receipts of miners.
pub fn receipt(data: &[u8]) {
    if let Ok(signed) = SignedReceipt::verify(data, &MESH) {
        assert_eq!(signed.bytes(), data);
        let mut outstanding = PendingQueries::new(signed.receipt().asker, MESH);
        assert!(outstanding.settle(data, &signed.receipt().answer, NOW).is_err(), "no query is pending");
    }
}

/// Answers that are released to a validator.
pub fn audit_case(data: &[u8]) {
    let Ok(case) = AuditCase::decode(data) else { return };
    // Floats that are not numbers have no encoding; the decoder refuses them before.
    assert!(case.encode().is_ok_and(|again| again == data), "two encodings of one case");
    if let Ok(verified) = case.clone().verify(&MESH) {
        assert_eq!(verified.case, case);
        assert!(verified.request.validate().is_ok(), "a request out of bounds");
    }
}

/// Responses to a release.
pub fn audit_response(data: &[u8]) {
    if let Ok(response) = AuditResponse::decode(data) {
        assert!(response.encode().is_ok_and(|again| again == data), "two encodings of one response");
    }
}

/// A validator's averages, as a restart finds them.
pub fn scoreboard(data: &[u8]) {
    let Ok(mut board) = MovingAverageTable::new(ScoringRules::default()) else { return };
    board.set_registered([seed::registration()]);
    if board.restore(data).is_ok() {
        assert!(board.registered().count() == 1, "only registered neurons are restored");
        assert!(board.iter().count() <= MAX_EXPERTS_OF_NEURON);
        board.weights([(Uid(0), seed::registration())]);
    }
}

/// Frames of the query plane: a byte of kind, and content.
pub fn query_frame(data: &[u8]) {
    let Some((kind, content)) = data.split_first() else { return };
    if let Ok(frame) = Frame::decode(*kind, Bytes::copy_from_slice(content)) {
        let mut again = BytesMut::new();
        assert!(frame.encode(&mut again).is_ok() && again[5..] == *content, "two encodings of one frame");
    }
}

/// Requests to experts.
pub fn expert_request(data: &[u8]) {
    if let Some(request) = canonical::<ExpertRequest>(data) {
        // Both results are fine; it must not panic.
        let _ = request.validate();
    }
}

/// Pieces of experts' answers.
pub fn expert_event(data: &[u8]) {
    // Floats that are not numbers differ from themselves, so that only decoding is checked.
    let _ = cbor::decode::<ExpertEvent>(data, Limits::new(MAX_INPUT_BYTES));
}

/// Requests to the directory.
pub fn directory_request(data: &[u8]) {
    let context = Context { mesh: &MESH, registry: &AllowAll, now: NOW };
    let answer = directory::answer(&mut Index::default(), data, &context);
    assert!(!answer.is_empty() && answer.len() <= directory::MAX_RESPONSE);
}

/// Answers of the directory.
pub fn directory_response(data: &[u8]) {
    let _ = directory::read_page(data, None);
    let _ = directory::read_published(data);
}

/// Links of invites.
pub fn invite(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(signed) = SignedInvite::parse(text) {
        let again = signed.link().unwrap_or_default();
        assert!(SignedInvite::parse(&again).is_ok_and(|read| read == signed), "a link reads back");
    }
}

/// Requests to a faucet.
pub fn faucet_request(data: &[u8]) {
    if let Some(FaucetRequest::Claim(claim)) = canonical::<FaucetRequest>(data) {
        let _ = claim.work(&MESH, &claim.owner);
    }
}

/// Responses of a faucet.
pub fn faucet_response(data: &[u8]) {
    canonical::<FaucetResponse>(data);
}

/// Requests about reachability.
pub fn reach_request(data: &[u8]) {
    canonical::<ReachRequest>(data);
}

/// Reports on it.
pub fn reach_response(data: &[u8]) {
    canonical::<ReachResponse>(data);
}

/// Requests of clients without a state.
pub fn light_request(data: &[u8]) {
    canonical::<LightRequest>(data);
    if let Ok(LightRequest::Facts(_, keys)) = LightRequest::decode(data) {
        for key in keys.iter().filter_map(|text| text.parse::<Key>().ok()) {
            assert_eq!(key.to_string().parse(), Ok(key), "a key reads back from its text");
        }
    }
}

/// Responses to clients without a state.
pub fn light_response(data: &[u8]) {
    canonical::<LightResponse>(data);
    if let Ok(LightResponse::Facts(Some(facts))) = LightResponse::decode(data) {
        for fact in facts.iter().filter_map(|fact| Fact::decode(fact).ok()) {
            // Verification must not panic on any fact.
            let _ = fact.check(&seed::root(), &Key::Chain);
        }
    }
}

/// Answers of nodes that are asked to take a transaction.
pub fn submit_response(data: &[u8]) {
    if let Ok(response) = SubmitResponse::decode(data) {
        assert_eq!(response.encode().ok().as_deref(), Some(data), "two encodings of one value");
    }
}

/// Filters over experts.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = text.parse::<Filter>() {
        assert!(error.column >= 1 && error.column <= text.chars().count() + 1, "a column outside the text");
        assert!(error.render(text).contains('^'));
    }
}

/// Short texts: capabilities, amounts, node ids. Each that parses prints as it was written, except amounts.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(capability) = text.parse::<Capability>() {
        assert_eq!(capability.to_string(), text);
    }
    if let Ok(amount) = text.parse::<Amount>() {
        assert_eq!(amount.to_string().parse::<Amount>().ok(), Some(amount));
    }
    if let Ok(node) = text.parse::<NodeId>() {
        assert_eq!(node.to_string().parse::<NodeId>().ok(), Some(node));
    }
}

/// Mesh specs.
pub fn mesh_spec(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(spec) = MeshSpec::parse(text) {
        let again = MeshSpec::parse(&spec.to_toml());
        assert!(again.is_ok_and(|again| again == spec), "a spec whose text parses to another spec");
    }
}

/// Cases of Yuma consensus.
pub fn yuma_case(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(case) = Case::parse(text) {
        // An error is a valid result.
        let _ = case.run();
    }
}

/// Transactions: the ledger applies or rejects any signed one, and the tokens add up to the issuance.
pub fn transaction(data: &[u8]) {
    let Some(transaction) = canonical::<Transaction>(data) else { return };
    let Some(mut state) = seed::state() else { return };
    let Ok(envelope) = Envelope::seal(&seed::key(), DOMAIN, &state.mesh(), &transaction) else { return };
    // One that no block may have is refused as a whole.
    let signed = Checked::new(&envelope, &state.mesh());
    let Ok(events) = state.advance(&BlockContext::default(), &[signed]) else { return };
    assert!(!events.is_empty());
    assert_eq!(state.held(), u128::from(state.issuance()), "tokens were lost or created");
}

/// Blocks.
pub fn block(data: &[u8]) {
    if let Ok(block) = Block::decode(data) {
        assert!(block.encode().is_ok_and(|again| again == data), "two encodings of one block");
        let _ = (block.header.id(), Block::transactions_hash(&block.transactions));
    }
}

/// Snapshots of the state.
pub fn snapshot(mut data: &[u8]) {
    let spec = seed::mesh();
    if let Ok(imported) = state_snapshot::read(&spec, None, &mut data) {
        let state: &LedgerState = &imported.tip.state;
        assert_eq!(state.height(), imported.tip.header.height);
    }
}

/// Proofs about the state: a length, a record, and a proof of it.
pub fn state_proof(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    let length = usize::from(u16::from_be_bytes(*length));
    let Some((record, proof)) = rest.split_at_checked(length) else { return };
    let Ok(proof) = cbor::decode::<StateProof>(proof, Limits::new(MAX_INPUT_BYTES)) else { return };
    let root = seed::root();
    // No bytes prove a record that is not in the state, or the absence of one that is.
    assert!(proof.verify_absence(&root, &Key::Chain).is_err());
    if let Ok(record) = Record::decode(record)
        && proof.verify(&root, &record).is_ok()
    {
        assert_eq!(seed::record_of(&record.key()), Some(record));
    }
}

/// Blocks with their certificates, as light clients get them.
pub fn checkpoint(data: &[u8]) {
    let Ok(checkpoint) = Checkpoint::decode(data) else { return };
    assert!(checkpoint.encode().is_ok_and(|again| again == data), "two encodings of one checkpoint");
    let Some(mut client) = seed::light_client() else { return };
    // No bytes verify except the block that the validators agreed on.
    if client.verify(&checkpoint).is_ok() {
        assert_eq!(Some(checkpoint.header), seed::next_header());
    }
}

/// Explanations of scores.
pub fn epoch_proof(data: &[u8]) {
    let Ok(proof) = EpochProof::decode(data) else { return };
    assert!(proof.encode().is_ok_and(|again| again == data), "two encodings of one explanation");
    let (Some(header), Some(honest)) = (seed::next_header(), seed::epoch_proof()) else { return };
    let about = (Netuid(1), &seed::key().node_id());
    // No bytes verify except the true explanation.
    if let Ok(score) = explain(&header, about, &proof) {
        assert_eq!(Ok(score), explain(&header, about, &honest));
    }
}

/// Proposals, votes and certificates of consensus.
pub fn consensus_message(data: &[u8]) {
    if let Ok(message) = Message::decode(data) {
        assert!(message.encode().is_ok_and(|again| again == data), "two encodings of one message");
    }
}

/// Proofs that a height is decided.
pub fn commit_certificate(data: &[u8]) {
    if let Ok(certificate) = CommitCertificate::decode(data) {
        assert!(certificate.encode().is_ok_and(|again| again == data), "two encodings of one certificate");
    }
}

/// Evidence of equivocation, which blocks carry.
pub fn equivocation(data: &[u8]) {
    if let Ok(evidence) = Equivocation::decode(data) {
        assert!(evidence.encode().is_ok_and(|again| again == data), "two encodings of one piece of evidence");
        // Only a mutation of the seed without an effect verifies.
        let _ = (evidence.verify(&MESH), evidence.culprit(), evidence.position());
    }
}

/// Entries of the write-ahead log.
pub fn consensus_log(data: &[u8]) {
    if let Ok(entry) = WalEntry::decode(data) {
        assert!(entry.encode().is_ok_and(|again| again == data), "two encodings of one entry");
    }
}
