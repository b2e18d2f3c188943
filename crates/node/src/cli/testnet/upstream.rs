//! `--upstream` of `nervure testnet up`: the user's own model server, checked before any node starts.

use std::sync::Arc;

use anyhow::Context;
use clap::ArgGroup;
use nervure_experts::{ApiSecret, Expert, OpenAiConfig, OpenAiExpert};
use nervure_testnet::ModelServer;

use crate::{
    cli::secret,
    config::{ExpertSource, ExpertSpec},
};

/// A model server for the miners of the text API subnet
#[derive(Debug, Default, clap::Args)]
#[command(group(ArgGroup::new("server").args(["upstream"])))]
pub(super) struct UpstreamArgs {
    /// A server that speaks the OpenAI API (Ollama, vLLM, llama.cpp) for the text API subnet, such as
    /// http://127.0.0.1:11434/v1, instead of the mock model server
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// A model of that server, with a miner for each; can be given several times [default: its first]
    #[arg(long = "upstream-model", value_name = "NAME", requires = "server")]
    models: Vec<String>,
    /// Its model for the embedding subnet [default: the mock model server's]
    #[arg(long = "upstream-embedding", value_name = "NAME", requires = "server")]
    embedding: Option<String>,
    /// Environment variable with the server's API key
    #[arg(long = "upstream-key-env", value_name = "VARIABLE", requires = "server")]
    key_env: Option<String>,
}

impl UpstreamArgs {
    /// The server, after checking that it answers and has the models.
    pub(super) async fn server(self) -> anyhow::Result<Option<ModelServer>> {
        let Some(url) = self.upstream else { return Ok(None) };
        let key_env = self.key_env.as_deref();
        let wanted: Vec<Option<String>> = match self.models.is_empty() {
            true => vec![None],
            false => self.models.into_iter().map(Some).collect(),
        };
        let mut models = Vec::with_capacity(wanted.len());
        for model in wanted {
            models.push(found(&url, model, key_env).await?);
        }
        if let Some(model) = &self.embedding {
            found(&url, Some(model.clone()), key_env).await?;
        }
        for model in models.iter().chain(&self.embedding) {
            fits_one_line(&url, model)?;
        }
        Ok(Some(ModelServer { url, models, embedding: self.embedding, key_env: self.key_env }))
    }
}

/// The server's key. Nodes of a testnet do not inherit `NERVURE_` variables, which configure the user's own node.
fn secret(variable: &str) -> anyhow::Result<ApiSecret> {
    anyhow::ensure!(
        !variable.starts_with("NERVURE_"),
        "the testnet's nodes do not see {variable}: variables with that prefix are for a node of your own\n\
         put the key into a variable with another name"
    );
    let key = secret::from_environment(variable)?;
    let key = key.with_context(|| {
        format!("the environment variable {variable}, which should hold the server's key, is not set\nexport it and try again")
    })?;
    Ok(ApiSecret::new(key)?)
}

/// The server's model of that name, or its first.
async fn found(url: &str, model: Option<String>, key_env: Option<&str>) -> anyhow::Result<String> {
    let api_key = key_env.map(secret).transpose()?.map(Arc::new);
    let config = OpenAiConfig { model, api_key, ..OpenAiConfig::new(url) };
    let expert = OpenAiExpert::connect(config)
        .await
        .with_context(|| format!("the model server {url} cannot be used, and nothing was started"));
    match expert {
        Ok(expert) => Ok(expert.card().model.clone()),
        Err(error) => anyhow::bail!(
            "{error}: {}\nstart the server, check the URL (it ends in /v1), or omit --upstream to use the mock model server",
            error.root_cause()
        ),
    }
}

/// Checks that the expert can be written on one line: its settings are separated by commas.
fn fits_one_line(url: &str, model: &str) -> anyhow::Result<()> {
    let line = format!("openai:{url},model={model}").parse::<ExpertSpec>();
    let same = |spec: &ExpertSpec| match &spec.source {
        ExpertSource::OpenAi { url: read, model: name, .. } => read == url && name.as_deref() == Some(model),
        ExpertSource::Builtin { .. } => false,
    };
    anyhow::ensure!(
        line.as_ref().is_ok_and(same),
        "'{url}' with the model '{model}' cannot be written as an expert: neither may contain a comma\n\
         give the server another address or the model another name"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_commas() {
        assert!(fits_one_line("http://127.0.0.1:1/v1", "qwen3:4b").is_ok());
        assert!(fits_one_line("http://127.0.0.1:1/v1,price=9", "m").is_err());
        assert!(fits_one_line("http://127.0.0.1:1/v1", "m,price=9").is_err());
    }

    #[tokio::test]
    async fn reports_an_unreachable_server_with_a_hint() {
        let args = UpstreamArgs { upstream: Some("http://127.0.0.1:1/v1".into()), ..UpstreamArgs::default() };
        let error = args.server().await.unwrap_err().to_string();
        assert!(error.contains("nothing was started") && error.contains("omit --upstream"), "{error}");
        let named = UpstreamArgs {
            upstream: Some("http://127.0.0.1:1/v1".into()),
            key_env: Some("NERVURE_KEY".into()),
            ..UpstreamArgs::default()
        };
        assert!(named.server().await.unwrap_err().to_string().contains("another name"));
        assert!(UpstreamArgs::default().server().await.unwrap().is_none());
    }
}
