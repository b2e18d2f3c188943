//! The bytes of the messages, frozen, and their bounds.
//!
//! `NERVURE_WRITE_FIXTURES=1 cargo test -p nervure-anchor` writes `fixtures/`. A file that changes is another protocol,
//! which needs another name.

use std::{fs, path::PathBuf};

use super::*;

/// Compares `bytes` with the fixture called `name`, in lower-case hex.
fn frozen(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{name}.hex"));
    let hex = data_encoding::HEXLOWER.encode(bytes) + "\n";
    if std::env::var_os("NERVURE_WRITE_FIXTURES").is_some() {
        return fs::write(path, hex).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), hex, "{name} has other bytes");
}

fn signed(height: u64) -> Submission {
    submission(&checkpoint(height, &four()), &four(), &[1, 2, 3])
}

#[test]
fn attestations_are_frozen() {
    let attestation = Attestation::sign(&key(1), &checkpoint(5, &four()), &DOMAIN, &four().hash());
    frozen("attestation", &attestation.encode().unwrap());
    assert_eq!(Attestation::decode(&attestation.encode().unwrap()).unwrap(), attestation);
    let message = AttestationMessage { domain: DOMAIN, attestation, number: 258 };
    frozen("attestation_message", &message.encode().unwrap());
    assert_eq!(AttestationMessage::decode(&message.encode().unwrap()), Ok(message));
}

#[test]
fn submissions_are_frozen() {
    let request = SubmissionsRequest { domain: DOMAIN, from: BlockHeight(7) };
    frozen("submissions_request", &request.encode().unwrap());
    assert_eq!(SubmissionsRequest::decode(&request.encode().unwrap()), Ok(request));
    frozen("submission", &signed(5).encode().unwrap());
    let mut response = SubmissionsResponse::default();
    frozen("submissions_response_empty", &response.encode().unwrap());
    assert!(response.push(&signed(5)).unwrap() && response.push(&signed(6)).unwrap());
    frozen("submissions_response", &response.encode().unwrap());
    let decoded = SubmissionsResponse::decode(&response.encode().unwrap()).unwrap();
    assert_eq!(decoded.submissions().unwrap(), [signed(5), signed(6)]);
}

#[test]
fn the_longest_messages_fit_their_bounds() {
    let domain = AnchorDomain { chain: u64::MAX, contract: AnchorAddress::from_bytes([255; 20]) };
    let attestation = Attestation {
        checkpoint: Hash::from_bytes([255; 32]),
        signer: AnchorAddress::from_bytes([255; 20]),
        signature: AnchorSignature::from_bytes([255; 64]),
    };
    let message = AttestationMessage { domain, attestation, number: u16::MAX };
    assert_eq!(AttestationMessage::decode(&message.encode().unwrap()), Ok(message));
    let request = SubmissionsRequest { domain, from: BlockHeight(u64::MAX) };
    assert_eq!(SubmissionsRequest::decode(&request.encode().unwrap()), Ok(request));
}

#[test]
fn a_response_takes_what_fits_and_no_more() {
    let mut response = SubmissionsResponse::default();
    let pushed = (5..100).take_while(|height| response.push(&signed(*height)).unwrap()).count();
    assert_eq!(pushed, MAX_SUBMISSIONS);
    assert!(response.encode().unwrap().len() <= MAX_SUBMISSIONS_RESPONSE_LEN);
    let many: Vec<(u8, u64)> = (1..=64).map(|n| (n, 10)).collect();
    let all: Vec<u8> = (1..=64).collect();
    let large = submission(&checkpoint(5, &set(&many)), &set(&many), &all);
    let mut response = SubmissionsResponse::default();
    while response.push(&large).unwrap() {}
    let encoded = response.encode().unwrap();
    let found = SubmissionsResponse::decode(&encoded).unwrap().submissions().unwrap();
    assert!((16..MAX_SUBMISSIONS).contains(&found.len()), "{} submissions of the largest size", found.len());
}

#[test]
fn a_response_with_a_submission_that_does_not_decode_is_refused_whole() {
    let bad = nervure_primitives::cbor::encode(&vec![serde_bytes::ByteBuf::from(vec![0xff])]).unwrap();
    assert!(SubmissionsResponse::decode(&bad).unwrap().submissions().is_err());
}

proptest::proptest! {
    #[test]
    fn decoding_never_panics(bytes: Vec<u8>) {
        let _ = (AttestationMessage::decode(&bytes), SubmissionsRequest::decode(&bytes));
        let _ = SubmissionsResponse::decode(&bytes).map(|response| response.submissions().is_ok());
    }
}
