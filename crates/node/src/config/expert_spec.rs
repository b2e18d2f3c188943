//! `--expert`: an expert of a miner, written on one line.
//!
//! ```text
//! builtin:rust                                      a model that is part of the program
//! builtin:rust,price=5,name=r1                      with a price and a name
//! builtin:rust,quality=40                           degraded on purpose, with 60 % of noise
//! openai:http://127.0.0.1:11434/v1,model=qwen3:4b   any OpenAI-compatible server
//! ```

use std::str::FromStr;

use nervure_primitives::{Capability, CapabilityError};
use serde::Deserialize;

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
        "'{0}' is not a setting of an expert; the settings are name, capability, price, netuid, quality, model and key-env"
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
        "openai" => Ok(ExpertSource::OpenAi { url: rest.to_owned(), model: None, key_env: None }),
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
        };
        assert_eq!(spec.source, expected);
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
