//! The nodes met so far and where: what a node begins with when it comes back, besides its bootstrap nodes.
//!
//! # Design
//! A bounded map in memory, written now and then as one file of canonical CBOR, which is replaced durably. Only registered nodes are remembered.
//!
//! # Hazards
//! The file is a cache. One that cannot be read is set aside with a warning, and never a reason not to start.
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

use crate::diversity::ADDRESSES_PER_NODE;

/// Nodes that are remembered; the one not seen for longest gives way.
const NODES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// Longest address that is remembered, in bytes.
const ADDRESS_LEN: usize = 256;

/// Longest file, in bytes; more than all of the above can fill.
const FILE_LEN: usize = 4 << 20;

/// The format's version.
const VERSION: u8 = 1;

/// Why the file was not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerStoreError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is longer than any that this program writes.
    #[error("it is longer than {FILE_LEN} bytes")]
    TooLong,
    /// It is not what this program writes.
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
    /// Longest unseen first.
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

/// What is remembered of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    addresses: Vec<Multiaddr>,
    seen: UnixMillis,
}

/// Nodes and their addresses.
pub(crate) struct PeerStore {
    nodes: LruCache<PeerId, Known>,
    changed: bool,
}

impl PeerStore {
    pub(crate) fn new() -> Self {
        Self { nodes: LruCache::new(NODES), changed: false }
    }

    /// What the file at `path` holds; nothing when there is none, or when it had to be set aside.
    pub(crate) fn open(path: &Path) -> Self {
        match Self::read(path) {
            Ok(store) => store,
            Err(PeerStoreError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Self::new(),
            Err(error) => {
                let aside = beside(path, "corrupt");
                let moved = fs::rename(path, &aside).is_ok();
                tracing::warn!(path = %path.display(), %error, moved, "the peer store cannot be used; starting anew");
                Self::new()
            }
        }
    }

    fn read(path: &Path) -> Result<Self, PeerStoreError> {
        let mut bytes = Vec::new();
        let most = FILE_LEN as u64 + 1;
        fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
        if bytes.len() > FILE_LEN {
            return Err(PeerStoreError::TooLong);
        }
        Self::decode(&bytes)
    }

    /// The store that `bytes` encode. Nodes and addresses that make no sense are left out.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, PeerStoreError> {
        let file: File = cbor::decode(bytes, Limits::new(FILE_LEN))?;
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
        store.changed = false;
        Ok(store)
    }

    fn encode(&self) -> Result<Vec<u8>, CborError> {
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

    /// Remembers that `peer` was seen, and that these are its addresses. None is no news.
    pub(crate) fn remember(&mut self, peer: PeerId, addresses: &[Multiaddr], seen: UnixMillis) {
        let short = addresses.iter().filter(|address| address.len() <= ADDRESS_LEN);
        let addresses: Vec<_> = short.take(ADDRESSES_PER_NODE).cloned().collect();
        if !addresses.is_empty() {
            self.nodes.put(peer, Known { addresses, seen });
            self.changed = true;
        }
    }

    /// Where `peer` was; nothing for one that is not remembered.
    pub(crate) fn addresses(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.nodes.peek(peer).map(|known| known.addresses.clone()).unwrap_or_default()
    }

    /// The nodes seen last, latest first, at most `count`.
    pub(crate) fn latest(&self, count: usize) -> Vec<(PeerId, Vec<Multiaddr>)> {
        self.nodes.iter().take(count).map(|(peer, known)| (*peer, known.addresses.clone())).collect()
    }

    /// How many nodes are remembered.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The file's new content, when there is any news since the last time.
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
/// What the system said; the old file is then still there.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    durable::replace(path, bytes, Access::Owner)
}

/// The path with another extension added to it.
fn beside(path: &Path, extension: &str) -> PathBuf {
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
    fn what_was_written_is_there_again_in_order() {
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
    fn it_is_bounded_and_forgets_whom_it_has_not_seen_for_longest() {
        let mut store = PeerStore::new();
        let many: Vec<_> = (0..100).map(address).collect();
        for number in 0..1100 {
            store.remember(peer(number), &many, UnixMillis(0));
        }
        assert_eq!(store.len(), NODES.get());
        assert!(store.addresses(&peer(0)).is_empty() && !store.addresses(&peer(1099)).is_empty());
        assert_eq!(store.addresses(&peer(1099)).len(), ADDRESSES_PER_NODE);
        assert!(store.take_changes().unwrap().len() < FILE_LEN);
    }

    #[test]
    fn a_broken_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers");
        let mut store = PeerStore::new();
        store.remember(peer(1), &[address(1)], UnixMillis(0));
        written(&mut store, &path);
        let mut bytes = fs::read(&path).unwrap();
        bytes.push(0);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(PeerStore::open(&path).len(), 0);
        assert!(!path.exists(), "it is out of the way");
        assert_eq!(fs::read(beside(&path, "corrupt")).unwrap(), bytes, "and still there to look at");
        written(&mut store_of_one(), &path);
        assert_eq!(PeerStore::open(&path).len(), 1);
    }

    fn store_of_one() -> PeerStore {
        let mut store = PeerStore::new();
        store.remember(peer(1), &[address(1)], UnixMillis(0));
        store
    }

    #[test]
    fn a_missing_file_is_an_empty_store() {
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
