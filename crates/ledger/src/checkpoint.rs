//! A block that can be believed without its history: header, certificate, and the validators on either side of it.
//!
//! Every block with a certificate can be given in this form. Those at whose end an epoch was computed are the mesh's
//! *checkpoints*: their state has new metagraph roots. A [`Pursuit`] walks from a header that is trusted to such a block with
//! nothing but more of the same, fetched by whoever drives it from anybody at all.
//!
//! What a hostile server can do: send [`MAX_CHECKPOINT_LEN`] bytes per step, for [`MAX_STEPS`] steps, and have one
//! certificate verified for each. What it cannot: have a header believed that the validators did not agree on.

mod pursuit;

use nervure_consensus::checkpoint::{
    CommitCertificate, DistantHeader, LightClient, LightError, MAX_CERTIFICATE_BYTES, MAX_VALIDATORS,
    ValidatorSet,
};
use nervure_primitives::{
    BlockHeight,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

pub use pursuit::{MAX_STEPS, Pursuit, PursuitError};

use crate::block::{Header, MAX_HEADER_LEN};

/// Largest encoding of a validator set in bytes: 34 of id, 9 of power, 7 around them, each.
const MAX_VALIDATORS_LEN: usize = MAX_VALIDATORS * 50 + 16;

/// Largest encoding of a checkpoint in bytes.
pub const MAX_CHECKPOINT_LEN: usize = MAX_HEADER_LEN + MAX_CERTIFICATE_BYTES + 2 * MAX_VALIDATORS_LEN + 128;

/// A block's header, and what it takes to believe it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The header, which names the root of the state after the block.
    pub header: Header,
    /// Precommits of more than two thirds of the power.
    pub certificate: CommitCertificate,
    /// The validators that agreed on it.
    pub validators: ValidatorSet,
    /// The validators that agree on the next block, when they are others.
    pub next_validators: Option<ValidatorSet>,
}

impl Checkpoint {
    /// The block's height.
    pub fn height(&self) -> BlockHeight {
        self.header.height
    }

    /// The validators that agree on the next block.
    pub fn successors(&self) -> &ValidatorSet {
        self.next_validators.as_ref().unwrap_or(&self.validators)
    }

    /// Its canonical bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads one; verifies nothing.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_CHECKPOINT_LEN))
    }

    /// Brings `client` here.
    ///
    /// # Errors
    /// When this does not follow from what the client trusts; see [`LightClient::skip`].
    pub fn convince(&self, client: &mut LightClient) -> Result<(), LightError> {
        let Self { header, certificate, validators, next_validators } = self;
        client.skip(&DistantHeader {
            header,
            certificate,
            validators,
            next_validators: next_validators.as_ref(),
        })
    }
}

#[cfg(test)]
mod tests;
