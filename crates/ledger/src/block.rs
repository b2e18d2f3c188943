//! Blocks: transactions in their order, and a header that commits to them and to what they made of the state.
//!
//! The id of a block is the hash of its header, and it is what validators sign. The header names the root
//! of the state *after* the block, so that who has a certified header can check any record of that state,
//! and the hashes of the validators that agree on this block and on the next one, so that certificates can
//! be followed from block to block without anything else.
//!
//! A block also carries the commit certificate of its parent, and its header has the hash of it. So every node
//! has the same list of who signed the parent, which execution reads ([`BlockContext`]); a certificate that a
//! node collected itself may have other signers.

use std::collections::BTreeSet;

use nervure_consensus::checkpoint::CommitCertificate;
use nervure_primitives::{
    BlockHeight, Envelope, Hash, MeshId, NodeId, UnixMillis,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

/// Most transactions of a block.
pub const MAX_TRANSACTIONS: usize = 10_000;

/// Largest encoding of a block in bytes.
pub const MAX_BLOCK_LEN: usize = 4 << 20;

/// Largest encoding of a header in bytes.
pub const MAX_HEADER_LEN: usize = 512;

/// What a block commits to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the rules that the block was made by.
    pub version: u32,
    /// The mesh.
    pub mesh: MeshId,
    /// One more than that of the block before it; 0 for the genesis.
    pub height: BlockHeight,
    /// The id of the block before it; of the genesis, 32 zero bytes.
    pub parent: Hash,
    /// When it was proposed, by the proposer's clock: later than the parent's time.
    pub time: UnixMillis,
    /// The validator that made it. It stays the same when a later round proposes the block again; of the
    /// genesis, 32 zero bytes.
    pub proposer: NodeId,
    /// The hash of the parent's commit certificate; see [`Block::commit_hash`].
    pub last_commit: Hash,
    /// The hash of the transactions in their order; see [`Block::transactions_hash`].
    pub transactions: Hash,
    /// The root of the state after the block.
    pub state: Hash,
    /// The hash of the validators that agree on this block.
    pub validators: Hash,
    /// The hash of the validators that agree on the next block.
    pub next_validators: Hash,
}

impl Header {
    /// The proposer of a genesis, which no validator made.
    pub(crate) const NO_PROPOSER: NodeId = NodeId::from_bytes([0; 32]);

    /// Whether no validators agreed on it: the first header of a mesh. Its height is that of the block that it
    /// continues, in a mesh that was recovered, and else 0.
    pub fn is_genesis(&self) -> bool {
        self.proposer == Self::NO_PROPOSER
    }

    /// The id of the block: the hash of the header's canonical bytes.
    pub fn id(&self) -> Hash {
        match cbor::encode(self) {
            Ok(bytes) => Hash::of("nervure/block/1", &[&bytes]),
            Err(_) => unreachable!("integers and byte strings always encode"),
        }
    }
}

/// A header and what it commits to: the transactions and the parent's certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// What the block commits to.
    pub header: Header,
    /// The commit certificate of the parent; none at height 1, because no one signs the genesis.
    pub last_commit: Option<CommitCertificate>,
    /// Sealed [`crate::transaction::Transaction`]s.
    pub transactions: Vec<Envelope>,
}

impl Block {
    /// What a header says about its transactions: a hash of all of their bytes, signatures too, so that
    /// two blocks with the same id are the same block.
    pub fn transactions_hash(transactions: &[Envelope]) -> Hash {
        let bytes: Vec<Vec<u8>> =
            transactions.iter().map(|envelope| envelope.encode().unwrap_or_default()).collect();
        let parts: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        Hash::of("nervure/transactions/1", &parts)
    }

    /// What a header says about the parent's certificate: a hash of its canonical bytes, and 32 zero bytes
    /// when there is none.
    pub fn commit_hash(certificate: Option<&CommitCertificate>) -> Hash {
        let Some(certificate) = certificate else { return Hash::from_bytes([0; 32]) };
        Hash::of("nervure/last-commit/1", &[&certificate.encode().unwrap_or_default()])
    }

    /// What its execution knows besides the transactions.
    pub fn context(&self) -> BlockContext {
        BlockContext::new(&self.header, self.last_commit.as_ref())
    }

    /// Its canonical bytes.
    ///
    /// # Errors
    /// [`CborError::TooLarge`] for a block that is too large to be decoded.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        let bytes = cbor::encode(self)?;
        if bytes.len() > MAX_BLOCK_LEN {
            return Err(CborError::TooLarge { limit: MAX_BLOCK_LEN, actual: bytes.len() });
        }
        Ok(bytes)
    }

    /// Reads a block whose transactions and parent's certificate are those that its header commits to: validators sign
    /// the header alone, so a body that comes from a peer must be bound to it before anything else is concluded from a
    /// certificate. Neither signatures nor the rest of the header are verified yet.
    ///
    /// # Errors
    /// When `bytes` are too many, are not the canonical form of a block, or have another body than the header says.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeBlockError> {
        let block: Self = cbor::decode(bytes, Limits::new(MAX_BLOCK_LEN))?;
        // A peer could attach another body to a header that validators certified.
        let actual = Self::transactions_hash(&block.transactions);
        let expected = block.header.transactions;
        if expected != actual {
            return Err(DecodeBlockError::OtherTransactions { expected, actual });
        }
        let (expected, actual) = (block.header.last_commit, Self::commit_hash(block.last_commit.as_ref()));
        match expected == actual {
            true => Ok(block),
            false => Err(DecodeBlockError::OtherCommit { expected, actual }),
        }
    }
}

/// What the execution of a block knows besides its transactions. All nodes have the same, because the header commits
/// to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockContext {
    /// The validator that made the block; none where no validators agreed, as in a trial of a transaction.
    pub proposer: Option<NodeId>,
    /// The time in its header.
    pub time: UnixMillis,
    /// The validators whose signatures the parent's certificate has: more than two thirds of the power of
    /// [`LedgerState::last_validators`](crate::state::LedgerState::last_validators). Empty at height 1, whose parent
    /// has no certificate.
    pub signers: BTreeSet<NodeId>,
}

impl BlockContext {
    /// Of a block with this header and this certificate of its parent.
    pub fn new(header: &Header, last_commit: Option<&CommitCertificate>) -> Self {
        let signers = last_commit.into_iter().flat_map(|commit| commit.signatures.iter());
        Self {
            proposer: Some(header.proposer),
            time: header.time,
            signers: signers.map(|(signer, _)| *signer).collect(),
        }
    }
}

/// Why bytes are not a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeBlockError {
    /// They are too many, or not the canonical form.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The body is not the one that the header commits to.
    #[error("the header commits to transactions {expected}, and the body has {actual}")]
    OtherTransactions {
        /// The hash in the header.
        expected: Hash,
        /// The hash of the body's transactions.
        actual: Hash,
    },
    /// The parent's certificate is not the one that the header commits to.
    #[error("the header commits to the parent's certificate {expected}, and the body has {actual}")]
    OtherCommit {
        /// The hash in the header.
        expected: Hash,
        /// The hash of the body's certificate.
        actual: Hash,
    },
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{Amount, NodeKey, PROTOCOL_VERSION};
    use proptest::prelude::*;

    use super::*;
    use crate::transaction::{Call, Transaction, Transfer};

    fn block() -> Block {
        let transfer =
            Transfer { to: NodeId::from_bytes([1; 32]), amount: Amount::from_base_units(5), memo: None };
        let call = Call::Transfer(transfer);
        let (fee, tip) = (Amount::from_base_units(9), Amount::ZERO);
        let transaction = Transaction { nonce: 0, fee, tip, expiry: BlockHeight(7), call };
        let (key, mesh) = (NodeKey::from_seed(&[3; 32]), MeshId::from_bytes([2; 32]));
        let envelope = transaction.seal(&key, &mesh).unwrap();
        let transactions = vec![envelope.clone(), envelope];
        let hash = |byte| Hash::from_bytes([byte; 32]);
        let last_commit = Some(CommitCertificate::sign(&mesh, (BlockHeight(3), hash(4)), [&key]).unwrap());
        let header = Header {
            version: PROTOCOL_VERSION,
            mesh,
            height: BlockHeight(4),
            parent: hash(4),
            time: UnixMillis(1_700_000_000_000),
            proposer: NodeId::from_bytes([8; 32]),
            last_commit: Block::commit_hash(last_commit.as_ref()),
            transactions: Block::transactions_hash(&transactions),
            state: hash(5),
            validators: hash(6),
            next_validators: hash(7),
        };
        Block { header, last_commit, transactions }
    }

    #[test]
    fn blocks_round_trip_and_large_ones_are_refused_before_decoding() {
        let bytes = block().encode().unwrap();
        assert_eq!(Block::decode(&bytes), Ok(block()));
        let large = vec![0; MAX_BLOCK_LEN + 1];
        assert!(matches!(Block::decode(&large), Err(DecodeBlockError::Cbor(CborError::TooLarge { .. }))));
        assert!(cbor::encode(&block().header).unwrap().len() <= MAX_HEADER_LEN);
    }

    #[test]
    fn a_body_that_the_header_does_not_commit_to_is_refused() {
        type Forgery = fn(&mut Vec<Envelope>);
        let forgeries: [Forgery; 3] = [
            |transactions| transactions.push(transactions[0].clone()),
            |transactions| transactions.truncate(1),
            Vec::clear,
        ];
        for forge in forgeries {
            let mut forged = block();
            forge(&mut forged.transactions);
            // The id is still the one that validators signed: nothing but the binding tells the two apart.
            assert_eq!(forged.header.id(), block().header.id());
            let actual = Block::transactions_hash(&forged.transactions);
            let expected = forged.header.transactions;
            let refused = Block::decode(&forged.encode().unwrap());
            assert_eq!(refused, Err(DecodeBlockError::OtherTransactions { expected, actual }));
        }
    }

    #[test]
    fn a_certificate_that_the_header_does_not_commit_to_is_refused() {
        type Forgery = fn(&mut Option<CommitCertificate>);
        let forgeries: [Forgery; 2] = [
            |commit| *commit = None,
            // As valid as the other one, and says that someone else signed.
            |commit| commit.as_mut().unwrap().signatures = Default::default(),
        ];
        for forge in forgeries {
            let mut forged = block();
            forge(&mut forged.last_commit);
            assert_eq!(forged.header.id(), block().header.id());
            let actual = Block::commit_hash(forged.last_commit.as_ref());
            let expected = forged.header.last_commit;
            let refused = Block::decode(&forged.encode().unwrap());
            assert_eq!(refused, Err(DecodeBlockError::OtherCommit { expected, actual }));
        }
    }

    #[test]
    fn the_context_is_what_the_header_and_the_certificate_say() {
        let (block, key) = (block(), NodeKey::from_seed(&[3; 32]));
        let context = block.context();
        assert_eq!((context.proposer, context.time), (Some(block.header.proposer), block.header.time));
        assert_eq!(context.signers.into_iter().collect::<Vec<_>>(), [key.node_id()]);
        assert_eq!(BlockContext::new(&block.header, None).signers.len(), 0);
    }

    #[test]
    fn the_id_is_of_everything_in_the_header_and_is_frozen() {
        let header = block().header;
        assert_eq!(
            header.id().to_string(),
            "ad1ed6afe33a7c901e8621e938f982cae5f1cd7b9e80946a247b9598ea2d24fc"
        );
        let other = Hash::from_bytes([9; 32]);
        let changes: [fn(&mut Header, Hash); 11] = [
            |header, _| header.version += 1,
            |header, _| header.time = UnixMillis(1),
            |header, _| header.proposer = NodeId::from_bytes([9; 32]),
            |header, other| header.last_commit = other,
            |header, _| header.mesh = MeshId::from_bytes([9; 32]),
            |header, _| header.height = BlockHeight(5),
            |header, other| header.parent = other,
            |header, other| header.transactions = other,
            |header, other| header.state = other,
            |header, other| header.validators = other,
            |header, other| header.next_validators = other,
        ];
        for change in changes {
            let mut changed = header.clone();
            change(&mut changed, other);
            assert_ne!(changed.id(), header.id());
        }
    }

    proptest! {
        #[test]
        fn only_the_canonical_encoding_decodes(at: usize, to: u8) {
            let mut bytes = block().encode().unwrap();
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(decoded) = Block::decode(&bytes) {
                prop_assert_eq!(decoded.encode().unwrap(), bytes);
            }
        }

        #[test]
        fn the_hash_of_transactions_is_of_every_bit(bit: prop::sample::Index) {
            let block = block();
            let mut bytes = cbor::encode(&block.transactions).unwrap();
            let place = bit.index(bytes.len() * 8);
            bytes[place / 8] ^= 1 << (place % 8);
            if let Ok(other) = cbor::decode::<Vec<Envelope>>(&bytes, Limits::new(bytes.len())) {
                prop_assert_ne!(Block::transactions_hash(&other), block.header.transactions);
            }
        }
    }
}
