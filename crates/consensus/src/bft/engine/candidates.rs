//! Blocks that somebody wants decided at this height, and what the application says of them.
//!
//! Each block is asked about once. Two per round are taken from a Byzantine proposer, no more, so
//! the number of questions grows with the rounds only; [`MOST`] is where it ends.

use std::collections::BTreeMap;

use nervure_primitives::Hash;

use crate::{bft::Candidate, checkpoint::CommitCertificate};

/// Most blocks kept track of at a height: two for each of more rounds than any height sees.
const MOST: usize = 1024;

/// The blocks of a height.
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

    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        self.asked.len() + self.verdicts.len() < MOST
    }

    /// The application is about to be asked.
    pub(super) fn ask(&mut self, candidate: Candidate) {
        self.asked.insert(candidate.value, candidate);
    }

    /// Whether the application is being asked.
    pub(super) fn is_asked(&self, value: &Hash) -> bool {
        self.asked.contains_key(value)
    }

    /// What is still to be answered.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = Candidate> + '_ {
        self.asked.values().copied()
    }

    /// An answer to a question that was asked; returns the question.
    pub(super) fn answer(&mut self, value: &Hash, valid: bool) -> Option<Candidate> {
        let candidate = self.asked.remove(value)?;
        self.verdicts.insert(*value, valid);
        Some(candidate)
    }

    /// A verdict that needed no question; returns the question, if it was asked all the same.
    pub(super) fn know(&mut self, value: Hash, valid: bool) -> Option<Candidate> {
        self.verdicts.insert(value, valid);
        self.asked.remove(&value)
    }

    /// What is known of a block.
    pub(super) fn verdict(&self, value: &Hash) -> Option<bool> {
        self.verdicts.get(value).copied()
    }

    /// The height is decided for this block, whatever we do.
    pub(super) fn certify(&mut self, certificate: CommitCertificate) {
        self.certified = Some(certificate);
    }

    /// The certificate of `value`, if there is one.
    pub(super) fn certificate_of(&self, value: &Hash) -> Option<&CommitCertificate> {
        self.certified.as_ref().filter(|certificate| certificate.value == *value)
    }

    /// Whether the same decision is certified already, and waits for the application.
    pub(super) fn is_certified(&self, certificate: &CommitCertificate) -> bool {
        let known = self.certificate_of(&certificate.value);
        known.is_some_and(|known| known.round == certificate.round) && self.is_asked(&certificate.value)
    }
}
