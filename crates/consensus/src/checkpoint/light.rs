//! Following the mesh with nothing but headers and certificates.
//!
//! A [`LightClient`] knows one header that it trusts and the validators of the next height. Each
//! further header must be signed by those validators and names the ones after it, so trust walks
//! from set to set without a state, a peer to believe, or a clock.
//!
//! Not every height has to be walked: [`LightClient::skip`] goes to any later height whose certificate also has the
//! signatures of more than two thirds of the power that is trusted so far.
//!
//! What headers contain is the ledger's business; [`Header`] is all that is needed of it.
//!
//! Guarantee: if at every height less than a third of the power was Byzantine *at that time*, the
//! header reached is the one that the mesh decided. Hazard: validators that have long since left
//! may sign a second history without risking anything, so the starting point has to be recent,
//! which is what anchors are for.

use nervure_primitives::{BlockHeight, Hash, MeshId};

use super::{CertificateError, CommitCertificate, ValidatorSet};

/// What a light client needs to know of a block's header.
pub trait Header {
    /// The value that the validators decided: the hash of the header's bytes.
    fn id(&self) -> Hash;
    /// Its height.
    fn height(&self) -> BlockHeight;
    /// The id of the header before it.
    fn parent(&self) -> Hash;
    /// Hash of the validators that decide this height.
    fn validators_hash(&self) -> Hash;
    /// Hash of the validators that decide the next height.
    fn next_validators_hash(&self) -> Hash;
}

/// A header, why to believe it, and who decides after it.
#[derive(Clone, Debug)]
pub struct SignedHeader<H> {
    /// The header.
    pub header: H,
    /// The precommits for it.
    pub certificate: CommitCertificate,
    /// The validators of the next height when they differ from this height's.
    pub next_validators: Option<ValidatorSet>,
}

/// Why a header does not follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LightError {
    /// Not the next height.
    #[error("expected the header of height {expected}, got {actual}")]
    Height {
        /// The height after the trusted one.
        expected: BlockHeight,
        /// The header's height.
        actual: BlockHeight,
    },
    /// The header follows another parent.
    #[error("the header of height {0} does not follow the trusted one")]
    Parent(BlockHeight),
    /// The header claims other validators than its predecessor announced.
    #[error("the header of height {0} names other validators than were announced")]
    Validators(BlockHeight),
    /// The validators of the next height are missing, or not those that the header announces.
    #[error("the validators announced by height {0} are missing or others")]
    NextValidators(BlockHeight),
    /// The certificate is about another block.
    #[error("the certificate is not about the header of height {0}")]
    OtherBlock(BlockHeight),
    /// The certificate does not hold.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Not later than what is trusted already.
    #[error("height {actual} is not after the trusted height {trusted}")]
    NotLater {
        /// The trusted height.
        trusted: BlockHeight,
        /// The header's height.
        actual: BlockHeight,
    },
    /// Too few of the validators that are trusted signed a header this far ahead; one between may do.
    #[error(
        "of the trusted validators, {signed} of {total} voting power signed height {height}: too far a step"
    )]
    TooFar {
        /// The header's height.
        height: BlockHeight,
        /// Power, in the trusted set, of those who signed.
        signed: u64,
        /// Power of the whole trusted set.
        total: u64,
    },
}

/// A trusted header's id and height, and the validators of the height after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LightClient {
    mesh: MeshId,
    id: Hash,
    height: BlockHeight,
    next: ValidatorSet,
}

impl LightClient {
    /// Starts from a header that is trusted for outside reasons (genesis, or an anchored
    /// checkpoint) and the validators of the next height.
    ///
    /// # Errors
    /// [`LightError::NextValidators`] when `next` are not the validators that the header announces.
    pub fn trusting(mesh: MeshId, header: &impl Header, next: ValidatorSet) -> Result<Self, LightError> {
        if header.next_validators_hash() != next.hash() {
            return Err(LightError::NextValidators(header.height()));
        }
        Ok(Self { mesh, id: header.id(), height: header.height(), next })
    }

    /// The id of the header reached.
    pub const fn id(&self) -> Hash {
        self.id
    }

    /// The height reached.
    pub const fn height(&self) -> BlockHeight {
        self.height
    }

    /// The validators of the next height.
    pub const fn next_validators(&self) -> &ValidatorSet {
        &self.next
    }

    /// Moves on to the next height. Cheap checks come first; on an error nothing has changed.
    ///
    /// # Errors
    /// The first rule that the header or its certificate breaks.
    pub fn advance<H: Header>(&mut self, step: &SignedHeader<H>) -> Result<(), LightError> {
        let (header, certificate) = (&step.header, &step.certificate);
        let (height, id) = (header.height(), header.id());
        let expected = BlockHeight(self.height.0.saturating_add(1));
        if height != expected {
            return Err(LightError::Height { expected, actual: height });
        }
        if header.parent() != self.id {
            return Err(LightError::Parent(height));
        }
        if header.validators_hash() != self.next.hash() {
            return Err(LightError::Validators(height));
        }
        if (certificate.height, certificate.value) != (height, id) {
            return Err(LightError::OtherBlock(height));
        }
        let next = step.next_validators.as_ref().unwrap_or(&self.next);
        if header.next_validators_hash() != next.hash() {
            return Err(LightError::NextValidators(height));
        }
        certificate.verify(&self.next, &self.mesh)?;
        let next = next.clone();
        (self.id, self.height, self.next) = (id, height, next);
        Ok(())
    }

    /// Walks along all of `steps`.
    ///
    /// # Errors
    /// At the first that does not follow; what came before it stays trusted.
    pub fn follow<'a, H: Header + 'a>(
        &mut self,
        steps: impl IntoIterator<Item = &'a SignedHeader<H>>,
    ) -> Result<(), LightError> {
        steps.into_iter().try_for_each(|step| self.advance(step))
    }
}

mod skip;

#[cfg(test)]
mod tests;

pub use skip::DistantHeader;
