//! From a signed transaction to the block that carried it out.

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use nervure_primitives::{Amount, Envelope};

use super::{Global, outcome, output};
use crate::{
    gateway::SubmitBody,
    local::LocalNode,
    service::{TransactionState, TransactionView},
};

/// How long a transaction is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A signed transaction on its way.
pub(super) struct Spending {
    pub(super) node: LocalNode,
    pub(super) envelope: Envelope,
    pub(super) fee: Amount,
}

impl Spending {
    /// Says what it costs, hands it in, and waits until it is final.
    pub(super) async fn run(self, dry_run: bool, global: &Global) -> anyhow::Result<()> {
        let envelope = BASE64.encode(&self.envelope.encode()?);
        let tried = self.node.submit(&SubmitBody { envelope: envelope.clone(), dry_run: true }).await?;
        if let Some(outcome) = &tried.outcome {
            output::note(&format!(
                "this {}; it costs a fee of {} tokens",
                outcome::future(outcome),
                self.fee
            ));
        }
        if dry_run {
            return if global.json { output::json(&tried) } else { Ok(()) };
        }
        let begun = Instant::now();
        let handed = self.node.submit(&SubmitBody { envelope, dry_run: false }).await?;
        output::note(&format!("handed in as {}; waiting for its block", handed.id));
        let done = self.wait(handed).await?;
        if global.json {
            output::json(&done)?;
        }
        match (done.state, &done.outcome, done.height) {
            (TransactionState::Applied, Some(outcome), Some(height)) => {
                let took = begun.elapsed().as_secs_f64();
                output::note(&format!(
                    "final in block {height} after {took:.1} s: {}",
                    outcome::past(outcome)
                ));
                Ok(())
            }
            (TransactionState::Refused, ..) => {
                anyhow::bail!("the ledger refused it: {}", done.refusal.unwrap_or_default())
            }
            _ => anyhow::bail!(
                "no block has carried {} within {} s\nsee whether blocks are made: nervure status",
                done.id,
                PATIENCE.as_secs()
            ),
        }
    }

    async fn wait(&self, mut seen: TransactionView) -> anyhow::Result<TransactionView> {
        let until = Instant::now() + PATIENCE;
        while seen.state == TransactionState::Waiting && Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
            seen = self.node.get(&format!("/transactions/{}", seen.id), &[]).await?;
        }
        Ok(seen)
    }
}
