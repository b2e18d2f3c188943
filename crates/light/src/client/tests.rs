//! The light client on a small chain whose validators change.

use nervure_consensus::{
    checkpoint::SignatureList,
    statement::{Round, SignedStatement},
};
use nervure_ledger::block::PROTOCOL_VERSION;
use nervure_primitives::{NodeId, NodeKey, UnixMillis};

use super::*;

const MESH: MeshId = MeshId::from_bytes([3; 32]);

fn key(n: u8) -> NodeKey {
    NodeKey::from_seed(&[n; 32])
}

/// Four validators from `first` on: heights 1 and 2 have 1 to 4, height 3 has 2 to 5, and so on.
fn set(first: u8) -> ValidatorSet {
    ValidatorSet::from_stakes((first..first + 4).map(|n| (key(n).node_id(), u64::from(n)))).unwrap()
}

fn first_of(height: u64) -> u8 {
    u8::try_from(height.max(2) - 1).unwrap()
}

fn header(height: u64, parent: Hash, validators: &ValidatorSet, next: &ValidatorSet) -> Header {
    let nothing = Hash::of("nothing", &[]);
    let (validators, next_validators) = (validators.hash(), next.hash());
    let height = BlockHeight(height);
    Header {
        version: PROTOCOL_VERSION,
        mesh: MESH,
        height,
        parent,
        time: UnixMillis(0),
        proposer: NodeId::from_bytes([0; 32]),
        last_commit: nothing,
        transactions: nothing,
        state: nothing,
        validators,
        next_validators,
    }
}

/// A block of the validators from `first` on, which all sign.
fn signed(header: Header, first: u8, next_validators: Option<ValidatorSet>) -> Checkpoint {
    let mut certificate = CommitCertificate {
        height: header.height,
        round: Round(0),
        value: header.id(),
        signatures: SignatureList::default(),
    };
    certificate.signatures = signatures(&certificate, first..first + 4);
    Checkpoint { header, certificate, validators: set(first), next_validators }
}

fn signatures(certificate: &CommitCertificate, signers: impl IntoIterator<Item = u8>) -> SignatureList {
    let votes =
        signers.into_iter().map(|n| SignedStatement::sign(&key(n), &MESH, certificate.vote()).unwrap());
    SignatureList::collect(votes.map(|vote| (vote.signer, vote.signature))).unwrap()
}

fn other_hash() -> Hash {
    Hash::of("other", &[])
}

/// Genesis and five blocks on top of it.
fn chain() -> (Header, Vec<Checkpoint>) {
    let genesis = header(0, Hash::of("zero", &[]), &set(1), &set(1));
    let mut parent = genesis.id();
    let mut blocks = Vec::new();
    for height in 1..=5 {
        let (now, next) = (set(first_of(height)), set(first_of(height + 1)));
        let block = header(height, parent, &now, &next);
        parent = block.id();
        let changed = (now != next).then_some(next);
        blocks.push(signed(block, first_of(height), changed));
    }
    (genesis, blocks)
}

fn trusting(genesis: &Header) -> LightClient {
    LightClient::trusting(genesis, set(1)).unwrap()
}

#[test]
fn follows_the_validators_from_genesis() {
    let (genesis, blocks) = chain();
    let mut client = trusting(&genesis);
    blocks.iter().try_for_each(|block| client.verify(block)).unwrap();
    assert_eq!((client.height(), client.id()), (BlockHeight(5), blocks[4].header.id()));
    assert_eq!(client.next_validators(), &set(first_of(6)));
}

#[test]
fn refuses_headers_that_do_not_follow() {
    let (genesis, blocks) = chain();
    let refused = |change: fn(&mut Checkpoint)| {
        let mut client = trusting(&genesis);
        client.verify(&blocks[0]).unwrap();
        let mut block = blocks[1].clone();
        change(&mut block);
        let before = client.clone();
        let error = client.verify(&block).unwrap_err();
        assert_eq!(client, before, "a refusal changes nothing");
        error
    };
    let two = BlockHeight(2);
    assert_eq!(refused(|b| b.header.parent = other_hash()), LightClientError::Parent(two));
    assert_eq!(refused(|b| b.header.validators = set(9).hash()), LightClientError::Validators(two));
    assert_eq!(refused(|b| b.validators = set(9)), LightClientError::Validators(two));
    assert_eq!(refused(|b| b.certificate.value = other_hash()), LightClientError::OtherBlock(two));
    assert_eq!(refused(|b| b.header.mesh = MeshId::from_bytes([4; 32])), LightClientError::OtherBlock(two));
    assert_eq!(refused(|b| b.next_validators = None), LightClientError::NextValidators(two));
    assert_eq!(refused(|b| b.next_validators = Some(set(9))), LightClientError::NextValidators(two));
    let unsigned = refused(|b| b.certificate.signatures = SignatureList::default());
    assert!(unsigned.is_too_far(), "{unsigned}");
    assert!(LightClient::trusting(&genesis, set(2)).is_err());
}

#[test]
fn the_next_validators_cannot_sign_for_this_height() {
    let (genesis, blocks) = chain();
    let mut client = trusting(&genesis);
    client.verify(&blocks[0]).unwrap();
    let mut usurped = blocks[1].clone();
    usurped.certificate.signatures = signatures(&usurped.certificate, 2..=5);
    let error = client.verify(&usurped).unwrap_err();
    assert!(matches!(error, LightClientError::Certificate(CertificateError::UnknownSigner(_))), "{error}");
}

#[test]
fn skips_as_far_as_two_thirds_of_the_trusted_power_signed() {
    let (genesis, blocks) = chain();
    let mut client = trusting(&genesis);
    // Height 3 has 2 to 5: of 1 to 4, nine tenths of the power signed it. Height 4 has 3 to 6: seven tenths.
    client.verify(&blocks[2]).unwrap();
    assert_eq!((client.height(), client.next_validators()), (BlockHeight(3), &set(3)));
    let mut client = trusting(&genesis);
    client.verify(&blocks[3]).unwrap();
    // Height 5 has 4 to 7: four tenths are not enough, and one between is.
    let mut client = trusting(&genesis);
    let far = client.verify(&blocks[4]).unwrap_err();
    assert_eq!(far, LightClientError::TooFar { height: BlockHeight(5), signed: 4, total: 10 });
    assert_eq!(client, trusting(&genesis), "a refusal changes nothing");
    client.verify(&blocks[2]).unwrap();
    client.verify(&blocks[4]).unwrap();
    assert_eq!(client.id(), blocks[4].header.id());
    assert!(matches!(client.verify(&blocks[4]), Err(LightClientError::NotLater { .. })));
}

/// Former validators, none of which is a validator today, sign a block of their own.
#[test]
fn refuses_to_skip_to_a_block_of_unknown_validators() {
    let (genesis, blocks) = chain();
    let mut client = trusting(&genesis);
    let forged = signed(header(4, blocks[2].header.id(), &set(9), &set(9)), 9, None);
    assert!(client.verify(&forged).unwrap_err().is_too_far());
    assert_eq!(forged.certificate.verify(&set(9), &MESH), Ok(()), "no other rule would have refused it");
    // Their signatures next to those of the trusted do not make them validators.
    let mut mixed = forged.clone();
    mixed.certificate.signatures = signatures(&forged.certificate, (1..=4).chain(9..=12));
    let error = client.verify(&mixed).unwrap_err();
    assert!(matches!(error, LightClientError::Certificate(CertificateError::UnknownSigner(_))), "{error}");
}

#[test]
fn a_step_to_the_next_height_is_never_less_strict() {
    let (genesis, blocks) = chain();
    let mut client = trusting(&genesis);
    let orphan = header(1, other_hash(), &set(1), &set(1));
    assert_eq!(client.verify(&signed(orphan, 1, None)), Err(LightClientError::Parent(BlockHeight(1))));
    let usurped = header(1, genesis.id(), &set(2), &set(2));
    assert_eq!(client.verify(&signed(usurped, 2, None)), Err(LightClientError::Validators(BlockHeight(1))));
    let mut unsigned = blocks[2].clone();
    let rest = unsigned.certificate.signatures.iter().skip(2).cloned().collect::<Vec<_>>();
    unsigned.certificate.signatures = SignatureList::collect(rest).unwrap();
    assert!(client.verify(&unsigned).is_err());
}

/// The id of a block covers its header alone: a source could put any signers and any validators beside the header of a
/// trusted block.
#[test]
fn everything_in_a_checkpoint_belongs_to_its_header() {
    let (_, blocks) = chain();
    let honest = &blocks[2];
    LightClient::check_contents(honest).unwrap();
    let height = honest.header.height;
    let lie = |change: fn(&mut Checkpoint)| {
        let mut checkpoint = honest.clone();
        change(&mut checkpoint);
        assert_eq!(checkpoint.header.id(), honest.header.id());
        LightClient::check_contents(&checkpoint).unwrap_err()
    };
    let validators = lie(|checkpoint| checkpoint.validators = set(9));
    assert!(matches!(validators, LightClientError::Validators(at) if at == height), "{validators:?}");
    let next = lie(|checkpoint| checkpoint.next_validators = Some(set(9)));
    assert!(matches!(next, LightClientError::NextValidators(at) if at == height), "{next:?}");
    let other = lie(|checkpoint| checkpoint.certificate.value = other_hash());
    assert!(matches!(other, LightClientError::OtherBlock(at) if at == height), "{other:?}");
    let unsigned = lie(|checkpoint| checkpoint.certificate.signatures = SignatureList::default());
    assert!(matches!(unsigned, LightClientError::Certificate(_)), "{unsigned:?}");
}
