//! The tables of the file, and how a value is sealed in one.

use std::{
    panic::{self, AssertUnwindSafe},
    path::Path,
};

use nervure_primitives::{BlockHeight, MeshId};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, Table, TableDefinition, TableError};

use super::{History, StoreError, StoreOptions};

/// A table from bytes to sealed bytes. Heights and versions are big-endian, so that they sort as numbers.
pub(super) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// What the file is.
const META: Definition = TableDefinition::new("meta");
/// Height to block.
pub(super) const BLOCKS: Definition = TableDefinition::new("blocks");
/// Height to header; also of a block that was never here because the chain began with a snapshot.
pub(super) const HEADERS: Definition = TableDefinition::new("headers");
/// Height to certificate.
pub(super) const CERTIFICATES: Definition = TableDefinition::new("certificates");
/// Height to events.
pub(super) const EVENTS: Definition = TableDefinition::new("events");
/// Key of a tree node to the node.
pub(super) const NODES: Definition = TableDefinition::new("nodes");
/// Place of a record and version to the record, or nothing where it was removed.
pub(super) const VALUES: Definition = TableDefinition::new("values");
/// Version, kind and key to nothing: what no version from this one on needs.
pub(super) const STALE: Definition = TableDefinition::new("stale");

/// Hash of a validator set to the set.
pub(super) const VALIDATORS: Definition = TableDefinition::new("validators");
/// Height of a block that ended epochs to the metagraph roots that they left.
pub(super) const CHECKPOINTS: Definition = TableDefinition::new("checkpoints");
/// Number of a subnet to the block of its last epoch, and what that was computed from.
pub(super) const EPOCHS: Definition = TableDefinition::new("epochs");

/// All of them: a new file has them from the beginning.
const ALL: [Definition; 11] =
    [META, BLOCKS, HEADERS, CERTIFICATES, EVENTS, NODES, VALUES, STALE, VALIDATORS, CHECKPOINTS, EPOCHS];

pub(super) const FORMAT: &str = "format";
pub(super) const MESH: &str = "mesh";
pub(super) const BASE: &str = "base";
/// Below which height certificates are thinned; absent before the first is.
const THINNED: &str = "thinned";

/// A smaller file is not compacted.
const MIN_COMPACTED_BYTES: u64 = 64 << 20;

/// Bytes of a checksum.
const CHECKSUM_BYTES: usize = 4;

/// Opens the file, repairs what a crash left half done, and checks every page of it: redb trusts the
/// pages that it reads, so that a damaged one has to be found before. On some damage it panics instead
/// of saying so; that is damage all the same.
///
/// Returns the number of bytes by which the file was compacted, too.
pub(super) fn open(path: &Path, options: StoreOptions) -> Result<(Database, u64), StoreError> {
    let mut db = guarded(path, || Database::builder().set_cache_size(options.cache).create(path))?;
    let reclaimed = match options.history {
        History::Archive => 0,
        History::Last(_) | History::Unbonding(_) => compact(path, &mut db)?,
    };
    Ok((db, reclaimed))
}

/// The last height of the file at `path`, if it can be opened.
pub(super) fn last_height(path: &Path) -> Option<BlockHeight> {
    let db = Database::open(path).ok()?;
    let headers = db.begin_read().ok()?.open_table(HEADERS).ok()?;
    let last = headers.last().ok()??;
    height(HEADERS, last.0.value()).ok()
}

/// Compacts a large file that is mostly unused: bodies were deleted at a time when there were many. Where they come and
/// go, their pages are used again, and the file does not grow.
fn compact(path: &Path, db: &mut Database) -> Result<u64, StoreError> {
    let before = path.metadata()?.len();
    if before < MIN_COMPACTED_BYTES {
        return Ok(0);
    }
    let transaction = db.begin_write()?;
    let stats = transaction.stats()?;
    transaction.abort()?;
    let used = stats.allocated_pages().saturating_mul(stats.page_size() as u64);
    if used.saturating_mul(2) > before {
        return Ok(0);
    }
    db.compact().map_err(|error| StoreError::damaged(path.display(), error))?;
    Ok(before.saturating_sub(path.metadata()?.len()))
}

/// [`open`], whatever it is opened on.
pub(super) fn guarded(
    path: &Path,
    create: impl FnOnce() -> Result<Database, DatabaseError>,
) -> Result<Database, StoreError> {
    let opening = |error| StoreError::opening(path, error);
    let checked = || {
        // `create` opens an existing file, takes its lock, and repairs it after a crash.
        let mut db = create().map_err(opening)?;
        match db.check_integrity().map_err(opening)? {
            true => Ok(db),
            false => Err(StoreError::damaged(path.display(), "pages of it are not what was written")),
        }
    };
    let damaged = |_| Err(StoreError::damaged(path.display(), "its structure is broken"));
    panic::catch_unwind(AssertUnwindSafe(checked)).unwrap_or_else(damaged)
}

/// What a file says about itself.
pub(super) struct Meta {
    pub(super) format: u64,
    pub(super) mesh: MeshId,
    pub(super) base: u64,
}

impl Meta {
    /// Of a file; `None` when nothing was ever committed to it.
    pub(super) fn read(db: &Database) -> Result<Option<Self>, StoreError> {
        let table = match db.begin_read()?.open_table(META) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            table => table?,
        };
        let number = |name: &str| {
            let bytes = require(&table, META, name.as_bytes())?;
            let bytes = <[u8; 8]>::try_from(bytes.as_slice());
            bytes.map(u64::from_be_bytes).map_err(|_| StoreError::damaged(name, "not a number"))
        };
        let mesh = <[u8; 32]>::try_from(require(&table, META, MESH.as_bytes())?.as_slice());
        Ok(Some(Self {
            format: number(FORMAT)?,
            mesh: MeshId::from_bytes(mesh.map_err(|_| StoreError::damaged(MESH, "not a mesh id"))?),
            base: number(BASE)?,
        }))
    }

    /// Makes all tables and says what the file is.
    pub(super) fn write(&self, transaction: &redb::WriteTransaction) -> Result<(), StoreError> {
        for table in ALL {
            transaction.open_table(table)?;
        }
        let mut table = transaction.open_table(META)?;
        put(&mut table, META, FORMAT.as_bytes(), &self.format.to_be_bytes())?;
        put(&mut table, META, MESH.as_bytes(), self.mesh.as_bytes())?;
        put(&mut table, META, BASE.as_bytes(), &self.base.to_be_bytes())
    }
}

/// Below which height certificates are thinned, if any are.
pub(super) fn thinned_below(transaction: &redb::WriteTransaction) -> Result<Option<BlockHeight>, StoreError> {
    let found = get(&transaction.open_table(META)?, META, THINNED.as_bytes())?;
    found.map(|bytes| height(META, &bytes)).transpose()
}

/// Certificates below this height are thinned.
pub(super) fn set_thinned_below(
    transaction: &redb::WriteTransaction,
    height: BlockHeight,
) -> Result<(), StoreError> {
    put(&mut transaction.open_table(META)?, META, THINNED.as_bytes(), &height.0.to_be_bytes())
}

/// The value of `key`, if there is one and it is what was written.
pub(super) fn get(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    of: Definition,
    key: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    let found = table.get(key)?;
    found.map(|sealed| unseal(of, key, sealed.value()).map(<[u8]>::to_vec)).transpose()
}

/// The value of a `key` that has to be there.
pub(super) fn require(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    of: Definition,
    key: &[u8],
) -> Result<Vec<u8>, StoreError> {
    get(table, of, key)?.ok_or_else(|| StoreError::damaged(name(of, key), "it is missing"))
}

/// Writes a sealed value.
pub(super) fn put(
    table: &mut Table<'_, &'static [u8], &'static [u8]>,
    of: Definition,
    key: &[u8],
    value: &[u8],
) -> Result<(), StoreError> {
    let mut sealed = Vec::with_capacity(CHECKSUM_BYTES + value.len());
    sealed.extend_from_slice(&checksum(of, key, value));
    sealed.extend_from_slice(value);
    table.insert(key, sealed.as_slice())?;
    Ok(())
}

/// What was sealed under `key`, if it is unchanged.
pub(super) fn unseal<'a>(of: Definition, key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], StoreError> {
    match sealed.split_first_chunk::<CHECKSUM_BYTES>() {
        Some((sum, value)) if *sum == checksum(of, key, value) => Ok(value),
        _ => Err(StoreError::damaged(name(of, key), "its checksum does not match")),
    }
}

/// The height that is a key.
pub(super) fn height(of: Definition, key: &[u8]) -> Result<BlockHeight, StoreError> {
    let bytes = <[u8; 8]>::try_from(key).map(u64::from_be_bytes);
    bytes.map(BlockHeight).map_err(|_| StoreError::damaged(name(of, key), "not a height"))
}

/// What errors call an entry.
pub(super) fn name(of: Definition, key: &[u8]) -> String {
    use redb::TableHandle;
    let hex: String = key.iter().take(40).map(|byte| format!("{byte:02x}")).collect();
    format!("entry {hex} of table {}", of.name())
}

fn checksum(of: Definition, key: &[u8], value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    use redb::TableHandle;
    let mut hasher = crc32fast::Hasher::new();
    let length = (key.len() as u64).to_be_bytes();
    // Table and key are covered, so that a value under another key does not match. The length separates key
    // and value.
    [of.name().as_bytes(), &length, key, value].iter().for_each(|part| hasher.update(part));
    hasher.finalize().to_be_bytes()
}
