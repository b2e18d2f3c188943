//! What an expert says about itself; goes into expert records and `/v1/models`.

use serde::{Deserialize, Serialize};

/// Name, abilities and limits of one served model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// The name under which it is asked for.
    pub model: String,
    /// Dotted path, from general to special: `text.generate.rust`.
    pub capability: String,
    /// How far it can look back, in tokens; bytes for byte-level models.
    pub context: u32,
    /// The longest answer it gives, in the same unit.
    pub max_output: u32,
    /// Whether its tokens are bytes, so that it can hand out distributions for mixing.
    pub byte_level: bool,
    /// One sentence for people.
    pub description: String,
}
