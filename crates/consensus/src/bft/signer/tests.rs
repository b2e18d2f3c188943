//! The signer under every order of requests.

use nervure_primitives::{
    Hash,
    cbor::{self, Limits},
};
use proptest::prelude::*;

use super::*;
use crate::bft::{Round, Vote, VoteKind};

const MESH: MeshId = MeshId::from_bytes([3; 32]);

fn signer(record: SignerRecord) -> Signer {
    Signer::new(NodeKey::from_seed(&[1; 32]), MESH, record)
}

fn vote(height: u64, round: u32, kind: VoteKind, value: u8) -> Vote {
    let value = (value > 0).then(|| Hash::of("t", &[&[value]]));
    Vote { height: BlockHeight(height), round: Round(round), kind, value }
}

#[test]
fn signs_each_position_once() {
    let mut signer = signer(SignerRecord::default());
    let first = signer.sign(vote(5, 0, VoteKind::Prevote, 1)).unwrap();
    assert_eq!(signer.sign(first.statement).unwrap(), first, "the same statement has the same bytes");
    assert!(matches!(signer.sign(vote(5, 0, VoteKind::Prevote, 2)), Err(SignError::AlreadySigned(_))));
    assert!(matches!(signer.sign(vote(4, 9, VoteKind::Precommit, 1)), Err(SignError::AlreadySigned(_))));
    signer.sign(vote(5, 0, VoteKind::Precommit, 2)).unwrap();
    assert!(
        signer.sign(first.statement).is_err(),
        "below the high-water mark even the same statement is refused"
    );
}

#[test]
fn a_changed_record_is_returned_once() {
    let mut signer = signer(SignerRecord::default());
    signer.sign(vote(5, 0, VoteKind::Prevote, 1)).unwrap();
    let record = signer.take_changed_record().unwrap();
    assert_eq!((record, signer.take_changed_record()), (signer.record(), None));
    signer.sign(vote(5, 0, VoteKind::Prevote, 1)).unwrap();
    assert_eq!(signer.take_changed_record(), None, "nothing changed");
    let bytes = cbor::encode(&record).unwrap();
    assert_eq!(cbor::decode::<SignerRecord>(&bytes, Limits::new(512)).unwrap(), record);
}

#[test]
fn a_later_own_signature_suspends_an_old_record() {
    let mut now = signer(SignerRecord::default());
    now.sign(vote(5, 0, VoteKind::Prevote, 1)).unwrap();
    let backup = now.record();
    let later = now.sign(vote(9, 3, VoteKind::Precommit, 1)).unwrap();

    let mut restored = signer(backup);
    assert_eq!(restored.check_own_signature(later.into()), OwnSignatureCheck::Newer);
    assert_eq!(restored.sign(vote(9, 4, VoteKind::Prevote, 2)), Err(SignError::Suspended(BlockHeight(9))));
    let again = signer(restored.record());
    assert!(!again.may_sign_at(BlockHeight(9)) && again.may_sign_at(BlockHeight(10)), "survives a restart");
}

#[test]
fn detects_a_key_used_twice() {
    let mut signer = signer(SignerRecord::default());
    signer.sign(vote(5, 0, VoteKind::Prevote, 1)).unwrap();
    let by_us = |vote| {
        HighWaterMark::from(SignedStatement::sign(&NodeKey::from_seed(&[1; 32]), &MESH, vote).unwrap())
    };
    assert_eq!(signer.check_own_signature(by_us(vote(5, 0, VoteKind::Prevote, 1))), OwnSignatureCheck::Known);
    assert_eq!(signer.check_own_signature(by_us(vote(4, 0, VoteKind::Prevote, 2))), OwnSignatureCheck::Known);
    assert_eq!(
        signer.check_own_signature(by_us(vote(5, 0, VoteKind::Prevote, 2))),
        OwnSignatureCheck::Conflict
    );
    assert!(!signer.may_sign_at(BlockHeight(5)));
}

#[test]
fn signs_nothing_while_listening() {
    let mut signer = signer(SignerRecord::default());
    signer.set_listening(true);
    assert_eq!(signer.sign(vote(5, 0, VoteKind::Prevote, 1)), Err(SignError::Listening));
    signer.set_listening(false);
    assert!(signer.sign(vote(5, 0, VoteKind::Prevote, 1)).is_ok());
}

proptest! {
    /// For all requests, and across restarts from the saved record, no two different statements are
    /// signed at one position.
    #[test]
    fn never_signs_a_position_twice(requests in proptest::collection::vec((0u64..3, 0u32..3, any::<bool>(), 0u8..3, any::<bool>()), 0..60)) {
        let mut signer = signer(SignerRecord::default());
        let mut signed = std::collections::BTreeMap::new();
        for (height, round, kind, value, restart) in requests {
            let kind = if kind { VoteKind::Prevote } else { VoteKind::Precommit };
            let vote = vote(height, round, kind, value);
            if signer.sign(vote).is_ok() {
                let before = *signed.entry(vote.position()).or_insert(vote);
                prop_assert_eq!(before, vote);
            }
            if restart {
                signer = self::signer(signer.record());
            }
        }
    }
}
