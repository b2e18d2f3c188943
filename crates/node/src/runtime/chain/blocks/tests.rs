use nervure_ledger::{
    testing::{Chain, validator},
    transaction::DOMAIN,
};
use nervure_primitives::Envelope;
use nervure_store::{History, StoreOptions};

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
    let first = BlockHeight(1);
    let read_back = FromAnswer::Blocks(vec![(block.clone(), certificate.clone())]);
    assert_eq!(read_blocks(&blocks(&block), first), Ok(read_back));
    assert!(matches!(read_blocks(&blocks(&forged), first), Err(InvalidAnswer::Block(_))));
    assert!(matches!(read(&certified(&forged, &certificate)), Err(InvalidAnswer::Block(_))));
}

#[test]
fn an_answer_to_something_else_is_refused_and_an_absent_body_is_not() {
    let (block, certificate) = first_block();
    let absent = BlocksResponse::Body(None).encode().unwrap();
    assert_eq!(read_body(&absent, &block.header.id()).unwrap(), None);
    assert_eq!(read_blocks(&absent, BlockHeight(1)), Err(InvalidAnswer::OtherRequest));
    let other = BlocksResponse::Body(Some(bytes(&block))).encode().unwrap();
    let expected = Hash::from_bytes([7; 32]);
    assert!(matches!(read_body(&other, &expected), Err(InvalidAnswer::OtherBlock { .. })));
    assert!(matches!(read_body(b"nothing", &expected), Err(InvalidAnswer::Response(_))));
    let many = vec![certified(&block, &certificate); usize::from(MAX_BLOCKS) + 1];
    let many = BlocksResponse::Blocks(many).encode().unwrap();
    assert!(matches!(read_blocks(&many, BlockHeight(1)), Err(InvalidAnswer::TooMany(_))));
}

#[test]
fn a_node_that_pruned_blocks_says_from_where_on_it_has_them() {
    let mut chain = Chain::new(3);
    chain.grow(6);
    let home = tempfile::tempdir().unwrap();
    let kept = std::num::NonZeroU64::new(2).unwrap();
    let options = StoreOptions { history: History::Last(kept), ..StoreOptions::default() };
    let (store, mut tip) = Store::open(&home.path().join("chain.redb"), &chain.spec, options).unwrap();
    for (block, checkpoint) in chain.blocks.iter().zip(&chain.checkpoints) {
        let next = tip.check(&store.read().unwrap(), block, std::num::NonZeroUsize::MIN).unwrap();
        store.commit(&next, Some(&checkpoint.certificate.encode().unwrap())).unwrap();
        tip = next.tip();
    }
    let ask = |height: u64| {
        let request = BlocksRequest::From(BlockHeight(height)).encode().unwrap();
        read_blocks(&answer(&store, &ProposedBlocks::default(), &request).unwrap(), BlockHeight(height))
    };
    assert_eq!(ask(4), Ok(FromAnswer::Pruned(BlockHeight(5))));
    let Ok(FromAnswer::Blocks(blocks)) = ask(5) else { panic!("blocks 5 and 6 are kept") };
    assert_eq!(blocks.len(), 2);
    assert_eq!(ask(7), Ok(FromAnswer::Blocks(Vec::new())), "there is none yet");
    // A peer that has the block that it was asked for, and does not send it, is not honest.
    let lie = BlocksResponse::Pruned(BlockHeight(4)).encode().unwrap();
    assert_eq!(read_blocks(&lie, BlockHeight(4)), Err(InvalidAnswer::OtherRequest));
}
