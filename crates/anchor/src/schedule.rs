//! Which validator submits a checkpoint, and which ones do when it does not.
//!
//! The checkpoint's id determines an order of the members of the signing set. The first starts at once, each
//! further one a timeout later, and all that have started keep trying. So each validator pays for its share
//! of the checkpoints, and all but one of them may be down. Two submissions at the same time do no harm,
//! because an anchor stores a checkpoint once.
//!
//! A proposer can grind its block's id and so the order. Its only gain is not to pay.

use std::time::Duration;

use nervure_primitives::Hash;

use super::{
    abi::{address, hash},
    checkpoint::AnchorCheckpoint,
    key::AnchorAddress,
    validators::AnchorSet,
};

/// The order of the members for one checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmissionSchedule {
    order: Vec<AnchorAddress>,
    timeout: Duration,
}

/// The timeout is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("with a timeout of zero all validators would submit at once")]
pub struct ScheduleError;

impl SubmissionSchedule {
    /// The order in which `validators` submit `checkpoint`, each `timeout` after the one before it.
    ///
    /// # Errors
    /// When the timeout is zero.
    pub fn new(
        checkpoint: &AnchorCheckpoint,
        validators: &AnchorSet,
        timeout: Duration,
    ) -> Result<Self, ScheduleError> {
        if timeout.is_zero() {
            return Err(ScheduleError);
        }
        Ok(Self { order: order(&checkpoint.id(), validators), timeout })
    }

    /// The members that submit `elapsed` after the quorum was complete, the first one first.
    pub fn due(&self, elapsed: Duration) -> &[AnchorAddress] {
        let passed = elapsed.as_nanos() / self.timeout.as_nanos();
        let started = usize::try_from(passed).unwrap_or(usize::MAX).saturating_add(1).min(self.order.len());
        &self.order[..started]
    }

    /// How long after the quorum this member starts; `None` if it is not a member.
    pub fn wait(&self, member: &AnchorAddress) -> Option<Duration> {
        let position = self.order.iter().position(|one| one == member)?;
        Some(self.timeout.saturating_mul(u32::try_from(position).unwrap_or(u32::MAX)))
    }
}

fn order(checkpoint: &Hash, validators: &AnchorSet) -> Vec<AnchorAddress> {
    let mut order: Vec<AnchorAddress> = validators.signers().map(|member| member.address).collect();
    order.sort_by_cached_key(|member| hash(&[*checkpoint.as_bytes(), address(member.as_bytes())]));
    order
}
