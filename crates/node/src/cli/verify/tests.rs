//! Answers that a node in between changed, and old ones with their receipts.

use nervure_primitives::{Netuid, NodeKey, UnixMillis};
use nervure_protocol::{ModelIdentity, Sampling, Usage};

use super::*;
use nervure_api::{RouteView, Strategy};

const MESH: MeshId = MeshId::from_bytes([7; 32]);
const USAGE: Usage = Usage { prompt_tokens: 1, completion_tokens: 3 };

/// A node that answers, and everything that it may change.
struct Played {
    /// The request that the user sends.
    asked: ExpertRequest,
    /// The nonce of the user, and that of the query that was answered.
    nonces: [Hash; 2],
    /// The pieces of the answer as they are shown.
    shown: Vec<&'static str>,
    end: FinishReason,
    /// The node and the digest that the route names.
    expert: u8,
    digest: &'static str,
}

impl Default for Played {
    /// All as the expert signed it.
    fn default() -> Self {
        Self {
            asked: request("x"),
            nonces: [nonce(1); 2],
            shown: vec!["one"],
            end: FinishReason::Stop,
            expert: 1,
            digest: "sha256:aa",
        }
    }
}

fn nonce(number: u8) -> Hash {
    Hash::from_bytes([number; 32])
}

fn request(prompt: &str) -> ExpertRequest {
    ExpertRequest::Complete { prompt: prompt.into(), sampling: Sampling::default() }
}

fn identity(digest: &str) -> ModelIdentity {
    ModelIdentity { digest: Some(digest.into()), ..ModelIdentity::default() }
}

/// The receipt for the answer "one" to "x" with the seed 7, which the asking node drew.
fn receipt(query: Hash) -> Receipt {
    let seeded = request("x").with_seed(7);
    let mut answer = AnswerHasher::default();
    answer.event(&ExpertEvent::Text("one".into()));
    Receipt {
        netuid: Netuid(1),
        asker: NodeKey::from_seed(&[2; 32]).node_id(),
        miner: NodeKey::from_seed(&[1; 32]).node_id(),
        query,
        request: request_hash(&query, &body::encode_request(&seeded).unwrap()),
        answer: answer.finish(USAGE, FinishReason::Stop),
        expert: "e".into(),
        model: "m".into(),
        identity: identity("sha256:aa"),
        sampling: ReceiptSampling::of(&seeded),
        received_at: UnixMillis(1),
        took_ms: 1,
    }
}

fn route() -> RouteView {
    RouteView { strategy: Strategy::Best.to_string(), candidates: 1, tried: 1, ..RouteView::default() }
}

/// What the user's program says of it.
fn verified(played: Played) -> Result<(), ReceiptCheckError> {
    let salt = nonce(9);
    let query = query_name(Some(&played.nonces[1]), &salt);
    let signed = SignedReceipt::sign(&NodeKey::from_seed(&[1; 32]), &MESH, receipt(query)).unwrap();
    let mut witness = Witness::new(Some(MESH), &played.asked, played.nonces[0]).unwrap();
    let expert: ExpertView = serde_json::from_value(serde_json::json!({
        "node": NodeKey::from_seed(&[played.expert; 32]).node_id(), "netuid": 1, "expert": "e",
        "capability": "text", "model": "m", "identity": { "digest": played.digest }, "context": 1, "max_output": 1,
        "price": 0, "byte_level": true, "load": 0, "relayed": false, "expires_in_ms": 1,
    }))
    .unwrap();
    witness.record(&AskLine::Route { expert, route: route() });
    for text in played.shown {
        witness.record(&AskLine::Text { text: text.into() });
    }
    let Receipt { asker, miner, netuid, .. } = *signed.receipt();
    let receipt = Some(HEXLOWER.encode(signed.bytes()));
    let receipt = ReceiptView {
        asker,
        node: miner,
        netuid,
        query,
        salt,
        usage: Some(USAGE),
        reason: Some(FinishReason::Stop),
        receipt,
        wrong: None,
    };
    witness.record(&AskLine::Receipt { receipt });
    witness.record(&AskLine::Done { usage: USAGE, reason: played.end });
    witness.verify().map(|_| ())
}

fn differs(what: &'static str) -> Result<(), ReceiptCheckError> {
    Err(ReceiptCheckError::Differs(what))
}

#[test]
fn detects_what_a_node_in_between_changes() {
    assert_eq!(verified(Played::default()), Ok(()));
    assert_eq!(verified(Played { asked: request("y"), ..Played::default() }), differs("question"));
    assert_eq!(verified(Played { shown: vec!["two"], ..Played::default() }), differs("answer"));
    assert_eq!(verified(Played { expert: 3, ..Played::default() }), differs("expert"));
    let warmer = request("x").with_seed(8);
    assert_eq!(verified(Played { asked: warmer, ..Played::default() }), differs("sampling"));
}

#[test]
fn a_truncated_answer_is_detected_wherever_it_is_cut() {
    assert_eq!(verified(Played { shown: vec!["on"], ..Played::default() }), differs("answer"));
    let cut = Played { shown: vec!["on"], end: FinishReason::Length, ..Played::default() };
    assert_eq!(verified(cut), differs("answer"));
    assert_eq!(verified(Played { end: FinishReason::Length, ..Played::default() }), differs("answer"));
}

#[test]
fn the_borders_of_pieces_do_not_matter() {
    assert_eq!(verified(Played { shown: vec!["o", "n", "e"], ..Played::default() }), Ok(()));
}

#[test]
fn an_old_answer_with_its_receipt_is_detected_by_the_nonce() {
    let old = || Played { nonces: [nonce(2), nonce(1)], ..Played::default() };
    assert_eq!(verified(old()), differs("nonce"));
    // Without the nonce of this question the old answer is as good as a new one.
    assert_eq!(verified(Played { nonces: [nonce(1), nonce(1)], ..old() }), Ok(()));
}

#[test]
fn an_expert_that_signs_for_another_model_than_its_record_names_is_detected() {
    assert_eq!(verified(Played { digest: "sha256:bb", ..Played::default() }), differs("model identity"));
}

#[test]
fn refuses_an_answer_without_a_receipt() {
    let witness = Witness::new(Some(MESH), &request("x"), nonce(1)).unwrap();
    assert_eq!(witness.verify().map(|_| ()), Err(ReceiptCheckError::Missing));
}
