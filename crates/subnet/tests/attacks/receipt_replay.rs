//! A miner shows a receipt again: for a query that it did not answer, or to a node that did not ask.
//!
//! Defence: a receipt binds asker, miner, query, request and answer, and settles a query once.

use nervure_primitives::Hash;
use nervure_protocol::{
    AnswerHasher, ExpertEvent, FinishReason, Receipt, ReceiptError, SignedReceipt, Usage, request_hash,
    testing,
};
use nervure_subnet::task::{PendingQueries, PendingQuery, SettleError};

use crate::world::{MESH, NOW, SUBNET, id, key};

const ASKER: u8 = 1;
const OTHER_ASKER: u8 = 2;
const MINER: u8 = 10;

/// Whether an asker accepts these bytes, for an answer with this hash.
type Accepts<'a> = &'a mut dyn FnMut(&[u8], &Hash) -> bool;

fn asked(number: u8) -> PendingQuery {
    let query = Hash::of("query", &[&[number]]);
    let request = request_hash(&query, b"the same words each time");
    PendingQuery { query, netuid: SUBNET, miner: id(MINER), request, sent_at: NOW }
}

fn answer() -> Hash {
    let mut hasher = AnswerHasher::default();
    hasher.event(&ExpertEvent::Text("an answer".into()));
    hasher.finish(Usage::default(), FinishReason::Stop)
}

fn receipt(asked: &PendingQuery) -> Vec<u8> {
    let receipt = Receipt {
        netuid: asked.netuid,
        query: asked.query,
        request: asked.request,
        answer: answer(),
        received_at: NOW,
        ..testing::receipt(id(ASKER), asked.miner)
    };
    SignedReceipt::sign(&key(MINER), &MESH, receipt).unwrap().bytes().to_vec()
}

/// How many of three replays of an honest receipt are accepted: for its own query again, for another query, by
/// another asker.
fn replayed(asker: Accepts<'_>, other: Accepts<'_>) -> usize {
    let first = receipt(&asked(1));
    assert!(asker(&first, &answer()), "the honest receipt is accepted");
    let again = asker(&first, &answer());
    // The second query is not answered; all that arrives is the first one's receipt.
    let for_another = asker(&first, &AnswerHasher::default().finish(Usage::default(), FinishReason::Stop));
    let elsewhere = other(&first, &answer());
    [again, for_another, elsewhere].into_iter().filter(|accepted| *accepted).count()
}

#[test]
fn a_receipt_settles_one_query_of_one_asker_once() {
    let mut tables = [ASKER, OTHER_ASKER].map(|seed| PendingQueries::new(id(seed), MESH));
    tables.iter_mut().for_each(|table| [1, 2].iter().for_each(|number| table.ask(asked(*number)).unwrap()));
    let [mut mine, mut other] = tables;
    let accepted =
        replayed(&mut |bytes, answer| mine.settle(bytes, answer, NOW).is_ok(), &mut |bytes, answer| {
            other.settle(bytes, answer, NOW).is_ok()
        });
    assert_eq!(accepted, 0);

    let signature_only = |bytes: &[u8]| SignedReceipt::verify(bytes, &MESH).is_ok();
    let accepted = replayed(&mut |bytes, _| signature_only(bytes), &mut |bytes, _| signature_only(bytes));
    assert_eq!(accepted, 3, "a signature alone proves nothing about what was asked");
}

#[test]
fn changing_any_field_breaks_the_signature() {
    let mut table = PendingQueries::new(id(ASKER), MESH);
    table.ask(asked(2)).unwrap();
    let first = receipt(&asked(1));
    // The attacker writes the second query's name over the first one's.
    let (old, new) = (asked(1).query, asked(2).query);
    let at = first.windows(32).position(|window| window == old.as_bytes()).unwrap();
    let mut forged = first;
    forged[at..at + 32].copy_from_slice(new.as_bytes());
    assert!(matches!(
        table.settle(&forged, &answer(), NOW),
        Err(SettleError::Receipt(ReceiptError::Envelope(_)))
    ));
}
