//! The description of a served model, for expert records and `/v1/models`.

use nervure_protocol::ModelIdentity;
use serde::{Deserialize, Serialize};

/// Name, capability and limits of one served model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// The model's name.
    pub model: String,
    /// Which weights and which program, for receipts and audits.
    #[serde(default)]
    pub identity: ModelIdentity,
    /// Dotted path, from general to special: `text.generate.rust`.
    pub capability: String,
    /// Longest context, in tokens; in bytes for byte-level models.
    pub context: u32,
    /// Longest answer, in the same unit.
    pub max_output: u32,
    /// Whether its tokens are bytes, so that it can answer with distributions for mixing.
    pub byte_level: bool,
    /// One sentence for readers.
    pub description: String,
}
