//! Commands that an owner key signs, for another account or at another time: as a proxy, as a proposal of a threshold
//! account, or as a part of a batch.

use std::path::PathBuf;

use nervure_ledger::transaction::{AnnounceCall, Call, MultisigCall, ProxyCall};
use nervure_primitives::{BlockHeight, NodeId};

use super::{
    output,
    sign::Signer,
    wallet::files::{self, BatchFile, Proposal},
};

/// How long members have to approve a proposal, in milliseconds, unless the command says otherwise: a week.
const APPROVAL_MILLISECONDS: u64 = 7 * 24 * 3_600 * 1_000;

/// For whom a command acts, and whether it is submitted at once.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct BehalfArgs {
    /// Act for this owner, whose proxy the key is
    #[arg(long, value_name = "OWNER", conflicts_with_all = ["multisig", "batch"])]
    proxy_of: Option<NodeId>,
    /// Only announce it, as a proxy with a delay has to; the same command without this carries it out later
    #[arg(long, requires = "proxy_of")]
    announce: bool,
    /// Propose it for the threshold account in FILE (see nervure wallet multisig) instead of submitting it
    #[arg(long, value_name = "FILE", requires = "propose", conflicts_with = "batch")]
    multisig: Option<PathBuf>,
    /// File to write the proposal to, with the approval of the key if it is a member's
    #[arg(long, value_name = "FILE", requires = "multisig")]
    propose: Option<PathBuf>,
    /// Blocks for which approvals of the proposal hold [default: a week]
    #[arg(long, value_name = "BLOCKS", requires = "propose")]
    approve_within: Option<u64>,
    /// Add it to the batch in FILE instead of submitting it; submit all of them with nervure wallet batch send FILE
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
}

impl BehalfArgs {
    /// The account that acts, when the key is `key`.
    ///
    /// # Errors
    /// When the file of the threshold account cannot be read.
    pub(super) fn account(&self, key: NodeId) -> anyhow::Result<NodeId> {
        match (&self.proxy_of, &self.multisig) {
            (Some(owner), _) => Ok(*owner),
            (None, Some(file)) => Ok(files::account(file)?.id()),
            (None, None) => Ok(key),
        }
    }

    /// What is submitted now; none when it was written to a file instead.
    ///
    /// # Errors
    /// When a file cannot be read or written, or the node does not answer.
    pub(super) async fn redirect(&self, call: Call, signer: &Signer<'_>) -> anyhow::Result<Option<Call>> {
        if let Some(owner) = self.proxy_of {
            let call = Box::new(call);
            return Ok(Some(match self.announce {
                true => Call::Announce(AnnounceCall { owner, call }),
                false => Call::Proxy(ProxyCall { owner, call }),
            }));
        }
        if let Some(file) = &self.batch {
            let mut batch = BatchFile::read_or_new(file, signer.mesh()?)?;
            batch.add(call)?;
            batch.write(file)?;
            output::note(&format!(
                "call {} of the batch in {}\nsubmit all of them: nervure wallet batch send {1}",
                batch.calls.len(),
                file.display()
            ));
            return Ok(None);
        }
        let (Some(account), Some(out)) = (&self.multisig, &self.propose) else { return Ok(Some(call)) };
        let account = files::account(account)?;
        let shown = signer.node().account(&account.id()).await?;
        let week = APPROVAL_MILLISECONDS / u64::from(shown.block_milliseconds.max(1));
        let expiry = BlockHeight(shown.height.0.saturating_add(self.approve_within.unwrap_or(week)));
        let call =
            MultisigCall { account, nonce: shown.nonce, expiry, call: call.into(), approvals: Vec::new() };
        let mut proposal = Proposal { mesh: signer.mesh()?, call };
        proposal.check()?;
        if proposal.is_member(&signer.key().node_id()) {
            proposal.approve(signer.key())?;
        }
        if signer.is_dry_run() {
            output::note(&format!("this would propose: it {}", proposal.call.call.intent()));
            return Ok(None);
        }
        proposal.create(out)?;
        output::note(&proposal.progress(out)?);
        Ok(None)
    }
}
