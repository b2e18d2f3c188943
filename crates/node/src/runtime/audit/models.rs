//! The models with which a validator audits: the built-in ones.

use std::sync::Arc;

#[cfg(feature = "byte-lm")]
use nervure_byte_lm::{ByteReplay, builtin};
use nervure_subnet::audit::{AuditModels, Replay};

/// The built-in models that this build has.
pub(crate) fn built_in() -> AuditModels {
    AuditModels::new(models())
}

#[cfg(feature = "byte-lm")]
fn models() -> Vec<Arc<dyn Replay>> {
    let load = |model: &builtin::Builtin| match ByteReplay::builtin(model) {
        Ok(replay) => Some(Arc::new(replay) as Arc<dyn Replay>),
        Err(error) => {
            tracing::error!(model = model.domain(), %error, "a built-in model cannot audit");
            None
        }
    };
    builtin::BUILTIN.iter().filter_map(load).collect()
}

#[cfg(not(feature = "byte-lm"))]
fn models() -> Vec<Arc<dyn Replay>> {
    Vec::new()
}
