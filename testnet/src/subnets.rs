//! The subnets of a testnet: their numbers and mechanisms, and their experts besides the built-in models.

use nervure_ledger::spec::SubnetSpec;
use nervure_primitives::{MechanismSpec, Netuid};

/// Built-in byte models, tested by `next-byte`.
pub const TEXT_GENERATION: Netuid = Netuid(1);

/// Models behind OpenAI-compatible servers, tested by `exact-answer`.
pub const TEXT_API: Netuid = Netuid(18);

/// Embedding models, tested by `embedding`.
pub const EMBEDDING: Netuid = Netuid(21);

/// Capability of the text API's experts. Not below `text.generate`: those continue a text, these answer one.
const CHAT_CAPABILITY: &str = "text.chat";

/// Capability of the embedding experts.
const EMBEDDING_CAPABILITY: &str = "text.embed";

/// The mock model server's models in the text API, best first; each has its percentage of correct answers in its name.
const CHAT_MODELS: [&str; 3] = ["mock-100", "mock-70", "mock-40"];

/// The same for embeddings.
const EMBEDDING_MODELS: [&str; 3] = ["mock-embed-100", "mock-embed-60", "mock-embed-30"];

/// The user's own model server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelServer {
    /// Base URL, with the `/v1`; without a comma.
    pub url: String,
    /// The models that answer; a miner for each.
    pub models: Vec<String>,
    /// The model that makes vectors; without one, the mock model server does.
    pub embedding: Option<String>,
    /// The environment variable with its API key.
    pub key_env: Option<String>,
}

impl ModelServer {
    /// The expert that serves `model`, in the form of `--expert`.
    fn expert(&self, model: &str, (capability, netuid): (&str, Netuid)) -> String {
        let key = self.key_env.as_ref().map(|name| format!(",key-env={name}")).unwrap_or_default();
        format!("openai:{},model={model},capability={capability},netuid={netuid}{key}", self.url)
    }
}

/// The subnets of a testnet besides [`TEXT_GENERATION`].
pub(crate) fn specs() -> [SubnetSpec; 2] {
    // Every validator sets a task every two seconds, all on one machine, so the tasks are small.
    // These two subnets are demonstrations: the mock model server is a program that is built for their questions. They
    // leave out what it cannot answer, and put questions alone.
    let exact = MechanismSpec::named("exact-answer").with("questions", 2).with("alone", 1);
    let exact = exact.with("logic", 0).with("code", 0);
    let embedding = MechanismSpec::named("embedding").with("triples", 8);
    [
        SubnetSpec::new(TEXT_API, "text-api", Some(exact)),
        SubnetSpec::new(EMBEDDING, "embedding", Some(embedding)),
    ]
}

/// All subnets of a testnet.
pub(crate) const ALL: [Netuid; 3] = [TEXT_GENERATION, TEXT_API, EMBEDDING];

/// The experts of the text API and embedding subnets, best first: those of `server`, and those that it does not have
/// from the mock model server at the base URL `mock_server`.
pub(crate) fn experts(server: Option<&ModelServer>, mock_server: Option<&str>) -> [Vec<String>; 2] {
    let mock_experts = |models: [&str; 3], what: (&str, Netuid)| -> Vec<String> {
        let Some(url) = mock_server else { return Vec::new() };
        let server = ModelServer { url: url.to_owned(), models: Vec::new(), embedding: None, key_env: None };
        models.iter().map(|model| server.expert(model, what)).collect()
    };
    let (chat, embed) = ((CHAT_CAPABILITY, TEXT_API), (EMBEDDING_CAPABILITY, EMBEDDING));
    let text = match server {
        Some(server) => server.models.iter().map(|model| server.expert(model, chat)).collect(),
        None => mock_experts(CHAT_MODELS, chat),
    };
    let embedding = match server.and_then(|server| Some((server, server.embedding.as_ref()?))) {
        Some((server, model)) => vec![server.expert(model, embed)],
        None => mock_experts(EMBEDDING_MODELS, embed),
    };
    [text, embedding]
}

/// The subnet that `expert`, in the form of `--expert`, is served in.
pub(crate) fn netuid_of(expert: &str) -> Netuid {
    let named = expert.split(',').find_map(|setting| setting.trim().strip_prefix("netuid=")?.parse().ok());
    named.map_or(TEXT_GENERATION, Netuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefers_the_models_of_a_server_to_the_mock_server() {
        let mut server = ModelServer {
            url: "http://127.0.0.1:11434/v1".into(),
            models: vec!["qwen3:4b".into()],
            embedding: None,
            key_env: Some("KEY".into()),
        };
        let [text, embedding] = experts(Some(&server), Some("http://127.0.0.1:9/v1"));
        assert_eq!(
            text,
            ["openai:http://127.0.0.1:11434/v1,model=qwen3:4b,capability=text.chat,netuid=18,key-env=KEY"]
        );
        assert!(embedding.len() == 3 && embedding.iter().all(|expert| expert.contains("model=mock-embed-")));
        server.embedding = Some("nomic".into());
        let [_, embedding] = experts(Some(&server), None);
        assert!(embedding.len() == 1 && embedding[0].contains("model=nomic,capability=text.embed,netuid=21"));
        let [text, embedding] = experts(None, None);
        assert!(text.is_empty() && embedding.is_empty());
    }

    #[test]
    fn reads_the_subnet_of_an_expert() {
        assert_eq!(netuid_of("builtin:rust,quality=60"), TEXT_GENERATION);
        assert_eq!(netuid_of("openai:http://x/v1, netuid=18,model=m"), TEXT_API);
    }
}
