//! Blocks proposed at this height, and the application's verdicts on them.
//!
//! The application validates each block once. A Byzantine proposer gets at most two blocks per round
//! validated, so their number grows with the rounds, up to [`MAX_CANDIDATES`].

use std::collections::BTreeMap;

use nervure_primitives::Hash;

use crate::{bft::Candidate, checkpoint::CommitCertificate};

/// How many blocks of a height are tracked: two for each of more rounds than a height takes.
const MAX_CANDIDATES: usize = 1024;

/// The candidate blocks of a height.
#[derive(Default)]
pub(super) struct Candidates {
    asked: BTreeMap<Hash, Candidate>,
    verdicts: BTreeMap<Hash, bool>,
    certified: Option<CommitCertificate>,
}

impl Candidates {
    /// Forgets everything, for the next height.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether another block can be tracked.
    pub(super) fn has_capacity(&self) -> bool {
        self.asked.len() + self.verdicts.len() < MAX_CANDIDATES
    }

    /// Notes that the application is asked about a block.
    pub(super) fn ask(&mut self, candidate: Candidate) {
        self.asked.insert(candidate.value, candidate);
    }

    /// Whether the application's answer is due.
    pub(super) fn is_asked(&self, value: &Hash) -> bool {
        self.asked.contains_key(value)
    }

    /// The blocks whose validation is due.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = Candidate> + '_ {
        self.asked.values().copied()
    }

    /// Notes the application's answer; returns the candidate if it was asked about.
    pub(super) fn answer(&mut self, value: &Hash, valid: bool) -> Option<Candidate> {
        // An answer to a question of an earlier height, or a second one, has no effect.
        let candidate = self.asked.remove(value)?;
        self.verdicts.insert(*value, valid);
        Some(candidate)
    }

    /// Notes a verdict that does not come from a validation: on our own block, or out of the log.
    /// Returns the candidate if its validation is due, because another validator proposed it too.
    pub(super) fn set_verdict(&mut self, value: Hash, valid: bool) -> Option<Candidate> {
        self.verdicts.insert(value, valid);
        self.asked.remove(&value)
    }

    /// The verdict on a block, if it is known.
    pub(super) fn verdict(&self, value: &Hash) -> Option<bool> {
        self.verdicts.get(value).copied()
    }

    /// Notes that the height is decided, by a certificate.
    pub(super) fn certify(&mut self, certificate: CommitCertificate) {
        self.certified = Some(certificate);
    }

    /// The certificate of `value`, if there is one.
    pub(super) fn certificate_of(&self, value: &Hash) -> Option<&CommitCertificate> {
        self.certified.as_ref().filter(|certificate| certificate.value == *value)
    }

    /// Whether the same decision is known and waits for the application.
    pub(super) fn is_certified(&self, certificate: &CommitCertificate) -> bool {
        let known = self.certificate_of(&certificate.value);
        known.is_some_and(|known| known.round == certificate.round) && self.is_asked(&certificate.value)
    }
}
