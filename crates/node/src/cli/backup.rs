//! `nervure backup` and `nervure restore`: what makes a node, without what must never be restored.
//!
//! A backup is one file of canonical CBOR with the named files below. The chain is left out because other nodes have it, and
//! `consensus.wal` because a validator that forgets what it signed since the backup would sign twice, and lose its stake.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use nervure_primitives::{
    NodeId,
    cbor::{self, Limits},
    durable::{self, Access},
    key_file,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{Global, invite::VOUCHER_FILE, join::CONFIG_FILE, key, output, trust::MESH_FILE};
use crate::{
    local::LocalNode,
    runtime::{ANCHOR_KEY_FILE, EVIDENCE_FILE},
};

/// What a backup has, as far as it is there.
const KEPT: [&str; 8] = [
    key::KEY_FILE,
    "owner.pem",
    VOUCHER_FILE,
    ANCHOR_KEY_FILE,
    MESH_FILE,
    CONFIG_FILE,
    "service.env",
    EVIDENCE_FILE,
];

/// Directories whose files a backup has: a validator's averages.
const KEPT_DIRS: [&str; 1] = ["validator"];

/// What would harm a node that it is restored to.
const NEVER: [&str; 5] = ["consensus.wal", "chain.redb", "transactions.pending", "node.json", "peers.cbor"];

/// Largest backup, in bytes, and most files in it.
const MAX_BYTES: usize = 64 << 20;
const MAX_FILES: usize = 1_024;

/// What the file begins with.
const FORMAT: &str = "nervure-backup/1";

/// Saves what makes a node: keys, settings, the mesh spec; never what it signed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A backup has the keys of the node: keep it as secret as those. The chain is not in it (other nodes have it), and neither is
consensus.wal: a validator that is restored with an old one would sign twice and lose stake.")]
pub(crate) struct BackupArgs {
    /// The file to write; it must not exist
    file: PathBuf,
}

/// Makes a node's directory from a backup
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The directory must not have a key yet, and no other process may run with this key: stop the old node for good before.
A restored validator signs nothing until it has seen what its key signed before; that takes 64 blocks.")]
pub(crate) struct RestoreArgs {
    /// The backup
    file: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Backup {
    format: String,
    node: NodeId,
    files: BTreeMap<String, ByteBuf>,
}

#[derive(Serialize)]
struct BackupInfo<'a> {
    node: NodeId,
    files: Vec<&'a String>,
    path: &'a Path,
}

impl BackupArgs {
    /// Runs the command.
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        let dir = global.own_node_dir()?;
        let backup = Backup::of(&dir)?;
        let bytes = cbor::encode(&backup)?;
        anyhow::ensure!(
            bytes.len() <= MAX_BYTES,
            "there is more to save than {MAX_BYTES} bytes in {}",
            dir.display()
        );
        durable::create(&self.file, &bytes, Access::Owner)
            .with_context(|| format!("cannot write {}\nname another file", self.file.display()))?;
        if global.json {
            let (node, files) = (backup.node, backup.files.keys().collect());
            return output::json(&BackupInfo { node, files, path: &self.file });
        }
        backup.files.keys().try_for_each(|name| output::line(name))?;
        output::note(&format!(
            "saved {} files of {} in {}: keep it as secret as the key; restore it with: nervure restore {2}",
            backup.files.len(),
            backup.node,
            self.file.display()
        ));
        Ok(())
    }
}

impl RestoreArgs {
    /// Runs the command.
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        let dir = global.own_node_dir()?;
        let backup = Backup::read(&self.file)?;
        if LocalNode::find(&dir).is_ok() {
            bail!("a node runs in {}\nstop it, or name another directory: --dir", dir.display());
        }
        let key = dir.join(key::KEY_FILE);
        if key.exists() {
            bail!("{} has a key already\nname another directory: --dir", dir.display());
        }
        backup.write(&dir)?;
        // Only now: an encrypted key needs its passphrase, and the files are of use without it.
        if let Ok(restored) = key_file::read(&key, key::passphrase()?.as_ref()) {
            anyhow::ensure!(
                restored.node_id() == backup.node,
                "the backup has the key of another node than it says"
            );
        }
        output::note(&format!(
            "restored {} files of {} into {}\nno other process may run with this key. A validator signs nothing for 64 blocks, \
             because it does not know what it signed after the backup; next: nervure join",
            backup.files.len(),
            backup.node,
            dir.display()
        ));
        Ok(())
    }
}

impl Backup {
    /// Of the node in a directory.
    fn of(dir: &Path) -> anyhow::Result<Self> {
        let key = dir.join(key::KEY_FILE);
        anyhow::ensure!(key.exists(), "there is no key in {}\nname a node's directory: --dir", dir.display());
        let node = key_file::read(&key, key::passphrase()?.as_ref())?.node_id();
        let mut files = BTreeMap::new();
        for name in KEPT {
            let path = dir.join(name);
            if path.is_file() {
                files.insert(name.to_owned(), read(&path)?);
            }
        }
        for kept in KEPT_DIRS {
            let Ok(entries) = fs::read_dir(dir.join(kept)) else { continue };
            for entry in entries.flatten().take(MAX_FILES) {
                let path = entry.path();
                if let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_file())
                {
                    files.insert(format!("{kept}/{name}"), read(&path)?);
                }
            }
        }
        Ok(Self { format: FORMAT.into(), node, files })
    }

    /// Reads one. A file that is not among those of a backup is refused: it could be what must not be restored.
    fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = read(path)?;
        let backup: Self = cbor::decode(&bytes, Limits::new(MAX_BYTES))
            .ok()
            .filter(|backup: &Self| backup.format == FORMAT)
            .with_context(|| format!("{} is no backup of this version", path.display()))?;
        for name in backup.files.keys() {
            anyhow::ensure!(
                is_kept(name),
                "the backup has a file that is never restored: {name:?}\ndo not use this file: it is not from nervure backup"
            );
        }
        Ok(backup)
    }

    /// Writes the files.
    fn write(&self, dir: &Path) -> anyhow::Result<()> {
        for (name, bytes) in &self.files {
            let path = dir.join(name);
            if let Some(parent) = path.parent() {
                create_private(parent)?;
            }
            durable::create(&path, bytes, Access::Owner)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// Whether a name is that of a file in a backup.
fn is_kept(name: &str) -> bool {
    if NEVER.contains(&name) {
        return false;
    }
    let in_dir = |dir: &str| {
        let rest = name.strip_prefix(dir).and_then(|rest| rest.strip_prefix('/'));
        let is_plain =
            |rest: &str| !rest.is_empty() && !rest.starts_with('.') && !rest.contains(['/', '\\', '\0']);
        rest.is_some_and(is_plain)
    };
    KEPT.contains(&name) || KEPT_DIRS.iter().any(|dir| in_dir(dir))
}

fn create_private(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(dir).with_context(|| format!("cannot create {}", dir.display()))
}

fn read(path: &Path) -> anyhow::Result<ByteBuf> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(bytes.len() <= MAX_BYTES, "{} has more than {MAX_BYTES} bytes", path.display());
    Ok(ByteBuf::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_never_has_what_a_validator_signed() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = key::create(&old.path().join(key::KEY_FILE)).unwrap();
        for name in NEVER {
            fs::write(old.path().join(name), "x").unwrap();
        }
        fs::create_dir(old.path().join("validator")).unwrap();
        fs::write(old.path().join("validator/1.scores"), "averages").unwrap();
        let backup = Backup::of(old.path()).unwrap();
        let names: Vec<_> = backup.files.keys().map(String::as_str).collect();
        assert_eq!((backup.node, names), (key.node_id(), vec![key::KEY_FILE, "validator/1.scores"]));
        backup.write(&new.path().join("node")).unwrap();
        let restored = key_file::read(&new.path().join("node").join(key::KEY_FILE), None).unwrap();
        assert_eq!(restored.node_id(), key.node_id());
        assert!(!new.path().join("node/consensus.wal").exists());
    }

    #[test]
    fn a_made_up_backup_cannot_write_anything_else() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("backup");
        for name in
            ["consensus.wal", "../key.pem", "validator/../x", "validator/.x", "validator/", "/etc/x", "a"]
        {
            let files = BTreeMap::from([(name.to_owned(), ByteBuf::from(vec![1]))]);
            let backup = Backup { format: FORMAT.into(), node: NodeId::from_bytes([1; 32]), files };
            fs::write(&path, cbor::encode(&backup).unwrap()).unwrap();
            let refused = Backup::read(&path).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refused.contains("never restored"), "{name}: {refused}");
        }
        fs::write(&path, "nonsense").unwrap();
        assert!(Backup::read(&path).is_err());
    }
}
