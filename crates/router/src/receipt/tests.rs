//! Receipts that are missing, valid, and for something else.

use nervure_primitives::{NodeKey, UnixMillis};
use nervure_protocol::{AnswerHasher, Receipt};

use super::*;
use crate::fake::{FakeExpert, ms, unreachable};

const MESH: MeshId = MeshId::from_bytes([7; 32]);
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn hash(chunk: &[u8]) -> Hash {
    let mut hasher = AnswerHasher::default();
    hasher.chunk(chunk);
    hasher.finish()
}

/// A query to `miner`, and what it signs for the answer `signed`.
fn signed_for(miner: &NodeKey, asker: NodeId, signed: &[u8]) -> (AnswerReceipt, Vec<u8>) {
    let mut record = FakeExpert::new(0, unreachable()).record;
    record.node = miner.node_id();
    let query = ExpertQuery {
        record,
        body: vec![1, 2, 3].into(),
        budget: nervure_primitives::Amount::ZERO,
        timeout: ms(1_000),
        id: Hash::of("id", &[]),
    };
    let receipt = Receipt {
        netuid: query.record.netuid,
        asker,
        miner: miner.node_id(),
        query: query.id,
        request: request_hash(&query.id, &query.body),
        answer: hash(signed),
        received_at: NOW,
        took_ms: 0,
    };
    let signed = SignedReceipt::sign(miner, &MESH, receipt).unwrap();
    (AnswerReceipt::new(&query, NOW), signed.bytes().to_vec())
}

#[test]
fn a_receipt_is_for_one_query_and_its_whole_answer() {
    let (miner, asker) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]).node_id());
    let verified = |arrived: &[u8]| {
        let (mut receipt, signed) = signed_for(&miner, asker, b"one");
        receipt.complete(hash(arrived), Some(signed));
        receipt.verify(asker, MESH, NOW)
    };
    assert_eq!(verified(b"one").unwrap().receipt().miner, miner.node_id());
    assert_eq!(verified(b"two"), Err(ReceiptFault::Invalid(SettleError::Differs("answer"))));
}

#[test]
fn a_receipt_for_another_asker_is_invalid() {
    let (miner, asker) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]).node_id());
    let (mut receipt, signed) = signed_for(&miner, miner.node_id(), b"one");
    receipt.complete(hash(b"one"), Some(signed));
    let view = receipt.view(asker, MESH, NOW);
    assert!(view.receipt.is_some(), "it is shown as it came");
    assert_eq!(view.wrong.as_deref(), Some("the receipt has another asker than the query"));
}

#[test]
fn an_answer_without_a_receipt_is_said_to_have_none() {
    let (miner, asker) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]).node_id());
    let (mut receipt, _) = signed_for(&miner, asker, b"one");
    receipt.complete(hash(b"one"), None);
    assert_eq!(receipt.verify(asker, MESH, NOW), Err(ReceiptFault::Missing));
}
