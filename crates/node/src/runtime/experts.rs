//! Starts the experts of `--expert`.

mod awaited;
mod degraded;
mod echo;

use std::{collections::BTreeSet, sync::Arc};

#[cfg(feature = "byte-lm")]
use nervure_byte_lm::{ByteExpert, ServeOptions, builtin};
use nervure_experts::{ApiSecret, Expert, ExpertError, OpenAiConfig, OpenAiExpert};
use nervure_primitives::{Capability, CapabilityError, Netuid};
use nervure_protocol::ModelIdentity;

use super::serving::{ExpertLoad, ExpertPlaces, ServedExpert, ServedExperts};
use crate::config::{ExpertSource, ExpertSpec};
use awaited::AwaitedExpert;
use degraded::DegradedExpert;
use echo::{ECHO, EchoExpert};

/// Why an expert cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The build has no built-in models.
    #[cfg(not(feature = "byte-lm"))]
    #[error("this build has no built-in models; build with --features byte-lm")]
    NoBuiltinModels,
    /// No built-in model of that name.
    #[cfg(feature = "byte-lm")]
    #[error("there is no built-in model '{name}': there are {}", known())]
    NoSuchModel {
        /// The name that was given.
        name: String,
    },
    /// The node is not registered where it wants to serve.
    #[error(
        "this node ({node}) is not registered as a miner in {place}: experts can only be served by a miner that the \
         mesh spec lists under [[nodes]]"
    )]
    NotRegistered {
        /// This node.
        node: String,
        /// The subnet of the expert.
        place: String,
    },
    /// Two experts have the same name.
    #[error("two experts are called '{0}': give one of them another name, as in builtin:rust,name=rust-2")]
    SameName(String),
    /// The model's capability is invalid.
    #[error("the model's capability is invalid: {0}")]
    Capability(#[from] CapabilityError),
    /// The model's server cannot be used.
    #[error("the model server {url} cannot be used: {source}")]
    Upstream {
        /// Its URL.
        url: String,
        /// Why not.
        source: ExpertError,
    },
    /// The variable with the server's key is not set.
    #[error("the environment variable {variable}, which should hold the model server's key, is not set")]
    NoKey {
        /// Its name.
        variable: String,
    },
    /// The model does not start.
    #[cfg(feature = "byte-lm")]
    #[error("the expert {name} does not start: {source}")]
    Model {
        /// Its name.
        name: String,
        /// Why not.
        source: ExpertError,
    },
}

#[cfg(feature = "byte-lm")]
fn known() -> String {
    builtin::BUILTIN.iter().map(builtin::Builtin::domain).collect::<Vec<_>>().join(", ")
}

/// Starts the experts of `specs`, for a node that is registered in `netuids`.
pub(crate) async fn start(
    specs: &[ExpertSpec],
    node: &str,
    netuids: &[Netuid],
) -> Result<ServedExperts, ServeError> {
    let mut names = BTreeSet::new();
    let mut served = Vec::with_capacity(specs.len());
    for spec in specs {
        let netuid = netuid(spec, node, netuids)?;
        let expert = start_one(spec, netuid).await?;
        if !names.insert(expert.name.clone()) {
            return Err(ServeError::SameName(expert.name));
        }
        served.push(expert);
    }
    Ok(ServedExperts::new(served))
}

/// Connects to the models of `specs` that this node does not serve: a validator's reference models.
pub(crate) async fn references(specs: &[ExpertSpec]) -> Result<Vec<Arc<dyn Expert>>, ServeError> {
    let mut models = Vec::with_capacity(specs.len());
    for spec in specs {
        // It serves in no subnet.
        models.push(start_one(spec, Netuid(0)).await?.expert);
    }
    Ok(models)
}

fn netuid(spec: &ExpertSpec, node: &str, netuids: &[Netuid]) -> Result<Netuid, ServeError> {
    let place = spec.netuid.map_or("any subnet".into(), |netuid| format!("subnet {netuid}"));
    let wanted = spec.netuid.map(Netuid).or_else(|| netuids.first().copied());
    wanted
        .filter(|netuid| netuids.contains(netuid))
        .ok_or_else(|| ServeError::NotRegistered { node: node.to_owned(), place })
}

async fn start_one(spec: &ExpertSpec, netuid: Netuid) -> Result<ServedExpert, ServeError> {
    let (default_name, expert) = match &spec.source {
        ExpertSource::Builtin { model } => (model.clone(), builtin_expert(model, spec)?),
        ExpertSource::OpenAi { url, model, key_env, .. } => {
            let api_key = key_env.as_deref().map(|name| secret(url, name)).transpose()?.map(Arc::new);
            let (url, model, of) = (url.clone(), model.clone(), spec.clone());
            let config = {
                let url = url.clone();
                move || OpenAiConfig {
                    model: model.clone(),
                    api_key: api_key.clone(),
                    capability: of.capability.as_ref().map(ToString::to_string),
                    identity: of.identity.clone(),
                    ..OpenAiConfig::new(&url)
                }
            };
            let expert = match OpenAiExpert::connect(config()).await {
                Ok(expert) => of_quality(expert, spec),
                Err(error) if AwaitedExpert::may_come(&error) => {
                    tracing::warn!(url, %error, "waiting for the model server; the expert is advertised when it is there");
                    of_quality(AwaitedExpert::new(Box::new(config)), spec)
                }
                Err(error) => return Err(upstream_error(&url, error)),
            };
            (name_of(&expert.card().model), expert)
        }
    };
    let capability = match &spec.capability {
        Some(capability) => capability.clone(),
        None => Capability::new(&expert.card().capability)?,
    };
    let name = spec.name.clone().unwrap_or(default_name);
    let (load, places) = (ExpertLoad::default(), ExpertPlaces::new(spec.places()));
    Ok(ServedExpert { name, netuid, capability, price: spec.price, expert, load, places })
}

fn builtin_expert(name: &str, spec: &ExpertSpec) -> Result<Arc<dyn Expert>, ServeError> {
    if name == ECHO {
        return Ok(Arc::new(EchoExpert::new()));
    }
    byte_expert(name, spec)
}

#[cfg(feature = "byte-lm")]
fn byte_expert(name: &str, spec: &ExpertSpec) -> Result<Arc<dyn Expert>, ServeError> {
    let model = builtin::find(name).ok_or_else(|| ServeError::NoSuchModel { name: name.to_owned() })?;
    let failed = |source| ServeError::Model { name: name.to_owned(), source };
    let mut card = model.card();
    card.identity = stated(&spec.identity, &card.identity);
    let weights = model.load().map_err(|error| failed(error.into()))?;
    let expert = ByteExpert::start(card, &weights, ServeOptions::default()).map_err(failed)?;
    Ok(of_quality(expert, spec))
}

#[cfg(not(feature = "byte-lm"))]
fn byte_expert(_name: &str, _spec: &ExpertSpec) -> Result<Arc<dyn Expert>, ServeError> {
    Err(ServeError::NoBuiltinModels)
}

/// What the operator states, and of the rest what is known.
#[cfg(feature = "byte-lm")]
fn stated(operator: &ModelIdentity, known: &ModelIdentity) -> ModelIdentity {
    ModelIdentity {
        digest: operator.digest.clone().or_else(|| known.digest.clone()),
        quant: operator.quant.clone().or_else(|| known.quant.clone()),
        runtime: operator.runtime.clone().or_else(|| known.runtime.clone()),
        sampler: operator.sampler.clone().or_else(|| known.sampler.clone()),
    }
}

/// The expert with the noise that its setting asks for. Noise is no longer the model, so that nothing is stated about it,
/// unless the operator does: then it is a lie, for experiments with audits.
fn of_quality(expert: impl Expert, spec: &ExpertSpec) -> Arc<dyn Expert> {
    if spec.quality == 100 {
        return Arc::new(expert);
    }
    let identity = match spec.identity.is_unstated() {
        true => ModelIdentity::default(),
        false => expert.card().identity.clone(),
    };
    Arc::new(DegradedExpert::new(expert, spec.quality, identity))
}

/// The API key of the server at `url`, from the environment variable `name`.
fn secret(url: &str, name: &str) -> Result<ApiSecret, ServeError> {
    let value = std::env::var(name).map_err(|_| ServeError::NoKey { variable: name.to_owned() })?;
    ApiSecret::new(value).map_err(|source| upstream_error(url, source))
}

fn upstream_error(url: &str, source: ExpertError) -> ServeError {
    ServeError::Upstream { url: url.to_owned(), source }
}

/// A name for a record out of a model's: `Qwen/Qwen3-4B` becomes `qwen-qwen3-4b`.
fn name_of(model: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = model.chars().map(plain).take(32).collect();
    if name.is_empty() { "upstream".to_owned() } else { name }
}

#[cfg(test)]
#[cfg(feature = "byte-lm")]
mod tests {
    use super::*;

    fn specs(texts: &[&str]) -> Vec<ExpertSpec> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    async fn served(texts: &[&str], netuids: &[Netuid]) -> Result<Vec<String>, ServeError> {
        let served = start(&specs(texts), "12D3", netuids).await?;
        Ok(served.iter().map(|expert| format!("{}:{}", expert.name, expert.netuid)).collect())
    }

    #[tokio::test]
    async fn experts_serve_under_their_names_where_the_node_is_registered() {
        let names = served(&["builtin:rust", "builtin:rust,name=r2,netuid=2"], &[Netuid(1), Netuid(2)]).await;
        assert_eq!(names.unwrap(), ["r2:2", "rust:1"]);
    }

    #[test]
    fn names_of_models_become_names_of_experts() {
        assert_eq!(name_of("Qwen/Qwen3-4B"), "qwen-qwen3-4b");
        assert_eq!(name_of(&"é".repeat(99)), "-".repeat(32));
        assert_eq!(name_of(""), "upstream");
    }

    #[tokio::test]
    async fn mistakes_are_refused_with_the_valid_choices() {
        let error = served(&["builtin:poetry"], &[Netuid(1)]).await.unwrap_err().to_string();
        assert!(error.contains("rust, python, prose, manual"), "{error}");
        let twice = served(&["builtin:rust", "builtin:rust"], &[Netuid(1)]).await;
        assert!(matches!(twice, Err(ServeError::SameName(_))));
        for netuids in [&[][..], &[Netuid(2)]] {
            let elsewhere = served(&["builtin:rust,netuid=1"], netuids).await;
            assert!(matches!(elsewhere, Err(ServeError::NotRegistered { .. })));
        }
    }
}
