//! The state of one block as a file: how a node begins without replaying history.
//!
//! A snapshot is a magic number and frames, each a length in four bytes and canonical CBOR: first the
//! head (the block's header, its certificate, how many records follow), then the records, ascending by
//! key. Reading one rebuilds the state and computes its root; it is worth what the header is worth, so
//! the reader says which block it trusts, or checks the certificate afterwards.
//!
//! What a hostile sender can do: make the reader take in [`MAX_SNAPSHOT_BYTES`] bytes before the root turns out to
//! be wrong. What it cannot: have a single record used that is not under the root of the trusted header.

mod assembly;

use std::io::{self, Read, Write};

use nervure_primitives::{
    Hash, MeshId,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

pub use assembly::{Assembly, MAX_STATE_LEN, StatePage};

use crate::{
    block::{Header, MAX_HEADER_LEN},
    chain::Tip,
    spec::MeshSpec,
    state::LedgerState,
    tree::{MAX_RECORD_LEN, MemoryTree, RebuildError, Record, TreeError, changes},
};

/// What a snapshot begins with.
const MAGIC: &[u8; 8] = b"nervsnp1";

/// Largest snapshot in bytes.
pub const MAX_SNAPSHOT_BYTES: u64 = 4 << 30;

/// Largest certificate in a snapshot, in bytes.
pub const MAX_CERTIFICATE_LEN: usize = 64 * 1024;

/// Why a file is not a snapshot of this mesh.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Reading or writing failed, or the file ends too early.
    #[error("the snapshot: {0}")]
    Io(#[from] io::Error),
    /// Another kind of file.
    #[error("the file is not a snapshot")]
    NoSnapshot,
    /// More bytes than a snapshot may have.
    #[error("a snapshot has at most {MAX_SNAPSHOT_BYTES} bytes")]
    TooLarge,
    /// A frame that is not what it has to be.
    #[error("frame {frame} of the snapshot: {error}")]
    Frame {
        /// Which, from 0.
        frame: u64,
        /// What is wrong with it.
        error: CborError,
    },
    /// A record out of order, or twice.
    #[error("record {record} of the snapshot does not come after the one before it")]
    Order {
        /// Which, from 0.
        record: u64,
    },
    /// Something comes after the last record.
    #[error("the snapshot has more bytes after its last record")]
    Trailing,
    /// The state of another mesh.
    #[error("a snapshot of mesh {found}, not of mesh {expected}")]
    OtherMesh {
        /// Whose it is.
        found: MeshId,
        /// Whose it was to be.
        expected: MeshId,
    },
    /// A certified state for a mesh that continues no other one.
    #[error("the mesh was not recovered from another one: it begins with its genesis")]
    NotRecovered,
    /// The state of another block than the trusted one.
    #[error("a snapshot of block {found}, not of the trusted block {expected}")]
    OtherBlock {
        /// Which it is.
        found: Hash,
        /// The trusted one.
        expected: Hash,
    },
    /// Records that do not make the root of the header.
    #[error("the records of the snapshot make root {found}, its header says {expected}")]
    Root {
        /// What the header says.
        expected: Hash,
        /// What the records make.
        found: Hash,
    },
    /// Records that do not make a valid state.
    #[error("the records of the snapshot are not a valid state: {0}")]
    Rebuild(#[from] RebuildError),
    /// The root could not be computed.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// The first frame.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    header: Header,
    records: u64,
    #[serde(with = "serde_bytes")]
    certificate: Option<Vec<u8>>,
}

/// A tip from a snapshot, with the certificate that came with it, which is not verified yet.
#[derive(Debug)]
pub struct Imported {
    /// The block and the state after it; the state has the root that the header names.
    pub tip: Tip,
    /// The certificate of the block.
    pub certificate: Option<Vec<u8>>,
}

/// Writes the state of `tip`.
///
/// # Errors
/// When `out` fails.
pub fn write(tip: &Tip, certificate: Option<&[u8]>, out: &mut impl Write) -> Result<(), SnapshotError> {
    let records: Vec<Record> = changes(None, &tip.state).into_values().flatten().collect();
    let certificate = certificate.map(<[u8]>::to_vec);
    let head = Head { header: tip.header.clone(), records: records.len() as u64, certificate };
    out.write_all(MAGIC)?;
    frame(0, &head, out)?;
    for (number, record) in (1..).zip(&records) {
        frame(number, record, out)?;
    }
    Ok(out.flush()?)
}

fn frame(number: u64, value: &impl Serialize, out: &mut impl Write) -> Result<(), SnapshotError> {
    let bytes = cbor::encode(value).map_err(|error| SnapshotError::Frame { frame: number, error })?;
    out.write_all(&(bytes.len() as u32).to_be_bytes())?;
    Ok(out.write_all(&bytes)?)
}

/// Reads the state of a block of the mesh of `spec`: that of the block with id `trusted`, when given.
///
/// # Errors
/// When it is anything else, or not whole.
pub fn read(
    spec: &MeshSpec,
    trusted: Option<&Hash>,
    input: &mut impl Read,
) -> Result<Imported, SnapshotError> {
    read_of(spec, spec.mesh_id(), input, |found| trusted.copied().unwrap_or(found))
}

/// Reads the state that the mesh of `spec` continues: that of the certified block which the spec names. Its validators are
/// those of the mesh before; see [`recovery::begin`](crate::recovery::begin).
///
/// # Errors
/// When it is anything else, or not whole, or the spec continues no other mesh.
pub fn read_certified(spec: &MeshSpec, input: &mut impl Read) -> Result<Imported, SnapshotError> {
    let recovered = spec.recovered.as_ref().ok_or(SnapshotError::NotRecovered)?;
    read_of(spec, recovered.mesh, input, |_| recovered.block)
}

/// Reads the state of the block of mesh `expected` whose id is what `trusted` says when it is given the id in the file.
fn read_of(
    spec: &MeshSpec,
    expected: MeshId,
    input: &mut impl Read,
    trusted: impl FnOnce(Hash) -> Hash,
) -> Result<Imported, SnapshotError> {
    // The limit holds for the whole input: the number of records in the head is a claim of the sender.
    let mut frames = Frames { input: &mut input.take(MAX_SNAPSHOT_BYTES), number: 0 };
    let mut magic = [0; MAGIC.len()];
    frames.input.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(SnapshotError::NoSnapshot);
    }
    let head: Head = frames.next(MAX_HEADER_LEN + MAX_CERTIFICATE_LEN + 64)?;
    if head.header.mesh != expected {
        return Err(SnapshotError::OtherMesh { found: head.header.mesh, expected });
    }
    let found = head.header.id();
    let expected = trusted(found);
    if found != expected {
        return Err(SnapshotError::OtherBlock { found, expected });
    }
    let state = state_of(spec, &head.header, frames.records(head.records)?)?;
    Ok(Imported { tip: Tip { header: head.header, state }, certificate: head.certificate })
}

/// The state that `records` make, if it is the one that `header` names.
fn state_of(spec: &MeshSpec, header: &Header, records: Vec<Record>) -> Result<LedgerState, SnapshotError> {
    let state = LedgerState::from_records(spec, records)?;
    let found = MemoryTree::of(&state)?.root().unwrap_or(Hash::from_bytes([0; 32]));
    // The root covers the record that says the height, so that this is of the header's block.
    if found != header.state || state.height() != header.height {
        return Err(SnapshotError::Root { expected: header.state, found });
    }
    Ok(state)
}

/// Frames as they come in.
struct Frames<'a, R> {
    input: &'a mut io::Take<R>,
    number: u64,
}

impl<R: Read> Frames<'_, R> {
    /// The next frame, of at most `most` bytes.
    fn next<T: serde::de::DeserializeOwned>(&mut self, most: usize) -> Result<T, SnapshotError> {
        let frame = self.number;
        self.number += 1;
        let mut length = [0; 4];
        self.input.read_exact(&mut length).map_err(|error| self.cut(error))?;
        let length = u32::from_be_bytes(length) as usize;
        if length > most {
            let error = CborError::TooLarge { limit: most, actual: length };
            return Err(SnapshotError::Frame { frame, error });
        }
        // The length is compared above, so a sender cannot make this allocate more than one frame.
        let mut bytes = vec![0; length];
        self.input.read_exact(&mut bytes).map_err(|error| self.cut(error))?;
        cbor::decode(&bytes, Limits::new(most)).map_err(|error| SnapshotError::Frame { frame, error })
    }

    /// What the end of the input means.
    fn cut(&self, error: io::Error) -> SnapshotError {
        if self.input.limit() == 0 { SnapshotError::TooLarge } else { error.into() }
    }

    fn records(&mut self, count: u64) -> Result<Vec<Record>, SnapshotError> {
        // Grows with the records that arrive, and not by the claimed count.
        let mut records: Vec<Record> = Vec::new();
        for record in 0..count {
            let next: Record = self.next(MAX_RECORD_LEN)?;
            if records.last().is_some_and(|last| last.key() >= next.key()) {
                return Err(SnapshotError::Order { record });
            }
            records.push(next);
        }
        // One state has one file: bytes behind the last record would be under no root.
        match self.input.read(&mut [0])? {
            0 => Ok(records),
            _ => Err(SnapshotError::Trailing),
        }
    }
}
