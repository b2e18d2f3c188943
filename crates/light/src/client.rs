//! Verification of a header from an earlier one, with certificates only.
//!
//! A [`LightClient`] knows one header that it trusts and the validators of the next height. It moves to any later
//! height whose certificate has the signatures of more than two thirds of the power that it trusts (Tendermint's
//! skipping verification), without a state or a trusted peer.
//!
//! Why skipping is as sound as verifying every height: more than two thirds of the trusted power signed a precommit for
//! the header. Some of those signers are honest, and honest validators precommit only blocks that follow the chain they
//! know, so the header names the validators that its height really had. More than two thirds of *those* precommitted it
//! in one round, which decides. An adversary who could forge that could forge the very next height too.
//!
//! Guarantee: if at every height less than a third of the power was Byzantine *at that time*, the header reached is the
//! one that the mesh decided. Hazard: validators that left long ago may sign a second history without any risk (a
//! long-range attack), so the trusted header has to be recent ([`TrustingPeriod`]). The clock is an argument.

use std::time::Duration;

use nervure_consensus::checkpoint::{CertificateError, CommitCertificate, Quorum, ValidatorSet};
use nervure_ledger::{
    block::Header,
    chain::{StartError, first_header},
    checkpoint::Checkpoint,
    spec::MeshSpec,
};
use nervure_primitives::{BlockHeight, Hash, MeshId, UnixMillis};

use crate::trusting::{Trusted, TrustingPeriod};

/// Why a header does not follow from the trusted one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LightClientError {
    /// The header of the next height has another parent.
    #[error("the header of height {0} does not follow the trusted one")]
    Parent(BlockHeight),
    /// The header names other validators than its predecessor announced, or than those given with it.
    #[error("the header of height {0} names other validators than were announced")]
    Validators(BlockHeight),
    /// The validators of the next height are missing, or not those that the header announces.
    #[error("the validators announced by height {0} are missing or different")]
    NextValidators(BlockHeight),
    /// The certificate is for another block.
    #[error("the certificate is not for the header of height {0}")]
    OtherBlock(BlockHeight),
    /// The certificate does not verify.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The trusted header is older than the trusting period.
    #[error(
        "the trusted block {height} is {} days old, and a block is trusted for {} days: validators of that time may have \
         their stake back and sign another history; start from a recent block that you have from a source you trust, or \
         from an anchored checkpoint",
        age.as_secs() / 86_400, period.as_secs() / 86_400
    )]
    Expired {
        /// Its height.
        height: BlockHeight,
        /// How old it is.
        age: Duration,
        /// For how long a header is trusted.
        period: Duration,
    },
    /// The time of the header is not later than that of the trusted one.
    #[error("the time of block {height} is not later than that of the trusted block")]
    NotLaterTime {
        /// The header's height.
        height: BlockHeight,
    },
    /// The header is from the future.
    #[error("block {height} is {} s ahead of this machine's clock: check the clock", ahead.as_secs())]
    Future {
        /// The header's height.
        height: BlockHeight,
        /// By how much.
        ahead: Duration,
    },
    /// The header is not later than the trusted one.
    #[error("height {actual} is not after the trusted height {trusted}")]
    NotLater {
        /// The trusted height.
        trusted: BlockHeight,
        /// The header's height.
        actual: BlockHeight,
    },
    /// Too few of the trusted validators signed a header this far ahead; a header between may be reachable.
    #[error(
        "of the trusted validators, {signed} of {total} voting power signed height {height}: the step is too far"
    )]
    TooFar {
        /// The header's height.
        height: BlockHeight,
        /// Power, in the trusted set, of the signers.
        signed: u64,
        /// Power of the whole trusted set.
        total: u64,
    },
}

impl LightClientError {
    /// Whether a header between may be missing, rather than this one being wrong.
    pub fn is_too_far(&self) -> bool {
        matches!(self, Self::TooFar { .. })
    }
}

/// Why a light client cannot start from the genesis of a mesh spec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The mesh spec has no genesis.
    #[error("the mesh spec has no genesis: {0}")]
    Start(#[from] StartError),
    /// The genesis has no validators.
    #[error("the genesis of the mesh spec has no validators")]
    NoValidators,
    /// The validators are not those that the header announces.
    #[error(transparent)]
    Header(#[from] LightClientError),
}

/// A trusted header's id and height, and the validators of the height after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LightClient {
    mesh: MeshId,
    id: Hash,
    trusted: Trusted,
    period: TrustingPeriod,
    next: ValidatorSet,
}

impl LightClient {
    /// Starts from a header that is trusted for outside reasons (genesis, or an anchored checkpoint) and the validators
    /// of the next height.
    ///
    /// # Errors
    /// [`LightClientError::Expired`] when the header is older than the trusting period, and
    /// [`LightClientError::NextValidators`] when `next` are not the validators that the header announces.
    pub fn trusting(
        header: &Header,
        next: ValidatorSet,
        period: TrustingPeriod,
    ) -> Result<Self, LightClientError> {
        let trusted = Trusted::from(header);
        period.check_trusted(&trusted)?;
        if header.next_validators != next.hash() {
            return Err(LightClientError::NextValidators(header.height));
        }
        Ok(Self { mesh: header.mesh, id: header.id(), trusted, period, next })
    }

    /// Starts from the genesis of `spec`, which is computed here. `now` is the client's clock.
    ///
    /// # Errors
    /// When the spec has no genesis with validators, or the genesis is older than the trusting period.
    pub fn from_genesis(spec: &MeshSpec, now: UnixMillis) -> Result<Self, GenesisError> {
        let (header, next) = first_header(spec)?;
        let next = next.ok_or(GenesisError::NoValidators)?;
        Ok(Self::trusting(&header, next, TrustingPeriod::of(spec, now))?)
    }

    /// Sets the clock, for a client that runs for long.
    pub const fn set_now(&mut self, now: UnixMillis) {
        self.period = self.period.at(now);
    }

    /// The mesh of the trusted header.
    pub const fn mesh(&self) -> MeshId {
        self.mesh
    }

    /// The id of the trusted header.
    pub const fn id(&self) -> Hash {
        self.id
    }

    /// The height of the trusted header.
    pub const fn height(&self) -> BlockHeight {
        self.trusted.height
    }

    /// The time of the trusted header.
    pub const fn time(&self) -> UnixMillis {
        self.trusted.time
    }

    /// The validators of the next height.
    pub const fn next_validators(&self) -> &ValidatorSet {
        &self.next
    }

    /// Moves to a later height. Cheap checks come first; on an error nothing has changed.
    ///
    /// # Errors
    /// [`LightClientError::TooFar`] when a step to a height between may succeed; otherwise the first rule that the header
    /// or its certificate breaks.
    pub fn verify(&mut self, checkpoint: &Checkpoint) -> Result<(), LightClientError> {
        let Checkpoint { header, certificate, validators, .. } = checkpoint;
        // Hashes and comparisons first: a forged header costs no signature verification.
        self.period.check_trusted(&self.trusted)?;
        self.check_header(header, validators)?;
        let next = belongs_to_header(checkpoint)?;
        // Counts signers whose signatures are not verified yet. Nothing is accepted before the next line.
        self.check_overlap(certificate)?;
        certificate.verify(validators, &self.mesh)?;
        (self.id, self.trusted, self.next) = (certificate.value, Trusted::from(header), next.clone());
        Ok(())
    }

    /// Checks that the certificate and both validator sets of a checkpoint belong to its header, whose id is trusted
    /// already.
    ///
    /// # Errors
    /// The first part that does not belong to the header, or a certificate without a quorum of its validators.
    pub fn check_contents(checkpoint: &Checkpoint) -> Result<(), LightClientError> {
        belongs_to_header(checkpoint)?;
        Ok(checkpoint.certificate.verify(&checkpoint.validators, &checkpoint.header.mesh)?)
    }

    fn check_header(&self, header: &Header, validators: &ValidatorSet) -> Result<(), LightClientError> {
        let height = header.height;
        let trusted = self.trusted.height;
        if height <= trusted {
            return Err(LightClientError::NotLater { trusted, actual: height });
        }
        self.period.check_later(&self.trusted, header)?;
        // Cannot underflow: the height is later.
        let adjacent = height.0 - trusted.0 == 1;
        if adjacent && header.parent != self.id {
            return Err(LightClientError::Parent(height));
        }
        // The validators of the very next height are known exactly; further ahead the certificate has to prove them.
        if adjacent && *validators != self.next {
            return Err(LightClientError::Validators(height));
        }
        Ok(())
    }

    /// Refuses a certificate that more than two thirds of the trusted power did not sign. No signer is counted twice:
    /// signers in a certificate are sorted and different.
    fn check_overlap(&self, certificate: &CommitCertificate) -> Result<(), LightClientError> {
        // Power as the *trusted* set has it: the new header may claim any power for the same validators.
        let trusted = certificate.signatures.iter().filter_map(|(signer, _)| self.next.power_of(signer));
        let signed = trusted.fold(0u64, u64::saturating_add);
        let total = self.next.total_power();
        match Quorum::TWO_THIRDS.is_met(signed, total) {
            true => Ok(()),
            false => Err(LightClientError::TooFar { height: certificate.height, signed, total }),
        }
    }
}

/// Checks that the validators and the certificate are those that the header names; no signature is verified. Returns the
/// validators of the next height.
fn belongs_to_header(checkpoint: &Checkpoint) -> Result<&ValidatorSet, LightClientError> {
    let Checkpoint { header, certificate, validators, .. } = checkpoint;
    let height = header.height;
    if header.validators != validators.hash() {
        return Err(LightClientError::Validators(height));
    }
    // The id covers the whole header, so a certificate for it proves every field.
    if (certificate.height, certificate.value) != (height, header.id()) {
        return Err(LightClientError::OtherBlock(height));
    }
    let next = checkpoint.successors();
    match header.next_validators == next.hash() {
        true => Ok(next),
        false => Err(LightClientError::NextValidators(height)),
    }
}

#[cfg(test)]
mod tests;
