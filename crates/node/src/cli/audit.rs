//! `nervure audit`: what audits found, and the proof of it.
//!
//! Evidence is checked here from the miner's signature on. What its auditor wrote into it counts for nothing.

use std::path::{Path, PathBuf};

use anyhow::Context;
use nervure_api::{AuditView, EvidenceView};
use nervure_primitives::Hash;
use nervure_subnet::audit::{AuditRules, Evidence, Judgement, Verdict};

use super::{Global, failure::Unverified, output};
use crate::{local::LocalNode, runtime::audit_models};

/// Longest file of evidence that is read.
const MAX_EVIDENCE_BYTES: u64 = 4 << 20;

/// Shows and verifies what audits found
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AuditCommand {
    List(ListArgs),
    Show(ShowArgs),
    Verify(VerifyArgs),
}

/// Lists the answers that a validator found not to be of the model that their receipts name
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {}

/// Shows the evidence of one mismatch: question, answer, receipt, seed and verdict
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nervure audit show QUERY
  nervure audit show QUERY --json > evidence.json")]
pub(crate) struct ShowArgs {
    /// Name of the query, as `audit list` shows it
    query: Hash,
}

/// Repeats an answer with this program's own model, and compares it with what its miner signed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Needs no node: the file has the question, the answer and the receipt, and this program has the built-in models.
Exit code 0 means that the miner signed for the answer and that the answer is not of the model that it names;
9 that one of the two does not hold.

Examples:
  nervure audit verify evidence.json")]
pub(crate) struct VerifyArgs {
    /// File that `audit show --json` wrote
    file: PathBuf,
}

impl AuditCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::List(args) => args.run(global).await,
            Self::Show(args) => args.run(global).await,
            Self::Verify(args) => args.run(global).await,
        }
    }
}

impl ListArgs {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let page = LocalNode::find(&global.node_dir()?)?.client().audits().await?;
        if global.json {
            return output::json(&page);
        }
        let rows = page.mismatches.iter().map(|one| {
            [
                one.query.to_string(),
                one.netuid.to_string(),
                one.miner.to_string(),
                one.expert.clone(),
                one.judgement.to_string(),
            ]
        });
        output::table(&["query", "subnet", "miner", "expert", "found"], rows)?;
        output::note(&format!(
            "{} audited since the node started, {} of other answers could not be repeated",
            page.audited, page.undecided
        ));
        Ok(())
    }
}

impl ShowArgs {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let evidence = LocalNode::find(&global.node_dir()?)?.client().evidence(&self.query).await?;
        if global.json {
            return output::json(&evidence);
        }
        rows(&evidence.summary, &evidence.summary.judgement)?;
        output::note("to check it: nervure audit show QUERY --json > FILE; nervure audit verify FILE");
        Ok(())
    }
}

impl VerifyArgs {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let view = read(&self.file)?;
        let case = view.case().map_err(|error| Unverified::new("NOT evidence", &error))?;
        let mesh = view.mesh;
        // The model computes for longer than a task of the runtime may.
        let audited = tokio::task::spawn_blocking(move || {
            Evidence::audit(mesh, case, &audit_models(), &AuditRules::default())
        });
        let audited = audited.await.context("the audit failed")?;
        let found = audited.map_err(|error| Unverified::new("NOT verified", &error))?;
        let again = EvidenceView::of(&found, view.summary.audited_at)
            .map_err(|error| Unverified::new("NOT evidence", &error))?;
        if global.json {
            output::json(&again)?;
        } else {
            rows(&again.summary, &found.judgement)?;
        }
        if found.judgement.verdict == Verdict::Match {
            let why = "the answer is of the model that its receipt names";
            return Err(Unverified::new("NO mismatch", &why).into());
        }
        output::note("verified: the miner signed for this answer, and it is not of the model that it names");
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<EvidenceView> {
    let hint = "name a file that nervure audit show --json wrote";
    let length = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    anyhow::ensure!(length <= MAX_EVIDENCE_BYTES, "{} is too long for evidence\n{hint}", path.display());
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| anyhow::anyhow!("{} is no evidence of an audit ({error})\n{hint}", path.display()))
}

/// Who answered, with which model, and what was found.
fn rows(view: &AuditView, judgement: &Judgement) -> anyhow::Result<()> {
    let seed = view.seed.map_or_else(|| "none".to_owned(), |seed| seed.to_string());
    let rows = [
        ("query", view.query.to_string()),
        ("miner", format!("{}, expert {}, in subnet {}", view.miner, view.expert, view.netuid)),
        ("model", format!("{}, {}", view.model, view.identity)),
        ("seed", seed),
        ("received", format!("{} ms since 1970, by its clock", view.received_at.0)),
        ("auditor", view.auditor.to_string()),
        ("found", judgement.to_string()),
    ];
    for (name, value) in rows {
        output::line(&format!("{name:<10}{value}"))?;
    }
    Ok(())
}
