//! Having a checkpoint kept, whatever the chain does.
//!
//! An attempt looks first whether the checkpoint is kept already: by another validator, or by ourselves before a
//! crash. After the transaction it looks again until the block that it is in stays; when a reorganisation takes
//! it back, everything begins anew. All of it may be repeated, as the contract takes a checkpoint once.

use std::time::Duration;

use alloy::{
    primitives::TxKind,
    rpc::types::TransactionReceipt,
    sol_types::{SolCall, SolEvent},
};
use nervure_anchor::{AnchorError, CheckpointRejection, Submission, SubmissionReceipt, TransactionRef};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    Account, EvmAnchor,
    contract::CheckpointAnchor as sol,
    convert::{address, hash, submission as encoded},
    send::{Call, send},
};

/// The first wait after an attempt that failed for a reason that may pass.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// The longest one.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Where a checkpoint is.
enum Seen {
    Nowhere,
    /// In a block that may still be taken back.
    Shallow,
    Final,
}

impl EvmAnchor {
    pub(crate) async fn submit_until_final(
        &self,
        submission: &Submission,
    ) -> Result<SubmissionReceipt, AnchorError> {
        // What the contract would refuse is not worth a request.
        submission.verify(&self.config.domain).map_err(CheckpointRejection::from)?;
        let deadline = Instant::now() + self.config.limits.submit;
        let (mut wait, mut last) = (FIRST_WAIT, AnchorError::Unavailable("there was no time to try".into()));
        loop {
            match timeout_at(deadline, self.attempt(submission)).await {
                Ok(Err(error)) if error.is_transient() => {
                    tracing::info!(%error, "a checkpoint is not anchored yet");
                    last = error;
                }
                Ok(result) => return result,
                Err(_) => return Err(last),
            }
            if timeout_at(deadline, sleep(wait)).await.is_err() {
                return Err(last);
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn attempt(&self, submission: &Submission) -> Result<SubmissionReceipt, AnchorError> {
        let mut last = self.sending.lock().await;
        match self.seen(submission).await? {
            Seen::Final => return Ok(SubmissionReceipt::AlreadyStored),
            Seen::Shallow => return self.until_final(submission, None).await,
            Seen::Nowhere => {}
        }
        let call = Call {
            chain: self.config.domain.chain,
            to: TxKind::Call(address(self.config.domain.contract)),
            input: encoded(submission).abi_encode().into(),
        };
        let receipt = send(self.first()?, self.account()?, &call, &self.config.limits, &mut last).await?;
        self.until_final(submission, Some(receipt)).await
    }

    fn account(&self) -> Result<&Account, AnchorError> {
        self.account.as_ref().ok_or(AnchorError::NoAccount)
    }

    /// Waits until the checkpoint is where it stays. `receipt` is that of our own transaction.
    async fn until_final(
        &self,
        submission: &Submission,
        receipt: Option<TransactionReceipt>,
    ) -> Result<SubmissionReceipt, AnchorError> {
        loop {
            match self.seen(submission).await? {
                Seen::Final => {
                    return Ok(receipt
                        .map_or(SubmissionReceipt::AlreadyStored, |receipt| stored(submission, &receipt)));
                }
                Seen::Shallow => sleep(self.config.limits.poll).await,
                Seen::Nowhere => {
                    return Err(AnchorError::Unavailable("the chain took the checkpoint back".into()));
                }
            }
        }
    }

    async fn seen(&self, submission: &Submission) -> Result<Seen, AnchorError> {
        let (height, id) = (submission.checkpoint.height(), submission.checkpoint.id());
        let conflict = |stored| CheckpointRejection::Conflict { height, stored, submitted: id };
        let last_final = self.last_final().await?;
        match self.stored(height, last_final).await? {
            Some((stored, _)) if stored == id => return Ok(Seen::Final),
            Some((stored, _)) => return Err(conflict(stored).into()),
            None => {}
        }
        match self.stored_now(height).await? {
            Some(stored) if stored == id => Ok(Seen::Shallow),
            // It may still be taken back, so it is not the last word.
            Some(stored) => Err(AnchorError::Unavailable(conflict(stored).to_string())),
            None => Ok(Seen::Nowhere),
        }
    }
}

/// What our transaction did: nothing, when another one was there before it.
fn stored(submission: &Submission, receipt: &TransactionReceipt) -> SubmissionReceipt {
    let ours = |log: &alloy::rpc::types::Log| {
        sol::CheckpointAnchored::decode_log(&log.inner)
            .is_ok_and(|event| hash(event.id) == submission.checkpoint.id())
    };
    if !receipt.status() || !receipt.logs().iter().any(ours) {
        return SubmissionReceipt::AlreadyStored;
    }
    let block = receipt.block_number;
    let reference = block.map(|block| TransactionRef { transaction: hash(receipt.transaction_hash), block });
    SubmissionReceipt::Stored { reference, gas: Some(receipt.gas_used) }
}
