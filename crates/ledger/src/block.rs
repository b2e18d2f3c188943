//! Blocks: transactions in their order, and a header that commits to them and to what they made of the state.
//!
//! The id of a block is the hash of its header, and it is what validators sign. The header names the root
//! of the state *after* the block, so that who has a certified header can check any record of that state,
//! and the hashes of the validators that agree on this block and on the next one, so that certificates can
//! be followed from block to block without anything else.

use nervure_primitives::{
    BlockHeight, Envelope, Hash, MeshId,
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
    /// The mesh.
    pub mesh: MeshId,
    /// One more than that of the block before it; 0 for the genesis.
    pub height: BlockHeight,
    /// The id of the block before it; of the genesis, 32 zero bytes.
    pub parent: Hash,
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
    /// The id of the block: the hash of the header's canonical bytes.
    pub fn id(&self) -> Hash {
        match cbor::encode(self) {
            Ok(bytes) => Hash::of("nervure/block/1", &[&bytes]),
            Err(_) => unreachable!("integers and byte strings always encode"),
        }
    }
}

/// A header and the transactions that it commits to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// What the block commits to.
    pub header: Header,
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

    /// Reads a block. Nothing is verified yet, neither signatures nor what the header says.
    ///
    /// # Errors
    /// When `bytes` are too many or not the canonical form of a block.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_BLOCK_LEN))
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{Amount, NodeId, NodeKey};
    use proptest::prelude::*;

    use super::*;
    use crate::transaction::{Call, Transaction, Transfer};

    fn block() -> Block {
        let transfer = Transfer { to: NodeId::from_bytes([1; 32]), amount: Amount::from_base_units(5) };
        let call = Call::Transfer(transfer);
        let transaction =
            Transaction { nonce: 0, fee: Amount::from_base_units(9), expiry: BlockHeight(7), call };
        let (key, mesh) = (NodeKey::from_seed(&[3; 32]), MeshId::from_bytes([2; 32]));
        let envelope = transaction.seal(&key, &mesh).unwrap();
        let transactions = vec![envelope.clone(), envelope];
        let hash = |byte| Hash::from_bytes([byte; 32]);
        let header = Header {
            mesh,
            height: BlockHeight(4),
            parent: hash(4),
            transactions: Block::transactions_hash(&transactions),
            state: hash(5),
            validators: hash(6),
            next_validators: hash(7),
        };
        Block { header, transactions }
    }

    #[test]
    fn blocks_round_trip_and_large_ones_are_refused_before_decoding() {
        let bytes = block().encode().unwrap();
        assert_eq!(Block::decode(&bytes), Ok(block()));
        let large = vec![0; MAX_BLOCK_LEN + 1];
        assert!(matches!(Block::decode(&large), Err(CborError::TooLarge { .. })));
        assert!(cbor::encode(&block().header).unwrap().len() <= MAX_HEADER_LEN);
    }

    #[test]
    fn the_id_is_of_everything_in_the_header_and_is_frozen() {
        let header = block().header;
        assert_eq!(
            header.id().to_string(),
            "974d3f4494b250afb99e14961da068907299da8af8d1b1eafe8533f0c21add58"
        );
        let other = Hash::from_bytes([9; 32]);
        let changes: [fn(&mut Header, Hash); 7] = [
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
