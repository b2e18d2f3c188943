//! The light client on a small chain whose validators change.

use nervure_primitives::NodeKey;

use super::*;
use crate::{
    bft::{Round, SignedStatement},
    checkpoint::SignatureList,
};

const MESH: MeshId = MeshId::from_bytes([3; 32]);

#[derive(Clone, Debug)]
struct Block {
    height: u64,
    parent: Hash,
    validators: Hash,
    next: Hash,
}

impl Header for Block {
    fn id(&self) -> Hash {
        let (height, parent) = (self.height.to_be_bytes(), self.parent);
        let parts: [&[u8]; 4] =
            [&height, parent.as_bytes(), self.validators.as_bytes(), self.next.as_bytes()];
        Hash::of("block", &parts)
    }
    fn height(&self) -> BlockHeight {
        BlockHeight(self.height)
    }
    fn parent(&self) -> Hash {
        self.parent
    }
    fn validators_hash(&self) -> Hash {
        self.validators
    }
    fn next_validators_hash(&self) -> Hash {
        self.next
    }
}

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

fn signed(header: Block, first: u8, next: Option<ValidatorSet>) -> SignedHeader<Block> {
    let mut certificate = CommitCertificate {
        height: header.height(),
        round: Round(0),
        value: header.id(),
        signatures: SignatureList::default(),
    };
    let votes =
        (first..first + 4).map(|n| SignedStatement::sign(&key(n), &MESH, certificate.vote()).unwrap());
    certificate.signatures = SignatureList::collect(votes.map(|vote| (vote.signer, vote.signature))).unwrap();
    SignedHeader { header, certificate, next_validators: next }
}

/// Genesis and five blocks on top of it.
fn chain() -> (Block, Vec<SignedHeader<Block>>) {
    let zero = Hash::of("zero", &[]);
    let genesis = Block { height: 0, parent: zero, validators: set(1).hash(), next: set(1).hash() };
    let mut parent = genesis.id();
    let mut steps = Vec::new();
    for height in 1..=5 {
        let (now, next) = (set(first_of(height)), set(first_of(height + 1)));
        let block = Block { height, parent, validators: now.hash(), next: next.hash() };
        parent = block.id();
        let changed = (now != next).then_some(next);
        steps.push(signed(block, first_of(height), changed));
    }
    (genesis, steps)
}

#[test]
fn follows_the_validators_from_genesis() {
    let (genesis, steps) = chain();
    let mut client = LightClient::trusting(MESH, &genesis, set(1)).unwrap();
    client.follow(&steps).unwrap();
    assert_eq!((client.height(), client.id()), (BlockHeight(5), steps[4].header.id()));
    assert_eq!(client.next_validators(), &set(first_of(6)));
}

#[test]
fn refuses_what_does_not_follow() {
    let (genesis, steps) = chain();
    let start = || LightClient::trusting(MESH, &genesis, set(1)).unwrap();
    let refused = |change: fn(&mut SignedHeader<Block>)| {
        let mut client = start();
        client.advance(&steps[0]).unwrap();
        let mut step = steps[1].clone();
        change(&mut step);
        let before = client.clone();
        let error = client.advance(&step).unwrap_err();
        assert_eq!(client, before, "a refusal changes nothing");
        error
    };
    let two = BlockHeight(2);
    assert!(matches!(refused(|s| s.header.height = 3), LightError::Height { .. }));
    assert_eq!(refused(|s| s.header.parent = Hash::of("other", &[])), LightError::Parent(two));
    assert_eq!(refused(|s| s.header.validators = set(9).hash()), LightError::Validators(two));
    assert_eq!(refused(|s| s.certificate.value = Hash::of("other", &[])), LightError::OtherBlock(two));
    assert_eq!(refused(|s| s.next_validators = None), LightError::NextValidators(two));
    assert_eq!(refused(|s| s.next_validators = Some(set(9))), LightError::NextValidators(two));
    let unsigned = refused(|s| s.certificate.signatures = SignatureList::default());
    assert!(matches!(unsigned, LightError::Certificate(CertificateError::TooLittlePower { .. })));
    assert!(LightClient::trusting(MESH, &genesis, set(2)).is_err());
}

/// The successors may not speak before their time.
#[test]
fn the_next_validators_cannot_sign_for_this_height() {
    let (genesis, steps) = chain();
    let mut client = LightClient::trusting(MESH, &genesis, set(1)).unwrap();
    client.follow(&steps[..1]).unwrap();
    let usurped = signed(steps[1].header.clone(), first_of(3), steps[1].next_validators.clone());
    let error = client.advance(&usurped).unwrap_err();
    assert!(matches!(error, LightError::Certificate(CertificateError::UnknownSigner(_))));
}

fn distant(step: &SignedHeader<Block>) -> (ValidatorSet, Option<ValidatorSet>) {
    (set(first_of(step.header.height)), step.next_validators.clone())
}

fn skip(client: &mut LightClient, step: &SignedHeader<Block>) -> Result<(), LightError> {
    let (validators, next) = distant(step);
    let (header, certificate) = (&step.header, &step.certificate);
    client.skip(&DistantHeader {
        header,
        certificate,
        validators: &validators,
        next_validators: next.as_ref(),
    })
}

#[test]
fn skips_as_far_as_two_thirds_of_the_trusted_power_signed() {
    let (genesis, steps) = chain();
    let start = || LightClient::trusting(MESH, &genesis, set(1)).unwrap();
    let mut client = start();
    // Height 3 has 2 to 5: of 1 to 4, nine tenths of the power signed it. Height 4 has 3 to 6: seven tenths.
    skip(&mut client, &steps[2]).unwrap();
    assert_eq!((client.height(), client.next_validators()), (BlockHeight(3), &set(3)));
    let mut client = start();
    skip(&mut client, &steps[3]).unwrap();
    // Height 5 has 4 to 7: four tenths are not enough, and one between is.
    let mut client = start();
    let far = skip(&mut client, &steps[4]).unwrap_err();
    assert_eq!(far, LightError::TooFar { height: BlockHeight(5), signed: 4, total: 10 });
    assert_eq!(client, start(), "a refusal changes nothing");
    skip(&mut client, &steps[2]).unwrap();
    skip(&mut client, &steps[4]).unwrap();
    assert_eq!(client.id(), steps[4].header.id());
    assert!(matches!(skip(&mut client, &steps[4]), Err(LightError::NotLater { .. })));
}

/// Those who were validators once, and nobody of today, sign a block of their own.
#[test]
fn strangers_cannot_be_skipped_to() {
    let (genesis, steps) = chain();
    let mut client = LightClient::trusting(MESH, &genesis, set(1)).unwrap();
    let theirs =
        Block { height: 4, parent: steps[2].header.id(), validators: set(9).hash(), next: set(9).hash() };
    let forged = signed(theirs, 9, None);
    let (header, certificate) = (&forged.header, &forged.certificate);
    let step = DistantHeader { header, certificate, validators: &set(9), next_validators: None };
    assert!(client.skip(&step).unwrap_err().is_too_far());
    assert_eq!(forged.certificate.verify(&set(9), &MESH), Ok(()), "nothing else would have refused it");
    // Their signatures next to those of the trusted do not make them validators.
    let mut mixed = forged.clone();
    let both = (1..=4)
        .chain(9..=12)
        .map(|n| SignedStatement::sign(&key(n), &MESH, forged.certificate.vote()).unwrap());
    mixed.certificate.signatures =
        SignatureList::collect(both.map(|vote| (vote.signer, vote.signature))).unwrap();
    let (header, certificate) = (&mixed.header, &mixed.certificate);
    let step = DistantHeader { header, certificate, validators: &set(9), next_validators: None };
    assert!(matches!(client.skip(&step), Err(LightError::Certificate(CertificateError::UnknownSigner(_)))));
}

#[test]
fn a_step_to_the_next_height_is_never_less_strict() {
    let (genesis, steps) = chain();
    let mut client = LightClient::trusting(MESH, &genesis, set(1)).unwrap();
    let mut orphan = steps[0].clone();
    orphan.header.parent = Hash::of("other", &[]);
    assert_eq!(skip(&mut client, &orphan), Err(LightError::Parent(BlockHeight(1))));
    let other = Block { validators: set(2).hash(), next: set(2).hash(), ..steps[0].header.clone() };
    let forged = signed(other, 2, None);
    let (header, certificate) = (&forged.header, &forged.certificate);
    let step = DistantHeader { header, certificate, validators: &set(2), next_validators: None };
    assert_eq!(client.skip(&step), Err(LightError::Validators(BlockHeight(1))));
    let mut unsigned = steps[2].clone();
    let rest = unsigned.certificate.signatures.iter().skip(2).cloned().collect::<Vec<_>>();
    unsigned.certificate.signatures = SignatureList::collect(rest).unwrap();
    assert!(skip(&mut client, &unsigned).is_err());
}
