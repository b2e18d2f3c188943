//! `nervure wallet submit`: submits what was signed on another machine.
//!
//! The file may have been changed on its way: what is shown of it is computed from the signed transaction, and a changed one has
//! no valid signature. Who has the file can submit it, and do nothing else with it.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use nervure_ledger::transaction::SignedTransaction;
use nervure_primitives::{Envelope, MeshId};
use serde::{Deserialize, Serialize};

use super::{files, finality::Spending};
use crate::cli::{Global, access::Access, output};

/// Submits a transaction that was signed to a file (--sign-to FILE), from any machine
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SubmitArgs {
    /// The file
    file: PathBuf,
    /// Print what the transaction would do and cost, and do not submit it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    access: Access,
}

/// A signed transaction, so that it can be sent and read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct SignedFile {
    /// The mesh that it is for.
    pub(in crate::cli) mesh: MeshId,
    /// The transaction with its signature.
    pub(in crate::cli) envelope: Envelope,
}

impl SubmitArgs {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let signed = SignedFile::read(&self.file)?;
        let checked = signed.checked(&self.file)?;
        let transaction = checked.checked().transaction().map_err(|error| anyhow!("{error}"))?;
        let (signer, fee) = (checked.checked().signer(), transaction.fee);
        let intent = transaction.call.intent();
        output::note(&format!("signed by {signer}; it {intent}; valid until block {}", transaction.expiry));
        let session = self.access.open(global).await?;
        let here = session.node.mesh().context("the node's mesh is not known")?;
        anyhow::ensure!(
            here == signed.mesh,
            "{} is for mesh {}, and this node is in {here}\nsubmit it there: --mesh SPEC or --from URL",
            self.file.display(),
            signed.mesh
        );
        let spending = Spending { node: session.node.client(), envelope: signed.envelope, fee, intent };
        spending.run(self.dry_run, global).await.map(drop)
    }
}

impl SignedFile {
    /// Writes a new file.
    pub(in crate::cli) fn create(&self, path: &Path) -> anyhow::Result<()> {
        files::create(path, self)
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        files::read(path)
    }

    /// The transaction, with a valid signature for the mesh in the file.
    fn checked(&self, path: &Path) -> anyhow::Result<SignedTransaction> {
        let signed = SignedTransaction::verify(self.envelope.clone(), &self.mesh);
        match signed.checked().transaction() {
            Ok(_) => Ok(signed),
            Err(error) => {
                Err(anyhow!("{} was changed, or has no transaction: {error}\nsign it again", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nervure_ledger::transaction::{Call, Transaction, Transfer};
    use nervure_primitives::{Amount, BlockHeight, NodeKey};

    use super::*;

    #[test]
    fn a_file_that_was_changed_on_its_way_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (key, mesh) = (NodeKey::from_seed(&[1; 32]), MeshId::from_bytes([7; 32]));
        let pay = Transfer { to: key.node_id(), amount: Amount::from_base_units(5), memo: None };
        let (fee, tip, expiry) = (Amount::ZERO, Amount::ZERO, BlockHeight(9));
        let transaction = Transaction { nonce: 0, fee, tip, expiry, call: Call::Transfer(pay) };
        let signed = SignedFile { mesh, envelope: transaction.seal(&key, &mesh).unwrap() };
        let path = dir.path().join("pay.json");
        signed.create(&path).unwrap();
        let read = SignedFile::read(&path).unwrap();
        assert_eq!(read, signed);
        assert_eq!(read.checked(&path).unwrap().checked().transaction(), Ok(&transaction));
        let elsewhere = SignedFile { mesh: MeshId::from_bytes([8; 32]), ..signed };
        assert!(elsewhere.checked(&path).unwrap_err().to_string().contains("was changed"));
    }
}
