//! Who submits a checkpoint, and who does when that one does not.
//!
//! The members of the set that signs stand in an order drawn from the id of the checkpoint. The first
//! begins at once, each further one after another time-out, and whoever has begun goes on trying: so each
//! validator pays for its share of the checkpoints, and all but one of them may be dead. Two submitting at
//! the same time do no harm, because an anchor takes the same checkpoint once.
//!
//! A grinding proposer can steer its block's id and so the order. It gains nothing but not to pay.

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

/// There are no turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time-out of nothing would be everybody's turn at once")]
pub struct ScheduleError;

impl SubmissionSchedule {
    /// The order in which `validators` submit `checkpoint`, each `timeout` after the one before it.
    ///
    /// # Errors
    /// When the time-out is zero.
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

    /// Those whose turn it is, `elapsed` after the quorum was complete; the first has waited longest.
    pub fn due(&self, elapsed: Duration) -> &[AnchorAddress] {
        let passed = elapsed.as_nanos() / self.timeout.as_nanos();
        let begun = usize::try_from(passed).unwrap_or(usize::MAX).saturating_add(1).min(self.order.len());
        &self.order[..begun]
    }

    /// After how long it is this member's turn; `None` for who is no member.
    pub fn wait(&self, member: &AnchorAddress) -> Option<Duration> {
        let place = self.order.iter().position(|one| one == member)?;
        Some(self.timeout.saturating_mul(u32::try_from(place).unwrap_or(u32::MAX)))
    }
}

fn order(checkpoint: &Hash, validators: &AnchorSet) -> Vec<AnchorAddress> {
    let mut order: Vec<AnchorAddress> = validators.members().iter().map(|member| member.address).collect();
    order.sort_by_cached_key(|member| hash(&[*checkpoint.as_bytes(), address(member.as_bytes())]));
    order
}
