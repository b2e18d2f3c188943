//! Blocks proposed at this height, and the application's verdicts on them.
//!
//! The application validates each block once. A Byzantine proposer gets at most two blocks per round
//! validated, so their number grows with the rounds, up to [`MAX_CANDIDATES`].

use std::collections::BTreeMap;

use nervure_primitives::{Hash, UnixMillis};

use crate::{
    bft::{BlockStamp, Candidate, Round},
    checkpoint::CommitCertificate,
};

/// How many blocks of a height are tracked: two for each of more rounds than a height takes.
const MAX_CANDIDATES: usize = 1024;

/// The application's verdict on a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Invalid,
    /// With what the block says about its making; none when it is our own, or when the log alone knows it.
    Valid(Option<BlockStamp>),
}

/// The candidate blocks of a height.
#[derive(Default)]
pub(super) struct Candidates {
    asked: BTreeMap<Hash, Candidate>,
    verdicts: BTreeMap<Hash, Verdict>,
    /// When new blocks were proposed to us, by our clock. Blocks that are proposed again with the round of their
    /// polka are not in it: their time was judged in that round.
    received: BTreeMap<(Round, Hash), UnixMillis>,
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
    pub(super) fn answer(&mut self, value: &Hash, stamp: Option<BlockStamp>) -> Option<Candidate> {
        // An answer to a question of an earlier height, or a second one, has no effect.
        let candidate = self.asked.remove(value)?;
        let verdict = stamp.map_or(Verdict::Invalid, |stamp| Verdict::Valid(Some(stamp)));
        self.verdicts.insert(*value, verdict);
        Some(candidate)
    }

    /// Notes when a new block was proposed to us. The first time counts.
    pub(super) fn note_receipt(&mut self, round: Round, value: Hash, at: UnixMillis) {
        // The core accepts two blocks per round, so this grows with the rounds, as the verdicts do.
        if self.received.len() < MAX_CANDIDATES {
            self.received.entry((round, value)).or_insert(at);
        }
    }

    /// When `value` was proposed to us as a new block in `round`, and what it says, if it is valid.
    pub(super) fn new_in_round(
        &self,
        round: Round,
        value: &Hash,
    ) -> Option<(UnixMillis, Option<BlockStamp>)> {
        let received = self.received.get(&(round, *value))?;
        match self.verdicts.get(value)? {
            Verdict::Invalid => None,
            Verdict::Valid(stamp) => Some((*received, *stamp)),
        }
    }

    /// Notes a verdict that does not come from a validation: on our own block, or out of the log.
    /// Returns the candidate if its validation is due, because another validator proposed it too.
    pub(super) fn set_verdict(&mut self, value: Hash, valid: bool) -> Option<Candidate> {
        self.verdicts.insert(value, if valid { Verdict::Valid(None) } else { Verdict::Invalid });
        self.asked.remove(&value)
    }

    /// The verdict on a block, if it is known.
    pub(super) fn verdict(&self, value: &Hash) -> Option<bool> {
        self.verdicts.get(value).map(|verdict| *verdict != Verdict::Invalid)
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
