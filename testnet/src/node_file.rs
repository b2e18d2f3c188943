//! `node.json`: the file in its directory in which a running node describes itself.
//!
//! A node writes it when all its sockets are bound, with a temporary file and a rename, so that a reader sees all of it
//! or nothing. It removes it when it stops. The file stays after a crash, so readers check that the process is alive.

use std::{fs, io, net::SocketAddr, path::Path};

use nervure_primitives::{
    MeshId, NodeId, UnixMillis,
    durable::{self, Access},
};
use serde::{Deserialize, Serialize};

use crate::ProcessRef;

/// Largest `node.json` that is read; a real one has about 600 bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The contents of `node.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFile {
    /// Its pid.
    pub pid: u32,
    /// When its process started, in the kernel's clock ticks since boot; 0 if it is not known. Another process may have
    /// the pid by now, the more so where each container counts its own.
    #[serde(default)]
    pub started: u64,
    /// Its name: the last part of its directory.
    pub name: String,
    /// `miner`, `validator`, `gateway` or `none`.
    pub role: String,
    /// Its node id.
    pub node: NodeId,
    /// The id of its mesh.
    pub mesh: MeshId,
    /// The address of its HTTP API.
    pub http: SocketAddr,
    /// The UDP address of its query endpoint, if it has one.
    pub query: Option<SocketAddr>,
    /// The addresses that its control plane listens on, as multiaddresses.
    pub p2p: Vec<String>,
    /// When it started.
    pub started_unix_ms: UnixMillis,
}

impl NodeFile {
    /// The file's name in the node's directory.
    pub const NAME: &'static str = "node.json";

    /// Reads the file in `dir`; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read or is malformed.
    pub fn read(dir: &Path) -> io::Result<Option<Self>> {
        let path = dir.join(Self::NAME);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(metadata) if metadata.len() > MAX_FILE_BYTES => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than a node.json can be"));
            }
            Ok(_) => {}
        }
        let text = fs::read(&path)?;
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Whether the process that wrote it still runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        ProcessRef { pid: self.pid, started: self.started }.is_alive()
    }

    /// Writes the file into `dir`, all or nothing.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        write_json(&dir.join(Self::NAME), self)
    }

    /// Removes the file from `dir`, if it exists.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn remove(dir: &Path) -> io::Result<()> {
        match fs::remove_file(dir.join(Self::NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Writes `value` to `path` as indented JSON, with a temporary file and a rename.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    durable::replace(path, &text, Access::Default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> NodeFile {
        NodeFile {
            pid: 7,
            started: 9,
            name: "miner-1".into(),
            role: "miner".into(),
            node: nervure_primitives::NodeKey::from_seed(&[1; 32]).node_id(),
            mesh: MeshId::from_bytes([2; 32]),
            http: ([127, 0, 0, 1], 4000).into(),
            query: Some(([127, 0, 0, 1], 4001).into()),
            p2p: vec!["/ip4/127.0.0.1/udp/4002/quic-v1".into()],
            started_unix_ms: UnixMillis(5),
        }
    }

    #[test]
    fn reads_back_and_can_be_removed_twice() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(NodeFile::read(dir.path()).unwrap(), None);
        file().write(dir.path()).unwrap();
        assert_eq!(NodeFile::read(dir.path()).unwrap(), Some(file()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
        NodeFile::remove(dir.path()).unwrap();
        NodeFile::remove(dir.path()).unwrap();
        assert_eq!(NodeFile::read(dir.path()).unwrap(), None);
    }

    #[test]
    fn the_process_of_another_start_is_not_the_node() {
        let ProcessRef { pid, started } = ProcessRef::own();
        assert!(NodeFile { pid, started, ..file() }.runs());
        if started > 0 {
            assert!(!NodeFile { pid, started: started - 1, ..file() }.runs());
        }
    }

    #[test]
    fn refuses_malformed_and_huge_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NodeFile::NAME);
        fs::write(&path, "{").unwrap();
        assert!(NodeFile::read(dir.path()).is_err());
        let huge = serde_json::to_string(&file()).unwrap() + &" ".repeat(70_000);
        fs::write(&path, huge).unwrap();
        assert!(NodeFile::read(dir.path()).is_err());
    }
}
