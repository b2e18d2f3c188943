//! Blocks that validators agreed on while this node was away.
//!
//! A header names its parent, so that a certificate of one block decides all blocks before it, as long as the same
//! validators agree on all of them. A node that catches up verifies one certificate for many blocks, where it verified two
//! for each: the one beside a block, and the one of its parent in it.
//!
//! What a hostile peer can do: nothing more than with a certificate for each block. A block of the run is linked by hashes
//! to one whose certificate verifies under the validators of the tip, and validators sign no block whose parent they did
//! not commit. Who holds more than two thirds of their keys could certify the next block as well.

use nervure_consensus::checkpoint::CommitCertificate;
use nervure_primitives::BlockHeight;

use crate::{
    block::Block,
    chain::{BlockError, Draft, Next, Tip},
    transaction::Checked,
    tree::StateTree,
};

/// A block and a certificate that came with it.
pub type WithCertificate = (Block, CommitCertificate);

/// The certificate of the block at `index` of `run`, which [`Tip::agreed`] gave: that in the block after it, which
/// validators signed; of the last one, that which came beside it and was verified. What came beside the others was not.
pub fn certificate_in(run: &[WithCertificate], index: usize) -> Option<&CommitCertificate> {
    match run.get(index.saturating_add(1)) {
        Some((next, _)) => next.last_commit.as_ref(),
        None => run.get(index).map(|(_, certificate)| certificate),
    }
}

impl Tip {
    /// How many of the first `blocks` follow this tip one after the other and are decided by the certificate of the last
    /// of them. 0 when the first one does not follow, or that certificate does not verify.
    pub fn agreed(&self, blocks: &[WithCertificate]) -> usize {
        let Some(validators) = self.state.validators() else { return 0 };
        let run = self.linked(blocks);
        let Some((block, certificate)) = run.checked_sub(1).and_then(|last| blocks.get(last)) else {
            return 0;
        };
        // The certificate names its block itself: a valid one could be of any block.
        let names_it = (certificate.height, certificate.value) == (block.header.height, block.header.id());
        match names_it && certificate.verify(validators, &self.header.mesh).is_ok() {
            true => run,
            false => 0,
        }
    }

    /// How many of `blocks` are linked to this tip, and decided by the validators that it names.
    fn linked(&self, blocks: &[WithCertificate]) -> usize {
        let set = self.header.next_validators;
        let (mut height, mut parent) = (self.header.height, self.header.id());
        let mut run = 0;
        for (Block { header, .. }, _) in blocks {
            let next = BlockHeight(height.0.saturating_add(1));
            if (header.height, header.parent, header.validators) != (next, parent, set) {
                break;
            }
            run += 1;
            if header.next_validators != set {
                // Others agree on the block after it.
                break;
            }
            (height, parent) = (header.height, header.id());
        }
        run
    }

    /// [`Self::check`] of a block that validators agreed on ([`Self::agreed`]), with its transactions `checked`: the
    /// signatures in the certificate of its parent are not verified again, because those validators did.
    ///
    /// # Errors
    /// See [`Self::check`].
    pub fn check_agreed(
        &self,
        tree: &impl StateTree,
        block: &Block,
        checked: &[Checked],
    ) -> Result<Next, BlockError> {
        self.check_header(block)?;
        if let Some(certificate) = self.commit_of(block.last_commit.as_ref())? {
            self.names_this(certificate)?;
        }
        self.carry_out(tree, block, checked)
    }

    /// Carries `block` out and compares every field of its header with what comes out. Its header follows this tip.
    pub(super) fn carry_out(
        &self,
        tree: &impl StateTree,
        block: &Block,
        checked: &[Checked],
    ) -> Result<Next, BlockError> {
        let header = &block.header;
        let draft = Draft {
            proposer: header.proposer,
            time: header.time,
            last_commit: block.last_commit.clone(),
            transactions: block.transactions.clone(),
        };
        // The same function that proposes, so that a proposer and a validator cannot compute differently.
        let next = self.next_checked(tree, draft, checked)?;
        let made = &next.block.header;
        super::same("validators", made.validators, header.validators)?;
        super::same("next_validators", made.next_validators, header.next_validators)?;
        super::same("state", made.state, header.state)?;
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use nervure_primitives::{Hash, NodeKey};

    use super::*;
    use crate::{
        testing::{Chain, validator},
        tree::MemoryTree,
    };

    /// Nine blocks of a chain that elects every four.
    fn history() -> (Chain, Vec<WithCertificate>) {
        let mut chain = Chain::new(4);
        chain.grow(9);
        let certificates = chain.checkpoints.iter().map(|checkpoint| checkpoint.certificate.clone());
        let blocks = chain.blocks.iter().cloned().zip(certificates).collect();
        (chain, blocks)
    }

    #[test]
    fn one_certificate_decides_the_blocks_before_it_up_to_an_election() {
        let (chain, blocks) = history();
        let (mut tip, update) = Tip::genesis(&chain.spec).unwrap();
        let mut tree = MemoryTree::default();
        tree.accept(update);
        let mut rest = blocks.as_slice();
        while !rest.is_empty() {
            let run = tip.agreed(rest);
            assert!(run > 0, "{:?}", tip.header.height);
            let (agreed, later) = rest.split_at(run);
            for (index, (block, _)) in agreed.iter().enumerate() {
                let certificate = certificate_in(agreed, index).unwrap();
                let id = (block.header.height, block.header.id());
                assert_eq!((certificate.height, certificate.value), id);
                assert_eq!(certificate.verify(tip.state.validators().unwrap(), &tip.header.mesh), Ok(()));
                let checked = Checked::all(&block.transactions, &tip.header.mesh, NonZeroUsize::MIN);
                let next = tip.check_agreed(&tree, block, &checked).unwrap();
                tree.accept(next.update.clone());
                tip = next.tip();
            }
            rest = later;
        }
        assert_eq!(tip, chain.tip);
    }

    #[test]
    fn a_run_ends_where_a_block_is_not_linked_and_needs_a_valid_certificate_at_its_end() {
        let (chain, blocks) = history();
        let tip = Tip::genesis(&chain.spec).unwrap().0;
        let run = tip.agreed(&blocks);
        assert!(run > 1, "the first validators decide several blocks");
        let mut others = blocks.clone();
        // Only the last certificate of the run counts.
        others[0].1.value = Hash::of("another", &[]);
        assert_eq!(tip.agreed(&others), run);
        let mut forged = blocks.clone();
        let stranger = NodeKey::from_seed(&[9; 32]);
        let (height, id) = (forged[run - 1].0.header.height, forged[run - 1].0.header.id());
        forged[run - 1].1 = CommitCertificate::sign(&tip.header.mesh, (height, id), [&stranger]).unwrap();
        assert_eq!(tip.agreed(&forged), 0);
        let mut other_block = blocks.clone();
        // A valid certificate of a block that is not the last one of the run.
        other_block[run - 1].1 = blocks[0].1.clone();
        assert_eq!(tip.agreed(&other_block), 0);
        let mut unlinked = blocks.clone();
        unlinked[1].0.header.parent = Hash::of("another", &[]);
        assert_eq!(tip.agreed(&unlinked), 1, "the first one has its own certificate");
        assert_eq!(tip.agreed(&blocks[1..]), 0, "the first one does not follow");
        assert_eq!(tip.agreed(&[]), 0);
    }

    /// A peer puts a block of its own into the middle of a run. With the last certificate alone it would be believed.
    #[test]
    fn without_the_links_a_false_block_in_the_middle_would_be_decided() {
        let (chain, mut blocks) = history();
        let tip = Tip::genesis(&chain.spec).unwrap().0;
        let run = tip.agreed(&blocks);
        blocks[1].0.header.state = Hash::of("another", &[]);
        let validators = tip.state.validators().unwrap();
        assert_eq!(
            blocks[run - 1].1.verify(validators, &tip.header.mesh),
            Ok(()),
            "the variant without links"
        );
        assert_eq!(tip.linked(&blocks), 2, "the block after the false one names another parent");
        assert_eq!(tip.agreed(&blocks), 0, "and the certificate of the false one is of another block");
        assert_eq!(tip.agreed(&blocks[..1]), 1);
    }

    /// A certificate beside a block in the middle of a run is not verified, and not used.
    #[test]
    fn a_forged_certificate_in_the_middle_of_a_run_is_not_kept() {
        let (chain, mut blocks) = history();
        let tip = Tip::genesis(&chain.spec).unwrap().0;
        let (run, honest) = (tip.agreed(&blocks), blocks[0].1.clone());
        let stranger = NodeKey::from_seed(&[9; 32]);
        let decided = (honest.height, honest.value);
        blocks[0].1 = CommitCertificate::sign(&tip.header.mesh, decided, [&stranger]).unwrap();
        assert_eq!(tip.agreed(&blocks), run);
        let validators = tip.state.validators().unwrap();
        let kept = certificate_in(&blocks[..run], 0).unwrap();
        assert_eq!(kept.verify(validators, &tip.header.mesh), Ok(()));
        assert!(blocks[0].1.verify(validators, &tip.header.mesh).is_err(), "what the variant would keep");
    }

    /// The validators signed the header, and with it the hash of the certificate in the body: it is of the parent.
    #[test]
    fn an_agreed_block_still_has_to_name_its_parent_and_to_come_out_as_its_header_says() {
        let (chain, blocks) = history();
        let (genesis, update) = Tip::genesis(&chain.spec).unwrap();
        let mut tree = MemoryTree::default();
        tree.accept(update);
        let next = genesis.check_agreed(&tree, &blocks[0].0, &[]).unwrap();
        tree.accept(next.update.clone());
        let tip = next.tip();
        let changed = |change: fn(&mut Block)| {
            let mut block = blocks[1].0.clone();
            change(&mut block);
            block.header.last_commit = Block::commit_hash(block.last_commit.as_ref());
            tip.check_agreed(&tree, &block, &[]).map(drop)
        };
        assert_eq!(changed(|_| {}), Ok(()));
        assert_eq!(changed(|block| block.last_commit = None), Err(BlockError::NoCommit));
        let of_another = |block: &mut Block| {
            let mesh = block.header.mesh;
            block.last_commit =
                CommitCertificate::sign(&mesh, (BlockHeight(1), mesh_hash()), [&validator(0)]).ok();
        };
        assert_eq!(changed(of_another), Err(BlockError::OtherCommit));
        let wrong = changed(|block| block.header.state = mesh_hash());
        assert!(matches!(wrong, Err(BlockError::Field { field: "state", .. })), "{wrong:?}");
    }

    fn mesh_hash() -> Hash {
        Hash::of("another", &[])
    }
}
