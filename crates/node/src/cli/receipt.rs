//! `nervure receipt verify`: who signed for an answer, for a client that got the receipt of it.
//!
//! A client of the OpenAI API sends a nonce in `x-nervure-nonce` and asks for a trace; the trace has the receipts. This
//! command checks the signature and the nonce, and prints what the miner signed. Whether the answer's text is the signed
//! one is checked with `--answer`.

use std::{io::Read, path::PathBuf};

use anyhow::Context;
use nervure_api::ReceiptView;
use nervure_primitives::{Hash, MeshId};
use nervure_protocol::{AnswerHasher, ExpertEvent, Receipt, SignedReceipt, query_name};

use super::{Global, failure::Unverified, output, trust, verify::signed_receipt};

/// Longest receipt document and longest answer that are read.
const MAX_INPUT_BYTES: u64 = 16 << 20;

/// Verifies receipts
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ReceiptCommand {
    Verify(VerifyArgs),
}

/// Verifies the miner's signature on a receipt, that it is for this nonce, and what it says about the model
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The receipt is one of the list `receipts` of a trace, or the field `receipt` of the line `receipt` that
nervure ask --json --verify prints.
Exit code 0 means that everything verified, 9 that something did not.

Examples:
  nervure receipt verify receipt.json --nonce NONCE
  nervure receipt verify receipt.json --nonce NONCE --answer answer.txt")]
pub(crate) struct VerifyArgs {
    /// File with the receipt as JSON; `-` reads standard input
    file: PathBuf,
    /// The nonce that was sent with the question
    #[arg(long, value_name = "HEX")]
    nonce: Option<Hash>,
    /// File with the text of the answer, exactly as it came
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
    /// Id of the mesh [default: that of the mesh spec in the directory]
    #[arg(long, value_name = "ID")]
    mesh_id: Option<MeshId>,
}

impl ReceiptCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Verify(args) => args.run(global).await,
        }
    }
}

impl VerifyArgs {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let text = read(&self.file)?;
        let view: ReceiptView = serde_json::from_str(&text).with_context(|| {
            format!("{} is no receipt\nname a file with one receipt as JSON", self.file.display())
        })?;
        let mesh = match self.mesh_id {
            Some(mesh) => mesh,
            None => trust::own_mesh(global).await?,
        };
        let signed = self.verified(&view, &mesh)?;
        if global.json {
            return output::json(&document(&signed));
        }
        show(signed.receipt())?;
        if self.nonce.is_none() {
            output::note("no nonce was named: an old answer with its receipt would verify, too");
        }
        output::note("verified");
        Ok(())
    }

    fn verified(&self, view: &ReceiptView, mesh: &MeshId) -> anyhow::Result<SignedReceipt> {
        let unverified = |what: &str| Unverified::new("NOT verified", &what);
        let signed = signed_receipt(view, mesh).map_err(|error| Unverified::new("NOT verified", &error))?;
        let receipt = signed.receipt();
        if let Some(nonce) = &self.nonce
            && receipt.query != query_name(Some(nonce), &view.salt)
        {
            return Err(unverified("the receipt is for a question with another nonce").into());
        }
        if let Some(path) = &self.answer {
            let (Some(usage), Some(reason)) = (view.usage, view.reason) else {
                return Err(unverified("the receipt does not say how the answer ended").into());
            };
            let mut answer = AnswerHasher::default();
            answer.event(&ExpertEvent::Text(read(path)?));
            if answer.finish(usage, reason) != receipt.answer {
                return Err(unverified("the receipt is for another answer").into());
            }
        }
        Ok(signed)
    }
}

/// The text of a file, or of standard input.
fn read(path: &PathBuf) -> anyhow::Result<String> {
    let mut text = String::new();
    let context = || format!("cannot read {}", path.display());
    let input: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(std::fs::File::open(path).with_context(context)?),
    };
    input.take(MAX_INPUT_BYTES).read_to_string(&mut text).with_context(context)?;
    Ok(text)
}

fn show(receipt: &Receipt) -> anyhow::Result<()> {
    let sampling = receipt.sampling.map_or_else(
        || "none".to_owned(),
        |sampling| {
            let seed = sampling.seed.map_or_else(|| "none".to_owned(), |seed| seed.to_string());
            let rate = |milli: u32| f64::from(milli) / 1000.0;
            let (temperature, top_p) = (rate(sampling.temperature_milli), rate(sampling.top_p_milli));
            format!("temperature {temperature}, top-p {top_p}, seed {seed}")
        },
    );
    let rows = [
        ("miner", format!("{}, expert {}, in subnet {}", receipt.miner, receipt.expert, receipt.netuid)),
        ("model", format!("{}, {}", receipt.model, receipt.identity)),
        ("sampling", sampling),
        ("asked by", receipt.asker.to_string()),
        ("query", receipt.query.to_string()),
        ("took", format!("{} ms, by its clock", receipt.took_ms)),
    ];
    for (name, value) in rows {
        output::line(&format!("{name:<10}{value}"))?;
    }
    Ok(())
}

/// What the miner signed, as JSON.
fn document(signed: &SignedReceipt) -> serde_json::Value {
    let receipt = signed.receipt();
    serde_json::json!({
        "verified": true,
        "miner": receipt.miner,
        "netuid": receipt.netuid,
        "expert": receipt.expert,
        "model": receipt.model.raw(),
        "identity": nervure_api::ModelIdentityView::of(&receipt.identity),
        "seed": receipt.sampling.and_then(|sampling| sampling.seed),
        "asker": receipt.asker,
        "query": receipt.query,
        "answer": receipt.answer,
        "received_at": receipt.received_at,
        "took_ms": receipt.took_ms,
    })
}
