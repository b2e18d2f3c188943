//! Bisection: verifies a later checkpoint from a trusted header, in several steps if necessary.
//!
//! The checkpoint is verified at once; if too few of the trusted validators signed it, the one half-way is requested
//! and verified first, recursively. A step to the next height is never too far, so bisection succeeds if verification
//! is possible at all.
//!
//! Servers that prune keep the certificates of those old blocks alone after which the validators changed, and a few more. So
//! a response may be of a later height than the request. If that is not below the nearest checkpoint, no certificate
//! is kept from the request on, and a lower height is requested. One is kept in between if the step is too far: the
//! validators of both ends differ.
//!
//! What a hostile server can do: send [`MAX_CHECKPOINT_LEN`](nervure_ledger::checkpoint::MAX_CHECKPOINT_LEN) bytes per
//! step, for [`MAX_STEPS`] steps, and have one certificate verified for each. It cannot make the client accept a header
//! that the validators did not agree on.

use nervure_ledger::checkpoint::Checkpoint;
use nervure_primitives::BlockHeight;

use crate::{LightClient, LightClientError};

/// Maximum number of checkpoints that one bisection verifies: validators that are replaced every two weeks need 26 a
/// year.
pub const MAX_STEPS: usize = 4_096;

/// Why a checkpoint is not verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BisectionError {
    /// A header or certificate does not verify.
    #[error("block {height}: {error}")]
    Light {
        /// The header's height.
        height: BlockHeight,
        /// The error.
        error: LightClientError,
    },
    /// A checkpoint of an earlier height than the requested one.
    #[error("requested block {requested} or a later one, received block {received}")]
    OtherHeight {
        /// The requested height.
        requested: BlockHeight,
        /// The height of the checkpoint received.
        received: BlockHeight,
    },
    /// More than [`MAX_STEPS`].
    #[error(
        "the validators changed so often that {MAX_STEPS} certificates do not lead there: trust a later block"
    )]
    TooManySteps,
}

/// A bisection in progress. It fetches nothing itself.
#[derive(Clone, Debug)]
pub struct Bisection {
    client: LightClient,
    /// Checkpoints still to be verified: the goal first, the nearest last.
    pending: Vec<Checkpoint>,
    /// The height that [`Self::advance`] requested.
    requested: Option<BlockHeight>,
    /// From this height up to the nearest checkpoint, the server has no certificate.
    missing_from: Option<BlockHeight>,
    steps: usize,
}

impl Bisection {
    /// Starts at the header that `client` trusts, towards `goal`.
    pub fn new(client: LightClient, goal: Checkpoint) -> Self {
        Self { client, pending: vec![goal], requested: None, missing_from: None, steps: 0 }
    }

    /// Verifies as far as possible. Returns the height to fetch next, where the next later height that has a certificate will
    /// do, or `None` when the goal is verified.
    ///
    /// # Errors
    /// When a checkpoint does not verify.
    pub fn advance(&mut self) -> Result<Option<BlockHeight>, BisectionError> {
        if let Some(requested) = self.requested {
            return Ok(Some(requested));
        }
        while let Some(nearest) = self.pending.last() {
            let height = nearest.height();
            // Tries count, not successes: a certificate that fails costs the client as much as one that
            // verifies.
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(BisectionError::TooManySteps);
            }
            match self.client.verify(nearest) {
                // The client trusts this height now, and the farther checkpoint below is tried again from
                // here.
                Ok(()) => {
                    self.pending.pop();
                    self.missing_from = None;
                }
                Err(error) => {
                    let above = self.missing_from.unwrap_or(height);
                    let distance = above.0.saturating_sub(self.client.height().0);
                    // No height lies between neighbours: the certificate itself is too weak.
                    if !error.is_too_far() || distance < 2 {
                        return Err(BisectionError::Light { height, error });
                    }
                    // Strictly between both heights, so every request halves the distance and few
                    // checkpoints are pending.
                    self.requested = Some(BlockHeight(above.0 - distance / 2));
                    return Ok(self.requested);
                }
            }
        }
        Ok(None)
    }

    /// Supplies the checkpoint of the height that [`Self::advance`] requested, or of a later one.
    ///
    /// # Errors
    /// [`BisectionError::OtherHeight`].
    pub fn supply(&mut self, checkpoint: Checkpoint) -> Result<(), BisectionError> {
        let received = checkpoint.height();
        // Taken in any case: after a wrong checkpoint the next `advance` computes the request again.
        match self.requested.take() {
            Some(requested) if requested <= received => {
                if self.pending.last().is_some_and(|nearest| received < nearest.height()) {
                    self.pending.push(checkpoint);
                    self.missing_from = None;
                } else {
                    self.missing_from = Some(requested);
                }
                Ok(())
            }
            requested => {
                let requested = requested.unwrap_or(self.client.height());
                Err(BisectionError::OtherHeight { requested, received })
            }
        }
    }

    /// The number of certificates that were verified or tried.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The client with the header that it trusts now.
    pub fn client(&self) -> &LightClient {
        &self.client
    }
}

#[cfg(test)]
mod tests;
