//! Cases that fit their receipt, and ones that do not.

use super::*;
use crate::{
    Receipt, Sampling,
    testing::{self, MESH, key},
};

const END: (Usage, FinishReason) = (Usage { prompt_tokens: 1, completion_tokens: 4 }, FinishReason::Length);

fn text(text: &str) -> ExpertEvent {
    ExpertEvent::Text(text.into())
}

/// A case that fits its receipt.
fn case() -> AuditCase {
    let sampling = Sampling { seed: Some(7), ..Sampling::default() };
    let request = ExpertRequest::Complete { prompt: "x".into(), sampling };
    let body = body::encode_request(&request).unwrap();
    let mut answer = AnswerHasher::default();
    answer.event(&text("abcd"));
    let receipt = testing::receipt(key(1).node_id(), key(2).node_id());
    let receipt = Receipt {
        request: request_hash(&receipt.query, &body),
        answer: answer.finish(END.0, END.1),
        sampling: ReceiptSampling::of(&request),
        ..receipt
    };
    let signed = SignedReceipt::sign(&key(2), &MESH, receipt).unwrap();
    AuditCase::new(body, vec![text("ab"), text("cd")], END, signed.bytes().to_vec())
}

fn refused(change: impl FnOnce(&mut AuditCase)) -> CaseError {
    let mut case = case();
    change(&mut case);
    case.verify(&MESH).unwrap_err()
}

#[test]
fn a_case_fits_its_receipt_or_proves_nothing() {
    let verified = AuditCase::decode(&case().encode().unwrap()).unwrap().verify(&MESH).unwrap();
    assert_eq!(verified.case.text().as_deref(), Some("abcd"));
    assert_eq!(verified.receipt.receipt().sampling.unwrap().seed, Some(7));
    assert_eq!(refused(|case| case.events = vec![text("abce")]), CaseError::Differs("answer"));
    assert_eq!(refused(|case| case.reason = FinishReason::Stop), CaseError::Differs("answer"));
    assert_eq!(refused(|case| case.usage.completion_tokens = 5), CaseError::Differs("answer"));
    let other = ExpertRequest::Complete { prompt: "y".into(), sampling: Sampling::default() };
    let other = body::encode_request(&other).unwrap();
    assert_eq!(refused(|case| case.body = other), CaseError::Differs("request"));
    assert!(matches!(refused(|case| case.body = vec![0]), CaseError::Request(_)));
    assert!(matches!(refused(|case| case.receipt[9] ^= 1), CaseError::Receipt(_)));
    assert!(case().verify(&MeshId::from_bytes([9; 32])).is_err(), "of another mesh");
}

#[test]
fn a_case_that_is_too_long_is_not_sent() {
    let mut case = case();
    case.events = vec![text(&"x".repeat(MAX_AUDIT))];
    assert!(matches!(case.encode(), Err(CborError::TooLarge { .. })));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
        let _ = AuditCase::decode(&bytes).map(|case| case.verify(&MESH));
        let _ = AuditResponse::decode(&bytes);
    }
}
