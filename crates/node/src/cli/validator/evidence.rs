//! `nervure validator evidence` and `report`: equivocations that this node found, and reporting them by hand.
//!
//! A validator in office reports by itself. By hand it is needed when no validator that has the evidence is in office, or its
//! free transactions are used up: any registered node can report, and its owner pays.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nervure_consensus::statement::{Equivocation, Position, Step};
use nervure_ledger::transaction::{Call, ReportEquivocation};
use nervure_primitives::{BlockHeight, NodeId};
use serde::Serialize;

use super::{Global, output};
use crate::{
    cli::sign::NodeSignArgs,
    runtime::{EVIDENCE_FILE, read_evidence},
};

/// Lists the equivocations that this node found and the ledger has not settled
#[derive(Debug, clap::Args)]
pub(crate) struct EvidenceArgs {
    /// The file of evidence [default: equivocations.evidence in the node's directory]
    file: Option<PathBuf>,
}

/// Reports the equivocations in a file of evidence with a node key; the node's owner is rewarded
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Validators in office report what they find by themselves, and for free. This is for
evidence of a node that is not in office: copy its equivocations.evidence.

Example:
  nervure validator report equivocations.evidence --key node/key.pem")]
pub(crate) struct ReportArgs {
    /// The file of evidence, as a validator keeps it
    file: PathBuf,
    #[command(flatten)]
    terms: NodeSignArgs,
}

/// One equivocation.
#[derive(Serialize)]
struct EvidenceRow {
    /// The key that signed both statements.
    validator: NodeId,
    height: BlockHeight,
    round: u32,
    /// What it signed two of; `amnesia` for a precommit and a proposal that forgets it.
    statements: &'static str,
}

impl From<&Equivocation> for EvidenceRow {
    fn from(evidence: &Equivocation) -> Self {
        let Position { height, round, step } = evidence.position();
        let statements = match (evidence, step) {
            (Equivocation::Amnesia(..), _) => "amnesia",
            (_, Step::Propose) => "proposals",
            (_, Step::Prevote) => "prevotes",
            (_, Step::Precommit) => "precommits",
        };
        Self { validator: evidence.culprit(), height, round: round.0, statements }
    }
}

impl EvidenceArgs {
    /// Runs the command.
    pub(super) fn run(self, global: &Global) -> anyhow::Result<()> {
        let path = self.file.map_or_else(|| global.node_dir().map(|dir| dir.join(EVIDENCE_FILE)), Ok)?;
        let rows: Vec<EvidenceRow> = read(&path)?.iter().map(EvidenceRow::from).collect();
        if global.json {
            return output::json(&rows);
        }
        if rows.is_empty() {
            output::note("no evidence that is not settled");
            return Ok(());
        }
        let cells = |row: &EvidenceRow| {
            let signed = match row.statements {
                "amnesia" => "a precommit, and a later proposal that forgets it".to_owned(),
                two => format!("two {two}"),
            };
            [row.validator.to_string(), row.height.to_string(), row.round.to_string(), signed]
        };
        output::table(&["validator", "block", "round", "signed"], rows.iter().map(cells))
    }
}

impl ReportArgs {
    /// Runs the command.
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let all = read(&self.file)?;
        if all.is_empty() {
            bail!("there is no evidence in {}", self.file.display());
        }
        let mut signer = self.terms.signer(global).await?;
        let mut failed = None;
        for evidence in all {
            let call = Call::ReportEquivocation(ReportEquivocation { evidence: Box::new(evidence) });
            // One that is settled must not keep the others from being reported.
            if let Err(error) = signer.send(call, global).await {
                output::note(&format!("not reported, of {}: {error:#}", evidence.culprit()));
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<Equivocation>> {
    read_evidence(path).with_context(|| format!("cannot read the evidence in {}", path.display()))
}
