//! Collecting attestations.

use super::*;

fn attest(n: u8, checkpoint: &AnchorCheckpoint) -> Attestation {
    Attestation::sign(&key(n), checkpoint, &DOMAIN, &four().hash())
}

#[test]
fn more_than_two_thirds_make_a_submission_with_no_surplus_signature() {
    let (one, mut signatures) =
        (checkpoint(5, &four()), AttestationSet::new(DOMAIN, checkpoint(5, &four()), four()));
    for n in [4, 1] {
        assert_eq!(signatures.add(&attest(n, &one)), Ok(true));
        assert_eq!(signatures.add(&attest(n, &one)), Ok(false), "already known");
        assert_eq!(signatures.submission(), None);
    }
    assert_eq!(signatures.add(&attest(2, &one)), Ok(true));
    let submission = signatures.submission().unwrap();
    assert_eq!(submission.verify(&DOMAIN), Ok(()));
    signatures.add(&attest(3, &one)).unwrap();
    assert_eq!(signatures.submission().unwrap().signatures.len(), 3);
    assert_eq!(signatures.attestations().count(), 4);
}

#[test]
fn the_most_powerful_signatures_are_used() {
    let set = set(&[(1, 1), (2, 90), (3, 9)]);
    let one = checkpoint(5, &set);
    let mut signatures = AttestationSet::new(DOMAIN, one.clone(), set.clone());
    for n in [1, 2, 3] {
        signatures.add(&Attestation::sign(&key(n), &one, &DOMAIN, &set.hash())).unwrap();
    }
    let submission = signatures.submission().unwrap();
    let digest = one.digest(&DOMAIN, &set.hash());
    let signers: Vec<_> = submission.signatures.iter().map(|one| one.signer(&digest).unwrap()).collect();
    assert_eq!(signers, [key(2).address()]);
}

#[test]
fn refuses_attestations_by_others_or_for_others() {
    let (one, other) = (checkpoint(5, &four()), checkpoint(6, &four()));
    let mut signatures = AttestationSet::new(DOMAIN, one.clone(), four());
    let mut refused = |attestation: Attestation| signatures.add(&attestation).unwrap_err();
    assert_eq!(refused(attest(1, &other)), AttestationError::OtherCheckpoint(other.id()));
    assert_eq!(refused(attest(9, &one)), AttestationError::UnknownSigner(key(9).address()));
    let forged = Attestation { signer: key(1).address(), ..attest(2, &one) };
    assert_eq!(refused(forged), AttestationError::Signature(key(1).address()));
    let elsewhere = AnchorDomain { chain: 1, ..DOMAIN };
    let elsewhere = Attestation::sign(&key(1), &one, &elsewhere, &four().hash());
    assert_eq!(refused(elsewhere), AttestationError::Signature(key(1).address()));
    let as_another_set = Attestation::sign(&key(1), &one, &DOMAIN, &set(&[(1, 1)]).hash());
    assert_eq!(refused(as_another_set), AttestationError::Signature(key(1).address()));
}

#[test]
fn bytes_round_trip_within_their_bounds() {
    let attestation = attest(1, &checkpoint(u64::MAX, &four()));
    let bytes = attestation.encode().unwrap();
    assert!(bytes.len() <= MAX_ATTESTATION_LEN, "{}", bytes.len());
    assert_eq!(Attestation::decode(&bytes), Ok(attestation));

    let root = Hash::from_bytes([9; 32]);
    let metagraphs = (0..MAX_METAGRAPHS as u16).map(|n| MetagraphRoot {
        netuid: Netuid(n + 9_000),
        epoch: u64::MAX,
        root,
    });
    let block = AnchoredBlock { mesh: MESH, height: BlockHeight(u64::MAX), block: root, state: root };
    let checkpoint = AnchorCheckpoint::new(block, metagraphs.collect(), root).unwrap();
    let bytes = checkpoint.encode().unwrap();
    assert!(bytes.len() <= MAX_CHECKPOINT_LEN, "{}", bytes.len());
    assert_eq!(AnchorCheckpoint::decode(&bytes), Ok(checkpoint.clone()));

    let members = (1..=64).map(|n| (AnchorAddress::from_bytes([n; 20]), (1 << 54) - 1));
    let validators = AnchorSet::new(members).unwrap();
    let signatures = vec![AnchorSignature::from_bytes([9; 64]); 64];
    let largest = Submission { checkpoint, validators, signatures };
    let bytes = largest.encode().unwrap();
    assert!(bytes.len() <= MAX_SUBMISSION_LEN, "{}", bytes.len());
    assert_eq!(Submission::decode(&bytes), Ok(largest));
}

#[test]
fn a_checkpoint_is_sorted_and_names_the_next_validators() {
    let root = Hash::from_bytes([9; 32]);
    let block = AnchoredBlock { mesh: MESH, height: BlockHeight(1), block: root, state: root };
    let with = |netuids: &[u16], next| {
        let metagraph = |netuid: &u16| MetagraphRoot { netuid: Netuid(*netuid), epoch: 1, root };
        AnchorCheckpoint::new(block, netuids.iter().map(metagraph).collect(), next).map(|_| ())
    };
    assert_eq!(with(&[1, 2], root), Ok(()));
    assert_eq!(with(&[1, 1], root), Err(CheckpointError::Unsorted(Netuid(1))));
    assert_eq!(with(&[2, 1], root), Err(CheckpointError::Unsorted(Netuid(1))));
    assert_eq!(with(&[1], Hash::from_bytes([0; 32])), Err(CheckpointError::NoNextValidators));
    let many: Vec<u16> = (0..=256).collect();
    assert_eq!(with(&many, root), Err(CheckpointError::TooMany(257)));
}

/// The values that the contract computes (`digest`, `checkpointId`, `hashValidators`); a change of one of these makes
/// every deployed contract worthless for the mesh.
#[test]
fn the_signed_digest_is_frozen() {
    let one = checkpoint(5, &four());
    let digest = Hash::from_bytes(one.digest(&DOMAIN, &four().hash()));
    let frozen = [FROZEN_SET, FROZEN_ID, FROZEN_DIGEST].map(|text| text.parse().unwrap());
    assert_eq!([four().hash(), one.id(), digest], frozen);
}

const FROZEN_SET: &str = "1f9a1839ecd7af3af06827c4241a49763e83b688238363a8b8a3a6f0475acf09";
const FROZEN_ID: &str = "eba80c056256704730a8df4530247d26db023985134bf8d310ad9ad690d4f7ef";
const FROZEN_DIGEST: &str = "bc8c12de48b6c2398fae850c39fd65510cd478ccfdfdaa89b8328b47638b5332";
