//! Submits a signed transaction and waits for its block.

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use indicatif::ProgressBar;
use nervure_api::{Client, SubmitBody, TransactionState, TransactionView};
use nervure_primitives::{Amount, Envelope};

use super::{Global, outcome, output};

/// How long to wait for a transaction's block.
const FINALITY_TIMEOUT: Duration = Duration::from_secs(120);

/// How often the node is asked for the transaction's state.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A signed transaction and the node that takes it.
pub(in crate::cli) struct Spending<'a> {
    pub(in crate::cli) node: &'a Client,
    pub(in crate::cli) envelope: Envelope,
    pub(in crate::cli) fee: Amount,
}

impl Spending<'_> {
    /// Prints what it does and costs, submits it, and waits until it is final. A dry run stops after the first step.
    pub(in crate::cli) async fn run(self, dry_run: bool, global: &Global) -> anyhow::Result<TransactionView> {
        let envelope = BASE64.encode(&self.envelope.encode()?);
        let tried = self.node.submit(&SubmitBody { envelope: envelope.clone(), dry_run: true }).await?;
        if let Some(outcome) = &tried.outcome {
            let cost = match self.fee.is_zero() {
                true => "it costs nothing".to_owned(),
                false => format!("it costs a fee of {} tokens", self.fee),
            };
            output::note(&format!("this {}; {cost}", outcome::future(outcome)));
        }
        if dry_run {
            if global.json {
                output::json(&tried)?;
            }
            return Ok(tried);
        }
        let started = Instant::now();
        let submitted = self.node.submit(&SubmitBody { envelope, dry_run: false }).await?;
        output::note(&format!("submitted as {}; waiting for its block", submitted.id));
        let done = self.wait(submitted).await?;
        if global.json {
            output::json(&done)?;
        }
        match (done.state, &done.outcome, done.height) {
            (TransactionState::Applied, Some(outcome), Some(height)) => {
                let took = started.elapsed().as_secs_f64();
                output::note(&format!(
                    "final in block {height} after {took:.1} s: {}",
                    outcome::past(outcome)
                ));
                Ok(done)
            }
            (TransactionState::Rejected, ..) => {
                anyhow::bail!("the ledger rejected it: {}", done.refusal.unwrap_or_default())
            }
            _ => anyhow::bail!(
                "no block included {} within {} s\ncheck that the chain advances: nervure status",
                done.id,
                FINALITY_TIMEOUT.as_secs()
            ),
        }
    }

    /// Waits, with a live line on a terminal.
    async fn wait(&self, mut seen: TransactionView) -> anyhow::Result<TransactionView> {
        let started = Instant::now();
        let line = ProgressBar::new_spinner();
        while seen.state == TransactionState::Pending && started.elapsed() < FINALITY_TIMEOUT {
            line.set_message(format!("waiting for its block, {:.1} s", started.elapsed().as_secs_f64()));
            line.tick();
            tokio::time::sleep(POLL_INTERVAL).await;
            seen = self.node.transaction(&seen.id).await?;
        }
        line.finish_and_clear();
        Ok(seen)
    }
}
