//! What a client without a state asks: the request protocol `light/1` of the swarm, over HTTP.

use serde::{Deserialize, Serialize};

/// A request: `LightRequest` of `nervure-protocol`, or a transaction in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LightBody {
    /// Its canonical CBOR, in base64.
    pub request: String,
}

/// The response to it: `LightResponse`, or `SubmitResponse`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LightView {
    /// Its canonical CBOR, in base64.
    pub response: String,
}
