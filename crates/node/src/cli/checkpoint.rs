//! `nervure checkpoint`: the blocks that ended epochs, and their proof.

mod verify;

use std::collections::BTreeMap;

use nervure_api::{AnchorRecordView, CheckpointPage, CheckpointView};
use nervure_ledger::subnet::MetagraphRoot;
use nervure_primitives::{BlockHeight, Netuid};

use super::{Global, output, trust};
use crate::local::LocalNode;

/// Lists, shows and verifies checkpoints
#[derive(Debug, clap::Subcommand)]
pub(crate) enum CheckpointCommand {
    /// Lists the latest checkpoints: the blocks that ended epochs
    List {
        /// Maximum number of checkpoints
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
        /// Only up to this block
        #[arg(long, value_name = "HEIGHT")]
        before: Option<BlockHeight>,
    },
    /// Shows a block as the node reports it, without verifying it
    Show {
        /// The block [default: the last checkpoint]
        height: Option<BlockHeight>,
    },
    Verify(verify::VerifyArgs),
}

impl CheckpointCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::List { limit, before } => {
                let page: CheckpointPage =
                    LocalNode::find(&global.node_dir()?)?.client().checkpoints(before, limit.into()).await?;
                if global.json { output::json(&page) } else { list(&page) }
            }
            Self::Show { height } => {
                let view: CheckpointView =
                    LocalNode::find(&global.node_dir()?)?.client().checkpoint(height).await?;
                if global.json { output::json(&view) } else { show(&view) }
            }
            Self::Verify(args) => args.run(global).await,
        }
    }
}

fn list(page: &CheckpointPage) -> anyhow::Result<()> {
    let rows = page.checkpoints.iter().map(|row| {
        let epochs = row.metagraphs.iter().map(|(netuid, root)| format!("{} of subnet {netuid}", root.epoch));
        let anchored = row.anchored.as_ref().map_or_else(|| "not yet".into(), place);
        [row.height.to_string(), epochs.collect::<Vec<_>>().join(", "), row.block.to_string(), anchored]
    });
    output::table(&["block", "ended epoch", "id", "anchored"], rows)?;
    match page.next {
        Some(next) => output::note(&format!("there are more: nervure checkpoint list --before {next}")),
        None if page.checkpoints.is_empty() => output::note("no epoch has ended yet"),
        None => {}
    }
    Ok(())
}

fn show(view: &CheckpointView) -> anyhow::Result<()> {
    output::line(&format!("block       {} {}", view.height, view.block))?;
    output::line(&format!("state       {}", view.state))?;
    output::line(&format!("signed by   {} of {} validators", view.signers, view.validators))?;
    metagraphs(&view.metagraphs, "")?;
    output::line(&format!("anchored    {}", view.anchored.as_ref().map_or_else(|| "not yet".into(), place)))?;
    output::note(&format!("this was not verified; next: nervure checkpoint verify {}", view.height));
    Ok(())
}

/// Where a checkpoint is anchored outside of the mesh.
fn place(anchored: &AnchorRecordView) -> String {
    let AnchorRecordView { height, transaction, block, .. } = anchored;
    match (transaction, block) {
        (Some(transaction), Some(block)) => format!("with block {height}, {transaction} in {block}"),
        _ => format!("with block {height}, in this node's file"),
    }
}

fn metagraphs(metagraphs: &BTreeMap<Netuid, MetagraphRoot>, proven: &str) -> anyhow::Result<()> {
    metagraphs.iter().try_for_each(|(netuid, MetagraphRoot { epoch, root })| {
        output::line(&format!("metagraph   {root} of epoch {epoch} of subnet {netuid}{proven}"))
    })
}
