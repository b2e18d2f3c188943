//! Precommits for the decided block that arrive after the decision.
//!
//! A decision takes the first precommits of more than two thirds of the power. The next block names who signed, and
//! validators that do not sign are jailed in the end: one that is always a little later than the fastest two thirds must
//! not look absent. So the precommits that arrive until the next height starts are passed on, one per validator, each
//! after one verification of its signature.

use std::collections::BTreeSet;

use nervure_primitives::NodeId;

use crate::{
    bft::{SignedVote, Vote},
    checkpoint::{CommitCertificate, ValidatorSet},
};

/// Whose precommits the certificate of the decision lacks.
pub(super) struct LatePrecommits {
    vote: Vote,
    missing: BTreeSet<NodeId>,
}

impl LatePrecommits {
    /// Those of `validators` that are not in `certificate`.
    pub(super) fn after(certificate: &CommitCertificate, validators: &ValidatorSet) -> Self {
        let members = validators.members().iter().map(|member| member.node);
        let missing = members.filter(|node| certificate.signatures.of(node).is_none()).collect();
        Self { vote: certificate.vote(), missing }
    }

    /// Whether `vote` is one that is missing. Its signature is not verified here.
    pub(super) fn wants(&self, vote: &SignedVote) -> bool {
        vote.statement == self.vote && self.missing.contains(&vote.signer)
    }

    /// The precommit of `signer` has arrived.
    pub(super) fn arrived(&mut self, signer: &NodeId) {
        self.missing.remove(signer);
    }
}
