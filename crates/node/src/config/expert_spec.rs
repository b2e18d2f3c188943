//! `--expert`: an expert of a miner, written on one line.
//!
//! ```text
//! builtin:rust                                      a model that is part of the program
//! builtin:rust,price=5,name=r1                      with a price and a name
//! builtin:rust,quality=40                           degraded on purpose, with 60 % of noise
//! openai:http://127.0.0.1:11434/v1,model=qwen3:4b   any OpenAI-compatible server
//! openai:http://127.0.0.1:11434/v1,digest=sha256:7f..,quant=q4_k_m,runtime=ollama/0.9
//!                                                   with what its operator says about the model
//! openai:http://127.0.0.1:11434/v1,concurrency=4    the same, with at most four requests at once
//! ```

use std::{num::NonZeroUsize, str::FromStr};

use nervure_primitives::{Capability, CapabilityError, UntrustedText};
use nervure_protocol::ModelIdentity;
use serde::Deserialize;

/// Requests to an upstream at once, where the operator names none.
const DEFAULT_CONCURRENCY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);

/// Requests at once that `builtin:echo` works on; it has no worker.
const ECHO_PLACES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// Most requests at once that an operator may name; each holds a connection.
const MAX_CONCURRENCY: usize = 1024;

/// Longest name of an expert, in bytes; the record refuses longer ones.
const MAX_NAME_LEN: usize = 32;

/// One expert that a miner is to serve.
///
/// ```
/// use nervure::ExpertSpec;
///
/// let spec: ExpertSpec = "builtin:rust,price=5,name=r1".parse()?;
/// assert_eq!((spec.price, spec.name.as_deref()), (5, Some("r1")));
/// assert!("builtin:rust,prise=5".parse::<ExpertSpec>().is_err());
/// # Ok::<(), nervure::ExpertSpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ExpertSpec {
    /// The source of its answers.
    pub source: ExpertSource,
    /// Its name on this node; a default is derived from the source.
    pub name: Option<String>,
    /// Its capability; the model's own if not given.
    pub capability: Option<Capability>,
    /// Price per 1,000 output tokens, in base units.
    pub price: u64,
    /// The subnet that it serves in; the node's first subnet if not given.
    pub netuid: Option<u16>,
    /// Part of its output that is not noise, in percent; less than 100 only in experiments.
    pub quality: u8,
    /// What the operator says about the model. A built-in model is described by its weights; another statement about it is
    /// for experiments with audits.
    pub identity: ModelIdentity,
}

/// The source of an expert's answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpertSource {
    /// A model that is part of the program.
    Builtin {
        /// Its name: `rust`, `python` and so on.
        model: String,
    },
    /// A server that speaks the OpenAI API.
    OpenAi {
        /// Base URL, with the `/v1`.
        url: String,
        /// The upstream's model; its first one when not given.
        model: Option<String>,
        /// Name of the environment variable with the upstream's API key.
        key_env: Option<String>,
        /// Requests to it at once; others wait.
        concurrency: NonZeroUsize,
    },
}

/// Why a text is not a valid [`ExpertSpec`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpertSpecError {
    /// Neither `builtin:` nor `openai:`.
    #[error("'{0}' is not a valid expert: write builtin:NAME or openai:URL, for instance builtin:rust")]
    UnknownSource(String),
    /// The name after the colon is missing.
    #[error("the name after the colon of '{0}' is missing")]
    EmptySource(String),
    /// A setting that does not exist.
    #[error(
        "'{0}' is not a setting of an expert; the settings are name, capability, price, netuid, quality, digest, \
         quant and runtime, and of an upstream model, key-env and concurrency"
    )]
    UnknownSetting(String),
    /// A setting with a value that it cannot have.
    #[error("{setting} cannot be '{value}': {reason}")]
    BadValue {
        /// Which setting.
        setting: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl FromStr for ExpertSpec {
    type Err = ExpertSpecError;

    fn from_str(text: &str) -> Result<Self, ExpertSpecError> {
        let (head, settings) = text.split_once(',').unwrap_or((text, ""));
        let mut spec = Self {
            source: source(head)?,
            name: None,
            capability: None,
            price: 0,
            netuid: None,
            quality: 100,
            identity: ModelIdentity::default(),
        };
        for setting in settings.split(',').filter(|setting| !setting.is_empty()) {
            let (key, value) =
                setting.split_once('=').ok_or_else(|| ExpertSpecError::UnknownSetting(setting.to_owned()))?;
            spec.set(key.trim(), value.trim())?;
        }
        Ok(spec)
    }
}

impl TryFrom<String> for ExpertSpec {
    type Error = ExpertSpecError;

    fn try_from(text: String) -> Result<Self, ExpertSpecError> {
        text.parse()
    }
}

impl ExpertSpec {
    /// Questions that it works on at once: one for each worker of a built-in model.
    pub(crate) fn places(&self) -> NonZeroUsize {
        match &self.source {
            ExpertSource::Builtin { model } if model == "echo" => ECHO_PLACES,
            ExpertSource::Builtin { .. } => NonZeroUsize::MIN,
            ExpertSource::OpenAi { concurrency, .. } => *concurrency,
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), ExpertSpecError> {
        match (key, &mut self.source) {
            ("name", _) => self.name = Some(name(value)?),
            ("price", _) => self.price = number("price", value)?,
            ("quality", _) => {
                self.quality = number("quality", value)?;
                if self.quality > 100 {
                    return Err(bad("quality", value, &"a percentage, 0 to 100"));
                }
            }
            ("netuid", _) => self.netuid = Some(number("netuid", value)?),
            ("capability", _) => {
                let parsed = value.parse().map_err(|e: CapabilityError| bad("capability", value, &e));
                self.capability = Some(parsed?);
            }
            ("model", ExpertSource::OpenAi { model, .. }) => *model = Some(value.to_owned()),
            ("key-env", ExpertSource::OpenAi { key_env, .. }) => *key_env = Some(value.to_owned()),
            ("digest", _) => self.identity.digest = Some(claim("digest", value)?),
            ("quant", _) => self.identity.quant = Some(claim("quant", value)?),
            ("runtime", _) => self.identity.runtime = Some(claim("runtime", value)?),
            ("concurrency", ExpertSource::OpenAi { concurrency, .. }) => {
                *concurrency = number("concurrency", value)?;
                if concurrency.get() > MAX_CONCURRENCY {
                    return Err(bad("concurrency", value, &format!("at most {MAX_CONCURRENCY}")));
                }
            }
            _ => return Err(ExpertSpecError::UnknownSetting(key.to_owned())),
        }
        Ok(())
    }
}

fn source(head: &str) -> Result<ExpertSource, ExpertSpecError> {
    let unknown = || ExpertSpecError::UnknownSource(head.to_owned());
    let (kind, rest) = head.split_once(':').ok_or_else(unknown)?;
    if rest.is_empty() {
        return Err(ExpertSpecError::EmptySource(head.to_owned()));
    }
    match kind {
        "builtin" => Ok(ExpertSource::Builtin { model: rest.to_owned() }),
        "openai" => Ok(ExpertSource::OpenAi {
            url: rest.to_owned(),
            model: None,
            key_env: None,
            concurrency: DEFAULT_CONCURRENCY,
        }),
        _ => Err(unknown()),
    }
}

fn name(value: &str) -> Result<String, ExpertSpecError> {
    let good = !value.is_empty()
        && value.len() <= MAX_NAME_LEN
        && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    match good {
        true => Ok(value.to_owned()),
        false => Err(bad("name", value, &"1 to 32 lower-case letters, digits and hyphens")),
    }
}

/// A part of a model's identity.
fn claim<const MAX: usize>(
    setting: &'static str,
    value: &str,
) -> Result<UntrustedText<MAX>, ExpertSpecError> {
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(bad(setting, value, &"text without control characters"));
    }
    UntrustedText::whole(value).map_err(|error| bad(setting, value, &error))
}

fn number<T: FromStr<Err: std::fmt::Display>>(
    setting: &'static str,
    value: &str,
) -> Result<T, ExpertSpecError> {
    value.parse().map_err(|error: T::Err| bad(setting, value, &error))
}

fn bad(setting: &'static str, value: &str, reason: &dyn std::fmt::Display) -> ExpertSpecError {
    ExpertSpecError::BadValue { setting, value: value.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_built_in_model_with_settings() {
        let spec: ExpertSpec = "builtin:rust,price=5,name=r1,capability=text.generate.rust".parse().unwrap();
        assert_eq!(spec.source, ExpertSource::Builtin { model: "rust".into() });
        assert_eq!((spec.price, spec.name.as_deref()), (5, Some("r1")));
    }

    #[test]
    fn keeps_the_colons_of_an_upstream_url() {
        let spec: ExpertSpec = "openai:http://127.0.0.1:11434/v1,model=qwen3:4b".parse().unwrap();
        let expected = ExpertSource::OpenAi {
            url: "http://127.0.0.1:11434/v1".into(),
            model: Some("qwen3:4b".into()),
            key_env: None,
            concurrency: DEFAULT_CONCURRENCY,
        };
        assert_eq!(spec.source, expected);
    }

    #[test]
    fn an_upstream_says_which_model_it_has() {
        let spec: ExpertSpec =
            "openai:http://h/v1,digest=sha256:7f,quant=q4_k_m,runtime=vllm/0.11".parse().unwrap();
        assert_eq!(
            spec.identity.to_string(),
            "digest=sha256:7f quant=q4_k_m runtime=vllm/0.11 sampler=unstated"
        );
        let too_long = format!("openai:http://h/v1,quant={}", "q".repeat(49));
        let error = too_long.parse::<ExpertSpec>().unwrap_err();
        assert!(matches!(error, ExpertSpecError::BadValue { setting: "quant", .. }));
    }

    #[test]
    fn an_upstream_has_a_bound_on_requests() {
        let places = |text: &str| text.parse::<ExpertSpec>().map(|spec| spec.places().get());
        assert_eq!(places("openai:http://a/v1"), Ok(16));
        assert_eq!(places("openai:http://a/v1,concurrency=3"), Ok(3));
        assert_eq!(places("builtin:rust"), Ok(1));
        for bad in ["0", "1025", "x"] {
            let error = places(&format!("openai:http://a/v1,concurrency={bad}")).unwrap_err();
            assert!(matches!(error, ExpertSpecError::BadValue { setting: "concurrency", .. }), "{bad}");
        }
        let built_in = places("builtin:rust,concurrency=2").unwrap_err();
        assert_eq!(built_in, ExpertSpecError::UnknownSetting("concurrency".into()));
    }

    #[test]
    fn names_mistakes() {
        let error = |text: &str| text.parse::<ExpertSpec>().unwrap_err();
        assert_eq!(error("rust"), ExpertSpecError::UnknownSource("rust".into()));
        assert_eq!(error("builtin:"), ExpertSpecError::EmptySource("builtin:".into()));
        assert_eq!(error("builtin:rust,pirce=5"), ExpertSpecError::UnknownSetting("pirce".into()));
        assert_eq!(error("builtin:rust,model=x"), ExpertSpecError::UnknownSetting("model".into()));
        assert!(matches!(error("builtin:rust,price=-1"), ExpertSpecError::BadValue { setting: "price", .. }));
        assert!(matches!(
            error("builtin:rust,quality=101"),
            ExpertSpecError::BadValue { setting: "quality", .. }
        ));
        assert!(matches!(error("builtin:rust,name=A B"), ExpertSpecError::BadValue { setting: "name", .. }));
    }
}
