//! The peer store: nodes that this one has met, and their addresses. A restarted node dials them, besides its bootstrap
//! nodes.
//!
//! # Design
//! A bounded map in memory, written periodically as one file of canonical CBOR, which is replaced durably. It holds
//! registered nodes only.
//!
//! # Hazards
//! The file is a cache. One that cannot be read is moved aside with a warning; the node starts without it.
//! It names addresses of nodes, so only its owner may read it.

use std::{
    fs, io,
    io::Read,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use libp2p::{Multiaddr, PeerId};
use lru::LruCache;
use nervure_primitives::{
    NodeId, UnixMillis,
    cbor::{self, CborError, Limits},
    durable::{self, Access},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::diversity::MAX_ADDRESSES_PER_NODE;

/// Nodes that are kept; the least recently seen one is evicted.
const MAX_NODES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// Longest address that is kept, in bytes.
const MAX_ADDRESS_BYTES: usize = 256;

/// Longest file, in bytes; larger than a full store.
const MAX_FILE_BYTES: usize = 4 << 20;

/// The format's version.
const VERSION: u8 = 1;

/// Why the file was not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerStoreError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is longer than any file that this program writes.
    #[error("it is longer than {MAX_FILE_BYTES} bytes")]
    TooLong,
    /// It is not in the format that this program writes.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// It comes from another version of the program.
    #[error("its version is {0}, not {VERSION}")]
    Version(u8),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u8,
    /// Least recently seen first.
    nodes: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    node: ByteBuf,
    addresses: Vec<ByteBuf>,
    /// Milliseconds since 1970.
    seen: u64,
}

/// A node's addresses, and when it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KnownNode {
    addresses: Vec<Multiaddr>,
    seen: UnixMillis,
}

/// Nodes and their addresses.
pub(crate) struct PeerStore {
    nodes: LruCache<PeerId, KnownNode>,
    changed: bool,
}

impl PeerStore {
    pub(crate) fn new() -> Self {
        Self { nodes: LruCache::new(MAX_NODES), changed: false }
    }

    /// Reads the file at `path`. The store is empty when there is no file, or when it was invalid and moved aside.
    pub(crate) fn open(path: &Path) -> Self {
        match Self::read(path) {
            Ok(store) => store,
            Err(PeerStoreError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Self::new(),
            Err(error) => {
                let aside = with_suffix(path, "corrupt");
                let moved = fs::rename(path, &aside).is_ok();
                tracing::warn!(path = %path.display(), %error, moved, "the peer store is unusable; starting empty");
                Self::new()
            }
        }
    }

    fn read(path: &Path) -> Result<Self, PeerStoreError> {
        let mut bytes = Vec::new();
        // One byte more than allowed: a longer file is seen as such, and no more of it is read.
        let most = MAX_FILE_BYTES as u64 + 1;
        fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(PeerStoreError::TooLong);
        }
        Self::decode(&bytes)
    }

    /// The store that `bytes` encode. Invalid nodes and addresses are left out.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, PeerStoreError> {
        let file: File = cbor::decode(bytes, Limits::new(MAX_FILE_BYTES))?;
        if file.version != VERSION {
            return Err(PeerStoreError::Version(file.version));
        }
        let mut store = Self::new();
        for entry in file.nodes {
            let Ok(node) = <[u8; 32]>::try_from(entry.node.as_slice()) else { continue };
            let addresses =
                entry.addresses.into_iter().filter_map(|bytes| Multiaddr::try_from(bytes.into_vec()).ok());
            let addresses: Vec<_> = addresses.collect();
            store.remember(NodeId::from_bytes(node).peer_id(), &addresses, UnixMillis(entry.seen));
        }
        // `remember` has set it, and the file on the disk has all of this.
        store.changed = false;
        Ok(store)
    }

    fn encode(&self) -> Result<Vec<u8>, CborError> {
        // The cache iterates from the latest. The file has the oldest first, so that reading it restores the
        // order.
        let nodes = self.nodes.iter().rev().filter_map(|(peer, known)| {
            let node = NodeId::try_from(*peer).ok()?;
            Some(Entry {
                node: ByteBuf::from(node.as_bytes().to_vec()),
                addresses: known.addresses.iter().map(|address| ByteBuf::from(address.to_vec())).collect(),
                seen: known.seen.0,
            })
        });
        cbor::encode(&File { version: VERSION, nodes: nodes.collect() })
    }

    /// Stores when `peer` was seen and its addresses. Without addresses nothing changes.
    pub(crate) fn remember(&mut self, peer: PeerId, addresses: &[Multiaddr], seen: UnixMillis) {
        let short = addresses.iter().filter(|address| address.len() <= MAX_ADDRESS_BYTES);
        let addresses: Vec<_> = short.take(MAX_ADDRESSES_PER_NODE).cloned().collect();
        if !addresses.is_empty() {
            self.nodes.put(peer, KnownNode { addresses, seen });
            self.changed = true;
        }
    }

    /// The stored addresses of `peer`; empty for an unknown one.
    pub(crate) fn addresses(&self, peer: &PeerId) -> Vec<Multiaddr> {
        // Not `get`: a look-up by this node does not mean that the peer was seen.
        self.nodes.peek(peer).map(|known| known.addresses.clone()).unwrap_or_default()
    }

    /// The nodes seen last, latest first, at most `count`.
    pub(crate) fn latest(&self, count: usize) -> Vec<(PeerId, Vec<Multiaddr>)> {
        self.nodes.iter().take(count).map(|(peer, known)| (*peer, known.addresses.clone())).collect()
    }

    /// How many nodes are stored.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The file's new content, if anything changed since the last call.
    pub(crate) fn take_changes(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        self.encode().inspect_err(|error| tracing::warn!(%error, "the peer store cannot be encoded")).ok()
    }
}

/// Replaces the file at `path` with `bytes`. Blocks.
///
/// # Errors
/// When the file cannot be written; the old file is then unchanged.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    durable::replace(path, bytes, Access::Owner)
}

/// The path with another extension added to it.
fn with_suffix(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

#[cfg(test)]
mod tests {
    use nervure_primitives::NodeKey;
    use proptest::prelude::*;

    use super::*;

    fn peer(number: u32) -> PeerId {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        NodeKey::from_seed(&seed).node_id().peer_id()
    }

    fn address(port: u16) -> Multiaddr {
        format!("/ip4/203.0.113.1/udp/{port}/quic-v1").parse().unwrap()
    }

    fn written(store: &mut PeerStore, path: &Path) {
        write(path, &store.take_changes().unwrap()).unwrap();
    }

    #[test]
    fn a_written_store_is_read_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new folder").join("peers");
        let mut store = PeerStore::new();
        for number in 0..3 {
            store.remember(peer(number), &[address(1), address(2)], UnixMillis(number.into()));
        }
        written(&mut store, &path);
        assert!(store.take_changes().is_none(), "nothing new since");
        let again = PeerStore::open(&path);
        assert_eq!(again.latest(9), store.latest(9));
        assert_eq!(again.latest(1)[0].0, peer(2));
        assert_eq!(again.addresses(&peer(0)), [address(1), address(2)]);
    }

    #[test]
    fn a_full_store_evicts_the_least_recently_seen_node() {
        let mut store = PeerStore::new();
        let many: Vec<_> = (0..100).map(address).collect();
        for number in 0..1100 {
            store.remember(peer(number), &many, UnixMillis(0));
        }
        assert_eq!(store.len(), MAX_NODES.get());
        assert!(store.addresses(&peer(0)).is_empty() && !store.addresses(&peer(1099)).is_empty());
        assert_eq!(store.addresses(&peer(1099)).len(), MAX_ADDRESSES_PER_NODE);
        assert!(store.take_changes().unwrap().len() < MAX_FILE_BYTES);
    }

    #[test]
    fn an_invalid_file_is_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers");
        let mut store = PeerStore::new();
        store.remember(peer(1), &[address(1)], UnixMillis(0));
        written(&mut store, &path);
        let mut bytes = fs::read(&path).unwrap();
        bytes.push(0);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(PeerStore::open(&path).len(), 0);
        assert!(!path.exists(), "the invalid file was moved");
        assert_eq!(
            fs::read(with_suffix(&path, "corrupt")).unwrap(),
            bytes,
            "the moved file keeps its content"
        );
        written(&mut store_of_one(), &path);
        assert_eq!(PeerStore::open(&path).len(), 1);
    }

    fn store_of_one() -> PeerStore {
        let mut store = PeerStore::new();
        store.remember(peer(1), &[address(1)], UnixMillis(0));
        store
    }

    #[test]
    fn a_missing_file_gives_an_empty_store() {
        assert_eq!(PeerStore::open(Path::new("/nonexistent/peers")).len(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers");
        written(&mut store_of_one(), &path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = PeerStore::decode(&bytes);
        }

        #[test]
        fn a_changed_byte_never_gives_more_than_the_bounds(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = store_of_one().take_changes().unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(store) = PeerStore::decode(&bytes) {
                prop_assert!(store.len() <= 1);
            }
        }
    }
}
