//! A checkpoint for the anchor, and the digest that validators sign.
//!
//! The *id* of a checkpoint is the EIP-712 hash of its fields. Validators sign the id together with the hash
//! of the signing set, under a domain that names the chain and the contract: a signature is worth nothing
//! on another chain, for another contract or mesh, or for a set in which its key has another power.

use nervure_primitives::{
    BlockHeight, Hash, MeshId, Netuid,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use super::{
    abi::{Word, address, hash, keccak, number, typed},
    key::AnchorAddress,
};

/// Most metagraph roots of a checkpoint: each costs a submission about 25,000 gas.
pub const MAX_METAGRAPHS: usize = 256;

/// Largest encoding of a checkpoint in bytes: per metagraph 34 of root, 12 of numbers and 7 of names; the rest.
pub const MAX_CHECKPOINT_LEN: usize = MAX_METAGRAPHS * 56 + 256;

const DOMAIN_TYPE: &[u8] =
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const NAME: &[u8] = b"Nervure CheckpointAnchor";
const VERSION: &[u8] = b"1";
const METAGRAPH_TYPE: &[u8] = b"Metagraph(uint16 netuid,uint64 epoch,bytes32 root)";
const CHECKPOINT_TYPE: &[u8] = b"Checkpoint(bytes32 mesh,uint64 height,bytes32 blockHash,bytes32 stateRoot,\
Metagraph[] metagraphs,bytes32 nextValidators)";
const ATTESTATION_TYPE: &[u8] = b"Attestation(Checkpoint checkpoint,bytes32 validators)";

/// The contract that stores checkpoints, and its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorDomain {
    /// The id of the chain (EIP-155).
    pub chain: u64,
    /// The address of the contract.
    pub contract: AnchorAddress,
}

impl AnchorDomain {
    /// No chain: the local backend.
    pub const LOCAL: Self = Self { chain: 0, contract: AnchorAddress::from_bytes([0; 20]) };

    fn separator(&self) -> Word {
        let contract = address(self.contract.as_bytes());
        hash(&[keccak(DOMAIN_TYPE), keccak(NAME), keccak(VERSION), number(self.chain), contract])
    }
}

/// The root of the metagraph that an epoch left in a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetagraphRoot {
    /// The subnet.
    #[serde(rename = "n")]
    pub netuid: Netuid,
    /// The number of its epoch.
    #[serde(rename = "e")]
    pub epoch: u64,
    /// The keccak-256 root of its rows.
    #[serde(rename = "r")]
    pub root: Hash,
}

/// A block, its state and the signers of the next checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct AnchorCheckpoint {
    fields: Fields,
    id: Hash,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(rename = "c")]
    mesh: MeshId,
    #[serde(rename = "h")]
    height: BlockHeight,
    #[serde(rename = "b")]
    block: Hash,
    #[serde(rename = "s")]
    state: Hash,
    #[serde(rename = "m")]
    metagraphs: Vec<MetagraphRoot>,
    #[serde(rename = "n")]
    next_validators: Hash,
}

/// Why a checkpoint is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not the canonical form of a checkpoint.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// More than [`MAX_METAGRAPHS`].
    #[error("{0} metagraphs are more than the {MAX_METAGRAPHS} of a checkpoint")]
    TooMany(usize),
    /// Two metagraphs of one subnet, or not sorted by subnet.
    #[error("the metagraph of subnet {0} is a duplicate or out of order")]
    Unsorted(Netuid),
    /// Without a next set, no further checkpoint could be signed.
    #[error("the checkpoint names no next validators")]
    NoNextValidators,
}

/// The header's part of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnchoredBlock {
    /// The mesh.
    pub mesh: MeshId,
    /// The height of the block.
    pub height: BlockHeight,
    /// The id of the block.
    pub block: Hash,
    /// The root of the state after it.
    pub state: Hash,
}

impl AnchorCheckpoint {
    /// The checkpoint of `block`: the roots of the epochs that ended since the last one, and the hash of
    /// the set that signs the next.
    ///
    /// # Errors
    /// When the metagraphs are not sorted by subnet or too many, or `next_validators` is zero.
    pub fn new(
        block: AnchoredBlock,
        metagraphs: Vec<MetagraphRoot>,
        next_validators: Hash,
    ) -> Result<Self, CheckpointError> {
        let AnchoredBlock { mesh, height, block, state } = block;
        Self::try_from(Fields { mesh, height, block, state, metagraphs, next_validators })
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// When `bytes` are too many or not its canonical form.
    pub fn decode(bytes: &[u8]) -> Result<Self, CheckpointError> {
        Ok(cbor::decode(bytes, Limits::new(MAX_CHECKPOINT_LEN))?)
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CheckpointError> {
        Ok(cbor::encode(self)?)
    }

    /// Its id: the EIP-712 hash of its fields.
    pub const fn id(&self) -> Hash {
        self.id
    }

    /// The mesh.
    pub const fn mesh(&self) -> MeshId {
        self.fields.mesh
    }

    /// The height of the block.
    pub const fn height(&self) -> BlockHeight {
        self.fields.height
    }

    /// The id of the block.
    pub const fn block(&self) -> Hash {
        self.fields.block
    }

    /// The root of the state after the block.
    pub const fn state(&self) -> Hash {
        self.fields.state
    }

    /// The metagraphs of the epochs that ended since the last checkpoint, by subnet.
    pub fn metagraphs(&self) -> &[MetagraphRoot] {
        &self.fields.metagraphs
    }

    /// The hash of the set that signs the next checkpoint.
    pub const fn next_validators(&self) -> Hash {
        self.fields.next_validators
    }

    /// The digest that a member of the set with the hash `validators` signs.
    pub fn digest(&self, domain: &AnchorDomain, validators: &Hash) -> [u8; 32] {
        let kind = keccak(&[ATTESTATION_TYPE, CHECKPOINT_TYPE, METAGRAPH_TYPE].concat());
        typed(&domain.separator(), &hash(&[kind, *self.id.as_bytes(), *validators.as_bytes()]))
    }
}

impl Fields {
    fn id(&self) -> Hash {
        let metagraph = |one: &MetagraphRoot| {
            let MetagraphRoot { netuid, epoch, root } = one;
            hash(&[keccak(METAGRAPH_TYPE), number(netuid.0.into()), number(*epoch), *root.as_bytes()])
        };
        let metagraphs: Vec<Word> = self.metagraphs.iter().map(metagraph).collect();
        Hash::from_bytes(hash(&[
            keccak(&[CHECKPOINT_TYPE, METAGRAPH_TYPE].concat()),
            *self.mesh.as_bytes(),
            number(self.height.0),
            *self.block.as_bytes(),
            *self.state.as_bytes(),
            hash(&metagraphs),
            *self.next_validators.as_bytes(),
        ]))
    }
}

impl TryFrom<Fields> for AnchorCheckpoint {
    type Error = CheckpointError;

    fn try_from(fields: Fields) -> Result<Self, CheckpointError> {
        let metagraphs = &fields.metagraphs;
        if metagraphs.len() > MAX_METAGRAPHS {
            return Err(CheckpointError::TooMany(metagraphs.len()));
        }
        if let Some(pair) = metagraphs.windows(2).find(|pair| pair[0].netuid >= pair[1].netuid) {
            return Err(CheckpointError::Unsorted(pair[1].netuid));
        }
        if fields.next_validators == Hash::from_bytes([0; 32]) {
            return Err(CheckpointError::NoNextValidators);
        }
        let id = fields.id();
        Ok(Self { fields, id })
    }
}

impl From<AnchorCheckpoint> for Fields {
    fn from(checkpoint: AnchorCheckpoint) -> Self {
        checkpoint.fields
    }
}
