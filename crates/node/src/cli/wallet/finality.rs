//! Submits a signed transaction and waits for its block.

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use indicatif::ProgressBar;
use nervure_api::{Client, SubmitBody, TransactionState, TransactionView};
use nervure_ledger::transaction::Outcome;
use nervure_primitives::{Amount, Envelope};

use crate::cli::{Global, output};

/// How long to wait for a transaction's block.
const FINALITY_TIMEOUT: Duration = Duration::from_secs(120);

/// How often the node is asked for the transaction's state.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A signed transaction and the node that takes it.
pub(in crate::cli) struct Spending<'a> {
    pub(in crate::cli) node: &'a Client,
    pub(in crate::cli) envelope: Envelope,
    /// The most that it may cost.
    pub(in crate::cli) fee: Amount,
    /// What it is for, in words.
    pub(in crate::cli) intent: String,
}

impl Spending<'_> {
    /// Prints what it does and costs, submits it, and waits until it is final. A dry run stops after the first step.
    pub(in crate::cli) async fn run(self, dry_run: bool, global: &Global) -> anyhow::Result<TransactionView> {
        let envelope = BASE64.encode(&self.envelope.encode()?);
        let tried = self.node.submit(&SubmitBody { envelope: envelope.clone(), dry_run: true }).await?;
        output::note(&match &tried.outcome {
            Some(outcome) => effect_line(outcome, tried.paid.unwrap_or(self.fee), self.fee),
            // Without a state it cannot be tried.
            None => format!("this {}; it costs at most {} tokens", self.intent, self.fee),
        });
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
        match done.state {
            TransactionState::Applied => {
                output::note(&final_line(&done, started.elapsed()));
                Ok(done)
            }
            TransactionState::Rejected => {
                let cost = cost_text(&done);
                anyhow::bail!("the ledger rejected it{cost}: {}", done.rejection.unwrap_or_default())
            }
            TransactionState::Pending => anyhow::bail!(
                "no block included {} within {} s\ncheck that the chain advances: nervure status",
                done.id,
                FINALITY_TIMEOUT.as_secs()
            ),
            TransactionState::Possible => anyhow::bail!(
                "the node tried {} and did not submit it\ncheck the version of the node: nervure status",
                done.id
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

/// What a transaction would do and cost.
pub(in crate::cli) fn effect_line(outcome: &Outcome, now: Amount, most: Amount) -> String {
    let cost = match most.is_zero() {
        true => "it costs nothing".to_owned(),
        false => format!("it costs {now} tokens now, and at most {most}"),
    };
    format!("this {}; {cost}", outcome.description().future)
}

/// What a final transaction did, and in which block.
fn final_line(done: &TransactionView, took: Duration) -> String {
    let block = done.height.map(|height| format!(" in block {height}")).unwrap_or_default();
    let effect = done.outcome.as_ref().map(|outcome| format!(": {}", outcome.description().past));
    let cost = cost_text(done);
    format!("final{block} after {:.1} s{cost}{}", took.as_secs_f64(), effect.unwrap_or_default())
}

/// What was paid for it, if anything was.
fn cost_text(done: &TransactionView) -> String {
    let paid = done.paid.filter(|paid| !paid.is_zero());
    paid.map(|paid| format!(" for {paid} tokens")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use nervure_anchor::AnchorAddress;
    use nervure_ledger::transaction::RegisterAnchorKeyOutcome;
    use nervure_primitives::{BlockHeight, Hash, NodeId};

    use super::*;

    #[test]
    fn a_registered_anchor_key_is_a_sentence_before_and_after_its_block() {
        let (node, address) = (NodeId::from_bytes([1; 32]), AnchorAddress::from_bytes([2; 20]));
        let outcome =
            Outcome::AnchorKeyRegistered(RegisterAnchorKeyOutcome { node, address, deposit: Amount::ZERO });
        let expected =
            format!("this registers {address} as the anchor key of {node}, from the next election on");
        assert_eq!(
            effect_line(&outcome, Amount::ZERO, Amount::ZERO),
            format!("{expected}; it costs nothing")
        );
        let [now, most] = [1_500_000, 3_000_000].map(Amount::from_base_units);
        let costs = effect_line(&outcome, now, most);
        assert_eq!(costs, format!("{expected}; it costs 0.0015 tokens now, and at most 0.003"));
        let done = TransactionView {
            id: Hash::from_bytes([3; 32]),
            state: TransactionState::Applied,
            height: Some(BlockHeight(7)),
            paid: Some(now),
            outcome: Some(outcome),
            rejection: None,
        };
        assert_eq!(
            final_line(&done, Duration::from_millis(1_240)),
            format!(
                "final in block 7 after 1.2 s for 0.0015 tokens: {node} signs checkpoints with the anchor key {address} from the next \
                 election on"
            )
        );
    }
}
