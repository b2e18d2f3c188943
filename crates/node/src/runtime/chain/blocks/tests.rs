use nervure_ledger::{
    testing::{Chain, validator},
    transaction::DOMAIN,
};
use nervure_primitives::Envelope;

use super::*;

/// The first block of a chain of three validators, and what a peer sends of it.
fn first_block() -> (Block, CommitCertificate) {
    let mut chain = Chain::new(3);
    chain.grow(1);
    (chain.blocks[0].clone(), chain.checkpoints[0].certificate.clone())
}

/// The block with one transaction more. Its header, its id and its certificate are still those of the validators.
pub(in crate::runtime::chain) fn forged(block: &Block) -> Block {
    let more = Envelope::seal(&validator(0), DOMAIN, &block.header.mesh, &7u8).unwrap();
    let mut forged = block.clone();
    forged.transactions.push(more);
    forged
}

fn bytes(block: &Block) -> ByteBuf {
    ByteBuf::from(block.encode().unwrap())
}

fn certified(block: &Block, certificate: &CommitCertificate) -> CertifiedBlock {
    (bytes(block), ByteBuf::from(certificate.encode().unwrap()))
}

#[test]
fn a_body_that_its_certified_header_does_not_commit_to_is_the_senders_fault() {
    let (block, certificate) = first_block();
    let id = block.header.id();
    let answer = |block: &Block| BlocksResponse::Body(Some(bytes(block))).encode().unwrap();
    assert_eq!(read_body(&answer(&block), &id).unwrap(), Some(block.clone()));
    let forged = forged(&block);
    assert_eq!(forged.header.id(), id, "the certificate is valid for it");
    let refused = read_body(&answer(&forged), &id);
    assert!(matches!(refused, Err(InvalidAnswer::Block(DecodeBlockError::OtherTransactions { .. }))));
    let blocks =
        |block: &Block| BlocksResponse::Blocks(vec![certified(block, &certificate)]).encode().unwrap();
    assert_eq!(read_blocks(&blocks(&block)).unwrap(), [(block, certificate.clone())]);
    assert!(matches!(read_blocks(&blocks(&forged)), Err(InvalidAnswer::Block(_))));
    assert!(matches!(read(&certified(&forged, &certificate)), Err(InvalidAnswer::Block(_))));
}

#[test]
fn an_answer_to_something_else_is_refused_and_an_absent_body_is_not() {
    let (block, certificate) = first_block();
    let absent = BlocksResponse::Body(None).encode().unwrap();
    assert_eq!(read_body(&absent, &block.header.id()).unwrap(), None);
    assert!(matches!(read_blocks(&absent), Err(InvalidAnswer::OtherRequest)));
    let other = BlocksResponse::Body(Some(bytes(&block))).encode().unwrap();
    let expected = Hash::from_bytes([7; 32]);
    assert!(matches!(read_body(&other, &expected), Err(InvalidAnswer::OtherBlock { .. })));
    assert!(matches!(read_body(b"nothing", &expected), Err(InvalidAnswer::Response(_))));
    let many = vec![certified(&block, &certificate); usize::from(MAX_BLOCKS) + 1];
    let many = BlocksResponse::Blocks(many).encode().unwrap();
    assert!(matches!(read_blocks(&many), Err(InvalidAnswer::TooMany(_))));
}
