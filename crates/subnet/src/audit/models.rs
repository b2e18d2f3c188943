//! The models with which a node can audit.

use std::sync::Arc;

use nervure_protocol::ModelIdentity;

use super::Replay;

/// The models that a node can repeat answers of. Cheap to clone.
#[derive(Clone, Default)]
pub struct AuditModels(Vec<Arc<dyn Replay>>);

impl AuditModels {
    /// These models.
    #[must_use]
    pub fn new(models: Vec<Arc<dyn Replay>>) -> Self {
        Self(models)
    }

    /// The model with the digest that a receipt names; none for a receipt that names none.
    #[must_use]
    pub fn of(&self, claimed: &ModelIdentity) -> Option<&Arc<dyn Replay>> {
        let digest = claimed.digest.as_ref()?;
        self.0.iter().find(|model| model.identity().digest.as_ref() == Some(digest))
    }

    /// Each model.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Replay>> {
        self.0.iter()
    }
}

impl std::fmt::Debug for AuditModels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|model| model.identity())).finish()
    }
}
