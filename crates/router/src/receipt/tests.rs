//! Receipts that are missing, valid, and for something else.

use nervure_primitives::{NodeKey, UnixMillis};
use nervure_protocol::{AnswerHasher, ExpertEvent, FinishReason, Receipt, Usage};

use super::*;
use crate::fake::{FakeExpert, ms, unreachable};

const MESH: MeshId = MeshId::from_bytes([7; 32]);
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn hash(text: &str) -> Hash {
    let mut hasher = AnswerHasher::default();
    hasher.event(&ExpertEvent::Text(text.into()));
    hasher.finish(Usage::default(), FinishReason::Stop)
}

/// The end of an answer that arrived.
fn end(arrived: &str, receipt: Option<Vec<u8>>) -> AnswerEnd {
    AnswerEnd { usage: Usage::default(), reason: FinishReason::Stop, answer: hash(arrived), receipt }
}

/// A query to `miner`, and what it signs for the answer `signed`.
fn signed_for(miner: &NodeKey, asker: NodeId, signed: &str) -> (AnswerReceipt, Vec<u8>) {
    let mut record = FakeExpert::new(0, unreachable()).record;
    record.node = miner.node_id();
    let query = ExpertQuery {
        record,
        body: vec![1, 2, 3].into(),
        budget: nervure_primitives::Amount::ZERO,
        timeout: ms(1_000),
        id: Hash::of("id", &[]),
        salt: Hash::of("salt", &[]),
        hops: 0,
    };
    let receipt = Receipt {
        netuid: query.record.netuid,
        asker,
        miner: miner.node_id(),
        query: query.id,
        request: request_hash(&query.id, &query.body),
        answer: hash(signed),
        expert: query.record.expert.clone(),
        model: query.record.model.clone(),
        identity: query.record.identity.clone(),
        sampling: None,
        received_at: NOW,
        took_ms: 0,
    };
    let signed = SignedReceipt::sign(miner, &MESH, receipt).unwrap();
    (AnswerReceipt::new(&query, NOW), signed.bytes().to_vec())
}

#[test]
fn a_receipt_is_for_one_query_and_its_whole_answer() {
    let (miner, asker) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]).node_id());
    let verified = |arrived: &str| {
        let (mut receipt, signed) = signed_for(&miner, asker, "one");
        receipt.complete(end(arrived, Some(signed)));
        receipt.verify(asker, MESH, NOW)
    };
    assert_eq!(verified("one").unwrap().receipt().miner, miner.node_id());
    assert_eq!(verified("two"), Err(ReceiptFault::Invalid(SettleError::Differs("answer"))));
}

#[test]
fn a_receipt_for_another_asker_is_invalid() {
    let (miner, asker) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]).node_id());
    let (mut receipt, signed) = signed_for(&miner, miner.node_id(), "one");
    receipt.complete(end("one", Some(signed)));
    let view = receipt.view(asker, MESH, NOW);
    assert!(view.receipt.is_some(), "it is shown as it came");
    assert_eq!(view.wrong.as_deref(), Some("the receipt has another asker than the query"));
}

#[test]
fn an_answer_without_a_receipt_is_said_to_have_none() {
    let (miner, asker) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]).node_id());
    let (mut receipt, _) = signed_for(&miner, asker, "one");
    receipt.complete(end("one", None));
    assert_eq!(receipt.verify(asker, MESH, NOW), Err(ReceiptFault::Missing));
}

#[test]
fn a_receipt_for_another_model_than_the_record_names_is_invalid() {
    let (miner, asker) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]).node_id());
    let verified = |change: fn(&mut ExpertRecord)| {
        let (mut receipt, signed) = signed_for(&miner, asker, "one");
        change(&mut receipt.record);
        receipt.complete(end("one", Some(signed)));
        receipt.verify(asker, MESH, NOW).map(|_| ())
    };
    assert_eq!(verified(|_| {}), Ok(()));
    let differs = |what| Err(ReceiptFault::Invalid(SettleError::Differs(what)));
    assert_eq!(verified(|record| record.model = "another".into()), differs("model"));
    let digest = |record: &mut ExpertRecord| record.identity.digest = Some("sha256:00".into());
    assert_eq!(verified(digest), differs("model identity"));
    assert_eq!(verified(|record| record.expert = "another".into()), differs("expert"));
}
