//! `nervure wallet multisig`: accounts of several owners, their proposals and approvals.

use std::path::PathBuf;

use nervure_ledger::multisig::MultisigAccount;
use nervure_primitives::{BlockHeight, MeshId, NodeId};
use serde::Serialize;

use super::files::{self, Proposal};
use crate::cli::{
    Global, output,
    sign::{KeyArgs, SpendArgs},
};

/// Makes accounts of several owners, and collects approvals for what they do
#[derive(Debug, clap::Subcommand)]
#[allow(clippy::large_enum_variant, reason = "a process has one")]
pub(crate) enum MultisigCommand {
    /// Makes a threshold account of owner ids; it exists as soon as it is paid something
    New {
        /// How many members act together
        #[arg(long)]
        threshold: u8,
        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Owner ids of the members, in any order
        #[arg(required = true)]
        members: Vec<NodeId>,
    },
    /// Shows a threshold account, for paying to it or for looking it up with --json
    Id {
        /// File of the account
        file: PathBuf,
    },
    /// Shows what a proposal would do and who approved it; needs no node
    Show {
        /// File of the proposal
        file: PathBuf,
    },
    /// Adds the approval of a member's key to a proposal; needs no node. Read it first: nervure wallet multisig show FILE
    Approve {
        /// File of the proposal
        file: PathBuf,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Puts the approvals of several copies of a proposal together; needs no node
    Combine {
        /// File of the proposal, which is written again
        file: PathBuf,
        /// Copies with other approvals
        #[arg(required = true)]
        copies: Vec<PathBuf>,
    },
    /// Submits a proposal that enough members approved; the key pays, and does not have to be a member's
    Submit {
        /// File of the proposal
        file: PathBuf,
        #[command(flatten)]
        terms: SpendArgs,
    },
}

#[derive(Serialize)]
struct AccountInfo {
    account: NodeId,
    threshold: u8,
    members: Vec<NodeId>,
}

/// What a proposal would do, and who approved it.
#[derive(Serialize)]
struct ProposalInfo<'a> {
    mesh: MeshId,
    account: NodeId,
    nonce: u64,
    expiry: BlockHeight,
    does: String,
    needed: u8,
    approved: Vec<NodeId>,
    missing: Vec<NodeId>,
    call: &'a nervure_ledger::transaction::Call,
}

impl MultisigCommand {
    /// Runs the command.
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::New { threshold, out, members } => {
                let account = MultisigAccount::new(threshold, members)?;
                files::create(&out, &account)?;
                output::note(&format!("wrote {}", out.display()));
                show_account(account, global)
            }
            Self::Id { file } => show_account(files::account(&file)?, global),
            Self::Show { file } => show(&Proposal::read(&file)?, global),
            Self::Approve { file, key } => {
                let mut proposal = Proposal::read(&file)?;
                output::note(&format!("this approves that the account {}", proposal.call.call.intent()));
                proposal.approve(&key.read(global)?)?;
                proposal.replace(&file)?;
                output::note(&proposal.progress(&file)?);
                Ok(())
            }
            Self::Combine { file, copies } => {
                let mut proposal = Proposal::read(&file)?;
                copies.iter().try_for_each(|copy| proposal.combine(&Proposal::read(copy)?))?;
                proposal.replace(&file)?;
                output::note(&proposal.progress(&file)?);
                Ok(())
            }
            Self::Submit { file, terms } => {
                let call = Proposal::read(&file)?.complete()?;
                terms.send(call, global).await.map(drop)
            }
        }
    }
}

fn show_account(account: MultisigAccount, global: &Global) -> anyhow::Result<()> {
    let id = account.id();
    if global.json {
        let MultisigAccount { threshold, members } = account;
        return output::json(&AccountInfo { account: id, threshold, members });
    }
    output::line(&id.to_string())
}

fn show(proposal: &Proposal, global: &Global) -> anyhow::Result<()> {
    let (approved, call) = (proposal.approved_by()?, &proposal.call);
    let missing = call.account.members.iter().filter(|member| !approved.contains(member)).copied().collect();
    let info = ProposalInfo {
        mesh: proposal.mesh,
        account: call.account.id(),
        nonce: call.nonce,
        expiry: call.expiry,
        does: call.call.intent(),
        needed: call.account.threshold,
        approved: approved.into_iter().collect(),
        missing,
        call: &call.call,
    };
    if global.json {
        return output::json(&info);
    }
    output::line(&format!("account   {}", info.account))?;
    output::line(&format!("mesh      {}", info.mesh))?;
    output::line(&format!("does      {}", info.does))?;
    output::line(&format!("nonce     {}, until block {}", info.nonce, info.expiry))?;
    output::line(&format!("approvals {} of {}", info.approved.len(), info.needed))?;
    info.approved.iter().try_for_each(|member| output::line(&format!("approved  {member}")))?;
    info.missing.iter().try_for_each(|member| output::line(&format!("not yet   {member}")))
}
