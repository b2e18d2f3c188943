//! The files of threshold accounts, proposals and batches: JSON, so that they can be sent and read.
//!
//! A proposal may be written by an attacker. Everything that is shown of it is computed from its call, and an approval is of
//! exactly that call. Invalid approvals in a file count for nothing.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{Read as _, Write as _},
    path::Path,
};

use anyhow::{Context, bail};
use nervure_ledger::{
    multisig::{Approval, MultisigAccount},
    transaction::{Batch, Call, MAX_BATCH_CALLS, MultisigCall, SignerKey},
};
use nervure_primitives::{MeshId, NodeId, NodeKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Largest file that is read, in bytes: a transaction has 8 KiB, and JSON writes a byte in up to four.
const MAX_FILE_BYTES: u64 = 256 << 10;

/// A call of a threshold account, with the approvals that it has so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Proposal {
    /// The mesh that it is for.
    pub(in crate::cli) mesh: MeshId,
    /// The call.
    pub(in crate::cli) call: MultisigCall,
}

/// Calls that are submitted together.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct BatchFile {
    /// The mesh that they are for.
    pub(in crate::cli) mesh: MeshId,
    /// The calls.
    pub(in crate::cli) calls: Vec<Call>,
}

/// Reads a threshold account.
///
/// # Errors
/// When the file has none.
pub(in crate::cli) fn account(path: &Path) -> anyhow::Result<MultisigAccount> {
    let MultisigAccount { threshold, members } = read(path)?;
    MultisigAccount::new(threshold, members).with_context(|| format!("the account in {}", path.display()))
}

/// Reads a file of at most 256 KiB.
///
/// # Errors
/// When it has something else.
pub(in crate::cli) fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let shown = path.display();
    let mut text = String::new();
    let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).with_context(|| format!("cannot read {shown}"))?;
    serde_json::from_str(&text).with_context(|| {
        format!(
            "{shown} is not such a file\nsee the help of the command that writes it, such as nervure wallet batch --help"
        )
    })
}

/// Writes a file that must not exist, so that no proposal is lost.
pub(in crate::cli) fn create(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let mut file = File::create_new(path)
        .with_context(|| format!("cannot create {}\nname another file", path.display()))?;
    writeln!(file, "{}", serde_json::to_string_pretty(value)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn replace(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

impl Proposal {
    /// Reads one, and checks its form.
    ///
    /// # Errors
    /// When the file has none.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let proposal: Self = read(path)?;
        proposal.check().with_context(|| format!("the proposal in {}", path.display()))?;
        Ok(proposal)
    }

    /// Refuses a call that no threshold account can make.
    pub(in crate::cli) fn check(&self) -> anyhow::Result<()> {
        Ok(self.call.check_call(&self.mesh)?)
    }

    /// Writes a new file.
    pub(in crate::cli) fn create(&self, path: &Path) -> anyhow::Result<()> {
        create(path, self)
    }

    /// Writes the file again.
    pub(super) fn replace(&self, path: &Path) -> anyhow::Result<()> {
        replace(path, self)
    }

    /// Whether `id` is a member's.
    pub(in crate::cli) fn is_member(&self, id: &NodeId) -> bool {
        self.call.account.members.contains(id)
    }

    /// Whose approvals are valid.
    pub(super) fn approved_by(&self) -> anyhow::Result<BTreeSet<NodeId>> {
        let MultisigCall { account, approvals, .. } = &self.call;
        Ok(account.approved_by(&self.call.approved(), approvals, &self.mesh)?)
    }

    /// Adds the approval of a member.
    pub(in crate::cli) fn approve(&mut self, key: &NodeKey) -> anyhow::Result<()> {
        let approval = self.call.account.approve(&self.call.approved(), key, &self.mesh)?;
        let Some(approval) = approval else {
            bail!(
                "{} is no member of the account {}\nsign with a member's key: --key FILE",
                key.node_id(),
                self.call.account.id()
            )
        };
        self.merge([approval])
    }

    /// Adds the approvals of another copy of the same proposal.
    pub(super) fn combine(&mut self, other: &Self) -> anyhow::Result<()> {
        let of = |one: &Self| MultisigCall { approvals: Vec::new(), ..one.call.clone() };
        if self.mesh != other.mesh || of(self) != of(other) {
            bail!("these are different proposals: their approvals cannot be put together");
        }
        self.merge(other.call.approvals.iter().cloned())
    }

    /// Keeps the valid ones, one for each member, in the order of the members.
    fn merge(&mut self, more: impl IntoIterator<Item = Approval>) -> anyhow::Result<()> {
        let mut all = std::mem::take(&mut self.call.approvals);
        all.extend(more);
        for approval in all {
            let approvals = vec![approval];
            let MultisigCall { account, approvals: kept, .. } = &self.call;
            let is_valid = !account.approved_by(&self.call.approved(), &approvals, &self.mesh)?.is_empty();
            let is_new = kept.iter().all(|one| approvals.iter().all(|other| one.member != other.member));
            if is_valid && is_new {
                self.call.approvals.extend(approvals);
            }
        }
        self.call.approvals.sort_by_key(|approval| approval.member);
        Ok(())
    }

    /// The call with as many approvals as the threshold.
    pub(super) fn complete(mut self) -> anyhow::Result<Call> {
        self.merge([])?;
        let needed = usize::from(self.call.account.threshold);
        if self.call.approvals.len() < needed {
            bail!(
                "{} of {needed} approvals\ncollect more: nervure wallet multisig approve FILE",
                self.call.approvals.len()
            );
        }
        self.call.approvals.truncate(needed);
        Ok(Call::Multisig(self.call))
    }

    /// How many approvals it has, and what comes next.
    pub(in crate::cli) fn progress(&self, path: &Path) -> anyhow::Result<String> {
        let (given, needed) = (self.approved_by()?.len(), usize::from(self.call.account.threshold));
        let shown = path.display();
        let next = match given < needed {
            true => format!(
                "send {shown} to members, who read and approve it: nervure wallet multisig approve {shown}"
            ),
            false => format!("submit it: nervure wallet multisig submit {shown}"),
        };
        Ok(format!("{given} of {needed} approvals in {shown}\n{next}"))
    }
}

impl BatchFile {
    /// Reads one.
    ///
    /// # Errors
    /// When the file has none.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        read(path)
    }

    /// The batch in a file, or a new one when there is no file.
    pub(in crate::cli) fn read_or_new(path: &Path, mesh: MeshId) -> anyhow::Result<Self> {
        if !path.exists() {
            return Ok(Self { mesh, calls: Vec::new() });
        }
        let batch = Self::read(path)?;
        if batch.mesh != mesh {
            bail!("the batch in {} is for another mesh\nname another file: --batch FILE", path.display());
        }
        Ok(batch)
    }

    /// Adds a call.
    pub(in crate::cli) fn add(&mut self, call: Call) -> anyhow::Result<()> {
        if call.signer() != SignerKey::Owner {
            bail!("only what an owner key signs can be in a batch");
        }
        if self.calls.len() >= MAX_BATCH_CALLS {
            bail!("a batch has at most {MAX_BATCH_CALLS} calls\nsubmit it: nervure wallet batch send FILE");
        }
        self.calls.push(call);
        Ok(())
    }

    /// Writes it.
    pub(in crate::cli) fn write(&self, path: &Path) -> anyhow::Result<()> {
        replace(path, self)
    }

    /// All of it as one call.
    pub(super) fn call(self) -> Call {
        Call::Batch(Batch { calls: self.calls })
    }
}

#[cfg(test)]
mod tests {
    use nervure_ledger::transaction::Transfer;
    use nervure_primitives::{Amount, BlockHeight};

    use super::*;

    fn key(byte: u8) -> NodeKey {
        NodeKey::from_seed(&[byte; 32])
    }

    fn proposal() -> Proposal {
        let members = [1, 2, 3].map(|byte| key(byte).node_id()).to_vec();
        let pay = Transfer { to: key(9).node_id(), amount: Amount::from_base_units(5), memo: None };
        let call = MultisigCall {
            account: MultisigAccount::new(2, members).unwrap(),
            nonce: 0,
            expiry: BlockHeight(90),
            call: Call::Transfer(pay).into(),
            approvals: Vec::new(),
        };
        Proposal { mesh: MeshId::from_bytes([7; 32]), call }
    }

    #[test]
    fn approvals_are_collected_in_copies_and_put_together() {
        let (mut first, mut second) = (proposal(), proposal());
        first.approve(&key(3)).unwrap();
        first.approve(&key(3)).unwrap();
        assert!(first.clone().complete().unwrap_err().to_string().starts_with("1 of 2 approvals"));
        second.approve(&key(1)).unwrap();
        first.combine(&second).unwrap();
        assert_eq!(first.approved_by().unwrap(), [key(1).node_id(), key(3).node_id()].into());
        let written = serde_json::to_string(&first).unwrap();
        let mut read: Proposal = serde_json::from_str(&written).unwrap();
        assert_eq!(read.call, first.call);
        read.approve(&key(2)).unwrap();
        let Call::Multisig(complete) = read.complete().unwrap() else { panic!() };
        assert_eq!(complete.approvals.len(), 2, "never more than are needed");
        assert!(proposal().approve(&key(9)).unwrap_err().to_string().contains("no member"));
    }

    #[test]
    fn a_changed_proposal_has_no_approvals() {
        let mut changed = proposal();
        changed.approve(&key(1)).unwrap();
        changed.call.nonce = 1;
        assert!(changed.approved_by().unwrap().is_empty());
        assert!(changed.combine(&proposal()).unwrap_err().to_string().contains("different proposals"));
        changed.approve(&key(2)).unwrap();
        assert_eq!(changed.call.approvals.len(), 1, "what is invalid is dropped");
    }
}
