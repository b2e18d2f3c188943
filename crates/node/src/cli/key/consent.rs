//! `nervure key consent`: a node key agrees to belong to an owner whose key is on another machine.
//!
//! The file holds no secret. It lets the named owner, and no one else, register the node on the named mesh. Who changes it makes
//! it invalid.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nervure_ledger::transaction::{consent, consented_owner};
use nervure_primitives::{Envelope, MeshId, NodeId, key_file};
use serde::{Deserialize, Serialize};

use super::{Global, KEY_FILE, passphrase};
use crate::cli::{mesh, output, trust, wallet::files};

/// Writes a file with which an owner on another machine registers this node: the owner key never comes near it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  nervure key consent --owner OWNER --out consent.json           on the node's machine
  nervure key register --consent consent.json --key owner.pem --mesh mesh.toml
                                                                 on the owner's")]
pub(crate) struct ConsentArgs {
    /// The node key's file [default: key.pem in the node's directory]
    file: Option<PathBuf>,
    /// Owner id of the account that the node will belong to (on the owner's machine: nervure key show FILE)
    #[arg(long, value_name = "OWNER")]
    owner: NodeId,
    /// The mesh spec, a file or a URL [default: mesh.toml in the directory]
    #[arg(long = "mesh", value_name = "SPEC")]
    mesh: Option<String>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A consent, so that it can be sent and read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsentFile {
    /// The mesh that it is for.
    mesh: MeshId,
    /// The node that agrees.
    node: NodeId,
    /// The owner that it agrees to.
    owner: NodeId,
    /// The node key's word.
    consent: Envelope,
}

impl ConsentArgs {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let file = self.file.map_or_else(|| global.own_node_dir().map(|dir| dir.join(KEY_FILE)), Ok)?;
        let key = key_file::read(&file, passphrase()?.as_ref())?;
        let spec = match &self.mesh {
            Some(source) => mesh::read(source).await?,
            None => trust::read_spec(&trust::spec_here(global)?).await?,
        };
        let (node, owner, mesh) = (key.node_id(), self.owner, spec.mesh_id());
        let written = ConsentFile { mesh, node, owner, consent: consent(&key, &owner, &mesh)? };
        files::create(&self.out, &written)?;
        output::note(&format!(
            "{node} agrees to belong to {owner}, in {}\nthe owner registers it: nervure key register --consent {0}",
            self.out.display()
        ));
        if global.json { output::json(&written) } else { Ok(()) }
    }
}

impl ConsentFile {
    /// Reads one for `owner` on `mesh`, and verifies it.
    ///
    /// # Errors
    /// When the file has none, or one for another owner or mesh.
    pub(super) fn read(path: &Path, owner: NodeId, mesh: MeshId) -> anyhow::Result<Envelope> {
        let shown = path.display();
        let file: Self = files::read(path)?;
        if file.mesh != mesh {
            bail!(
                "the consent in {shown} is for mesh {}, and this is {mesh}\nmake it again with the spec of this mesh: nervure \
                 key consent --mesh SPEC",
                file.mesh
            );
        }
        let named = consented_owner(&file.consent, &mesh).with_context(|| {
            format!("{shown} was changed, or is no consent\nmake it again: nervure key consent")
        })?;
        if named != owner {
            bail!(
                "the consent in {shown} is for the owner {named}, and the key is that of {owner}\nname the right key: --key \
                 FILE, or make it again: nervure key consent --owner {owner}"
            );
        }
        output::note(&format!("{} agrees to belong to {owner}", file.consent.signer()));
        Ok(file.consent)
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::NodeKey;

    use super::*;

    #[test]
    fn a_consent_is_for_one_owner_and_one_mesh_and_cannot_be_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (mesh, other_mesh) = (MeshId::from_bytes([7; 32]), MeshId::from_bytes([8; 32]));
        let [node, owner, other] = [1, 2, 3].map(|byte| NodeKey::from_seed(&[byte; 32]));
        let (owner, other) = (owner.node_id(), other.node_id());
        let written = ConsentFile {
            mesh,
            node: node.node_id(),
            owner,
            consent: consent(&node, &owner, &mesh).unwrap(),
        };
        let path = dir.path().join("consent.json");
        files::create(&path, &written).unwrap();
        assert_eq!(ConsentFile::read(&path, owner, mesh).unwrap().signer(), node.node_id());
        let fails = |path: &Path, owner, mesh, why: &str| {
            let error = format!("{:#}", ConsentFile::read(path, owner, mesh).unwrap_err());
            assert!(error.contains(why), "{error}");
        };
        fails(&path, other, mesh, "--key");
        fails(&path, owner, other_mesh, "is for mesh");
        // The name in the file is for the reader: the signature decides.
        let renamed = dir.path().join("renamed.json");
        files::create(&renamed, &ConsentFile { owner: other, mesh: other_mesh, ..written.clone() }).unwrap();
        fails(&renamed, owner, other_mesh, "was changed");
        let nonsense = dir.path().join("nonsense.json");
        std::fs::write(&nonsense, "{}").unwrap();
        fails(&nonsense, owner, mesh, "is not such a file");
    }
}
