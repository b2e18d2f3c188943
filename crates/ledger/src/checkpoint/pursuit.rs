//! The way from a trusted header to a checkpoint.
//!
//! The checkpoint is tried at once; when too few of those who are trusted signed it, one half-way is asked for, and so on.
//! Between two neighbours nothing is too far, so that the way is found whenever there is one.

use nervure_consensus::checkpoint::{LightClient, LightError};
use nervure_primitives::BlockHeight;

use super::Checkpoint;

/// Most checkpoints that one pursuit looks at: validators that are replaced every two weeks need 26 a year.
pub const MAX_STEPS: usize = 4_096;

/// Why a checkpoint cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PursuitError {
    /// A header or certificate does not hold.
    #[error("block {height}: {error}")]
    Light {
        /// Which one.
        height: BlockHeight,
        /// What is wrong with it.
        error: LightError,
    },
    /// Another height than the one that was asked for.
    #[error("block {asked} was asked for, and block {given} was given")]
    OtherHeight {
        /// The one asked for.
        asked: BlockHeight,
        /// The one given.
        given: BlockHeight,
    },
    /// More than [`MAX_STEPS`].
    #[error(
        "the validators changed so often that {MAX_STEPS} certificates do not lead there: trust a later block"
    )]
    TooManySteps,
}

/// A light client on its way. It fetches nothing itself.
#[derive(Clone, Debug)]
pub struct Pursuit {
    client: LightClient,
    /// What is to be believed, the goal first, the nearest last.
    pending: Vec<Checkpoint>,
    /// The height that was asked for.
    asked: Option<BlockHeight>,
    steps: usize,
}

impl Pursuit {
    /// From what `client` trusts to `goal`.
    pub fn new(client: LightClient, goal: Checkpoint) -> Self {
        Self { client, pending: vec![goal], asked: None, steps: 0 }
    }

    /// Goes on as far as it can. Says which height it needs next; none when the goal is believed.
    ///
    /// # Errors
    /// When something that was given is not what the validators agreed on.
    pub fn advance(&mut self) -> Result<Option<BlockHeight>, PursuitError> {
        if let Some(asked) = self.asked {
            return Ok(Some(asked));
        }
        while let Some(nearest) = self.pending.last() {
            let height = nearest.height();
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(PursuitError::TooManySteps);
            }
            match nearest.convince(&mut self.client) {
                Ok(()) => drop(self.pending.pop()),
                Err(error) => {
                    let distance = height.0.saturating_sub(self.client.height().0);
                    if !error.is_too_far() || distance < 2 {
                        return Err(PursuitError::Light { height, error });
                    }
                    self.asked = Some(BlockHeight(height.0 - distance / 2));
                    return Ok(self.asked);
                }
            }
        }
        Ok(None)
    }

    /// Takes the checkpoint of the height that [`Self::advance`] asked for.
    ///
    /// # Errors
    /// When it is of another height.
    pub fn give(&mut self, checkpoint: Checkpoint) -> Result<(), PursuitError> {
        let given = checkpoint.height();
        match self.asked.take() {
            Some(asked) if asked == given => {
                self.pending.push(checkpoint);
                Ok(())
            }
            asked => Err(PursuitError::OtherHeight { asked: asked.unwrap_or(self.client.height()), given }),
        }
    }

    /// How many certificates were looked at.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// What is trusted now.
    pub fn client(&self) -> &LightClient {
        &self.client
    }
}
