//! Settings of an upstream, and its API key.

use std::{fmt, sync::Arc, time::Duration};

use nervure_protocol::ModelIdentity;
use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use crate::ExpertError;

/// The server and the model to serve.
#[derive(Debug)]
pub struct OpenAiConfig {
    /// Base URL of the API, with the `/v1`: `http://127.0.0.1:11434/v1`.
    pub base_url: String,
    /// Name of the model; the first one of the server by default.
    pub model: Option<String>,
    /// API key of the server.
    pub api_key: Option<Arc<ApiSecret>>,
    /// Capability of the model; `text.generate` by default.
    pub capability: Option<String>,
    /// What the operator says about the model; nothing by default.
    pub identity: ModelIdentity,
    /// Tokens of context; by default the server's figure, or else 8,192.
    pub context: Option<u32>,
    /// Time and size limits.
    pub limits: UpstreamLimits,
}

/// So many bytes of a key in a row are a quotation of it. Its usual beginning, such as `sk-proj-`, is shorter.
const MIN_QUOTED_BYTES: usize = 10;

/// How long a server may take, and how much it may send.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamLimits {
    /// Timeout of the connection; 5 s by default.
    pub connect: Duration,
    /// Timeout of the head of a response and of its first piece; 10 minutes by default, as OpenAI's clients have it: long
    /// prompts, cold loads and reasoning take long. The asker's deadline ends it too.
    pub first_byte: Duration,
    /// Timeout between two pieces of a body; 2 minutes by default.
    pub between: Duration,
    /// Longest answer in bytes, with its framing; 64 MiB by default.
    pub answer: usize,
    /// Longest line of a stream in bytes; 256 KiB by default.
    pub line: usize,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(600),
            between: Duration::from_secs(120),
            answer: 64 << 20,
            line: 256 << 10,
        }
    }
}

impl OpenAiConfig {
    /// The settings for the first model of the server at `base_url`.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            model: None,
            api_key: None,
            capability: None,
            identity: ModelIdentity::default(),
            context: None,
            limits: UpstreamLimits::default(),
        }
    }

    /// The base URL without a slash at its end, if it is valid.
    pub(super) fn checked_base(&self) -> Result<String, ExpertError> {
        let bad = |reason: &str| ExpertError::field("base_url", reason.to_owned());
        let url = reqwest::Url::parse(&self.base_url).map_err(|_| bad("not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(bad("must begin with http:// or https:// and name a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("must not contain a password: set the API key instead"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("must not have a query or a fragment"));
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }
}

/// The API key of an upstream. Never printed; its memory is wiped when it is dropped.
pub struct ApiSecret(Zeroizing<String>);

impl ApiSecret {
    /// A key that is valid in an HTTP header.
    ///
    /// # Errors
    /// [`ExpertError::BadRequest`] when it is empty or has characters that a header must not contain.
    pub fn new(secret: String) -> Result<Self, ExpertError> {
        let secret = Zeroizing::new(secret);
        match !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_graphic()) {
            true => Ok(Self(secret)),
            false => Err(ExpertError::field("api_key", "must be printable ASCII without spaces")),
        }
    }

    /// Whether `text` quotes a part of the key. A server may shorten it.
    pub(super) fn is_quoted_in(&self, text: &str) -> bool {
        let part = self.0.len().min(MIN_QUOTED_BYTES);
        self.0.as_bytes().windows(part).any(|part| text.as_bytes().windows(part.len()).any(|at| at == part))
    }

    /// The value of the authorization header.
    pub(super) fn header(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", self.0.as_str()));
        // Does not fail: the constructor has checked the characters.
        let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_invalid_base_urls() {
        let checked = |url: &str| OpenAiConfig::new(url).checked_base();
        assert_eq!(checked("http://127.0.0.1:11434/v1/").unwrap(), "http://127.0.0.1:11434/v1");
        for bad in
            ["", "127.0.0.1:80", "ftp://h/v1", "file:///etc/passwd", "http://u:p@h/v1", "http://h/v1?x=1"]
        {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_not_printed() {
        let secret = ApiSecret::new("sk-very-secret".into()).unwrap();
        assert!(!format!("{secret:?} {:?}", secret.header()).contains("very"));
        assert!(ApiSecret::new("a\nb".into()).is_err());
        assert!(ApiSecret::new(String::new()).is_err());
    }
}
