//! The paths of the HTTP API.
//!
//! A constant is a route as axum writes it, with the names of its parameters in braces; a function fills one in.

use std::fmt::Display;

use nervure_primitives::{BlockHeight, Hash, Netuid, NodeId};

/// The state of the node.
pub const STATUS: &str = "/status";

/// The expert records that the node knows.
pub const EXPERTS: &str = "/experts";

/// The peers of the node.
pub const PEERS: &str = "/peers";

/// How the node and a peer reach each other.
pub const PEER_REACH: &str = "/peers/{node}/reach";

/// Whether the node is ready.
pub const HEALTHZ: &str = "/healthz";

/// The metrics, in the OpenMetrics text format.
pub const METRICS: &str = "/metrics";

/// The API as an OpenAPI document.
pub const OPENAPI: &str = "/openapi.json";

/// A query to the mesh.
pub const ASK: &str = "/ask";

/// What named API keys used.
pub const USAGE: &str = "/usage";

/// The audits of a validator.
pub const AUDITS: &str = "/audits";

/// The evidence of one mismatch.
pub const AUDIT: &str = "/audits/{query}";

/// An owner key's account.
pub const ACCOUNT: &str = "/accounts/{owner}";

/// Where transactions are submitted.
pub const TRANSACTIONS: &str = "/transactions";

/// A transaction.
pub const TRANSACTION: &str = "/transactions/{id}";

/// All subnets.
pub const SUBNETS: &str = "/subnets";

/// A subnet and its neurons.
pub const SUBNET: &str = "/subnets/{netuid}";

/// A node of the ledger.
pub const NODE: &str = "/nodes/{node}";

/// The validators.
pub const VALIDATORS: &str = "/validators";

/// The proposals of token holders.
pub const PROPOSALS: &str = "/proposals";

/// A page of checkpoints.
pub const CHECKPOINTS: &str = "/checkpoints";

/// A block with its certificate; [`LATEST`] in place of the height names the last checkpoint.
pub const CHECKPOINT: &str = "/checkpoints/{height}";

/// The height in a path that names the last checkpoint.
pub const LATEST: &str = "latest";

/// A checkpoint as it was submitted to the outside chain.
pub const ANCHORED: &str = "/anchored/{height}";

/// A state proof.
pub const FACTS: &str = "/facts";

/// The proof of a node's last epoch in a subnet.
pub const EPOCH: &str = "/epochs/{netuid}";

/// What a client without a state asks.
pub const LIGHT: &str = "/light";

/// Where a client without a state submits transactions.
pub const LIGHT_TRANSACTIONS: &str = "/light/transactions";

/// The trace of an answer.
pub const TRACE: &str = "/traces/{id}";

/// The models and capabilities, in the form of the OpenAI API.
pub const MODELS: &str = "/v1/models";

/// A model or capability; its name may contain slashes.
pub const MODEL: &str = "/v1/models/{*id}";

/// Chat completions of the OpenAI API.
pub const CHAT_COMPLETIONS: &str = "/v1/chat/completions";

/// OpenAI's newer API for chats.
pub const RESPONSES: &str = "/v1/responses";

/// Chats of Anthropic's API.
pub const MESSAGES: &str = "/v1/messages";

/// How many tokens such a chat has.
pub const COUNT_TOKENS: &str = "/v1/messages/count_tokens";

/// Chats of Ollama's API.
pub const OLLAMA_CHAT: &str = "/api/chat";

/// Texts of Ollama's API.
pub const OLLAMA_GENERATE: &str = "/api/generate";

/// Vectors of Ollama's API.
pub const OLLAMA_EMBED: &str = "/api/embed";

/// Models of Ollama's API.
pub const OLLAMA_TAGS: &str = "/api/tags";

/// The version of Ollama's API.
pub const OLLAMA_VERSION: &str = "/api/version";

/// Completions of the OpenAI API.
pub const COMPLETIONS: &str = "/v1/completions";

/// Embeddings of the OpenAI API.
pub const EMBEDDINGS: &str = "/v1/embeddings";

/// [`ACCOUNT`] of `owner`.
#[must_use]
pub fn account(owner: &NodeId) -> String {
    fill(ACCOUNT, "{owner}", owner)
}

/// [`AUDIT`] of the query with this name.
#[must_use]
pub fn audit(query: &Hash) -> String {
    fill(AUDIT, "{query}", query)
}

/// [`TRANSACTION`] with this id.
#[must_use]
pub fn transaction(id: &Hash) -> String {
    fill(TRANSACTION, "{id}", id)
}

/// [`SUBNET`] with this number.
#[must_use]
pub fn subnet(netuid: Netuid) -> String {
    fill(SUBNET, "{netuid}", netuid)
}

/// [`NODE`] with this id.
#[must_use]
pub fn node(node: &NodeId) -> String {
    fill(NODE, "{node}", node)
}

/// [`PEER_REACH`] of `node`.
#[must_use]
pub fn peer_reach(node: &NodeId) -> String {
    fill(PEER_REACH, "{node}", node)
}

/// [`CHECKPOINT`] at `height`, or the last one.
#[must_use]
pub fn checkpoint(height: Option<BlockHeight>) -> String {
    match height {
        Some(height) => fill(CHECKPOINT, "{height}", height),
        None => fill(CHECKPOINT, "{height}", LATEST),
    }
}

/// [`ANCHORED`] at `height`.
#[must_use]
pub fn anchored(height: BlockHeight) -> String {
    fill(ANCHORED, "{height}", height)
}

/// [`EPOCH`] of a subnet.
#[must_use]
pub fn epoch(netuid: Netuid) -> String {
    fill(EPOCH, "{netuid}", netuid)
}

/// [`TRACE`] with this id, of hexadecimal digits.
#[must_use]
pub fn trace(id: &str) -> String {
    fill(TRACE, "{id}", id)
}

/// `route` with one parameter filled in.
fn fill(route: &str, parameter: &str, value: impl Display) -> String {
    route.replace(parameter, &value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_in_every_parameter() {
        assert_eq!(checkpoint(None), "/checkpoints/latest");
        assert_eq!(checkpoint(Some(BlockHeight(7))), "/checkpoints/7");
        assert_eq!(subnet(Netuid(3)), "/subnets/3");
        assert_eq!(trace("ab"), "/traces/ab");
    }
}
