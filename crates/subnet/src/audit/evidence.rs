//! The proof of a mismatch, for anyone who has the model.
//!
//! Evidence is a claim like any other until it is checked: [`Evidence::check`] verifies the miner's signature for the
//! request and the answer, and repeats the answer. Nothing that the auditor wrote into it counts.

use nervure_primitives::MeshId;
use nervure_protocol::{AuditCase, CaseError, ModelIdentity, VerifiedCase};

use super::{AuditModels, AuditRules, GivenAnswer, Judgement, Replay, ReplayError, judge};

/// An answer that was audited, and what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The mesh of the receipt.
    pub mesh: MeshId,
    /// The question, the answer and the receipt.
    pub case: AuditCase,
    /// The model of the auditor.
    pub auditor: ModelIdentity,
    /// What the auditor found.
    pub judgement: Judgement,
}

/// Why evidence proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The miner did not sign for it.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// No model here has the digest that the receipt names.
    #[error("no model here has the digest that the receipt names ({0})")]
    NoModel(ModelIdentity),
    /// The answer cannot be repeated.
    #[error("the answer cannot be repeated: {0}")]
    Replay(#[from] ReplayError),
}

impl Evidence {
    /// Audits a case of `mesh` with the model that its receipt names.
    ///
    /// # Errors
    /// When its receipt is for something else, its model is not among `models`, or it cannot be repeated.
    pub fn audit(
        mesh: MeshId,
        case: AuditCase,
        models: &AuditModels,
        rules: &AuditRules,
    ) -> Result<Self, EvidenceError> {
        let verified = case.verify(&mesh)?;
        let claimed = &verified.receipt.receipt().identity;
        let model = models.of(claimed).ok_or_else(|| EvidenceError::NoModel(claimed.clone()))?;
        let judgement = repeat(&verified, model.as_ref(), rules)?;
        Ok(Self { mesh, case: verified.case, auditor: model.identity().clone(), judgement })
    }

    /// Audits it again, and gives what is found here.
    ///
    /// # Errors
    /// As [`Self::audit`].
    pub fn check(&self, models: &AuditModels, rules: &AuditRules) -> Result<Judgement, EvidenceError> {
        Ok(Self::audit(self.mesh, self.case.clone(), models, rules)?.judgement)
    }
}

fn repeat(case: &VerifiedCase, model: &dyn Replay, rules: &AuditRules) -> Result<Judgement, ReplayError> {
    let replayed = model.replay(&case.request, GivenAnswer::of(&case.case))?;
    Ok(judge(&replayed, (&case.receipt.receipt().identity, model.identity()), rules))
}
