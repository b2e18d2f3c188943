//! Settings of an upstream, and its secret.

use std::{fmt, time::Duration};

use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use crate::ExpertError;

/// Which server, which model.
#[derive(Debug)]
pub struct OpenAiConfig {
    /// Where its API is, with the `/v1`: `http://127.0.0.1:11434/v1`.
    pub base_url: String,
    /// Which of its models; its first one when not given.
    pub model: Option<String>,
    /// Its API key.
    pub api_key: Option<ApiSecret>,
    /// What the model can do; `text.generate` when not given.
    pub capability: Option<String>,
    /// Tokens of context; what the server says when not given, else 8,192.
    pub context: Option<u32>,
    /// Bounds on the server.
    pub limits: UpstreamLimits,
}

/// Bounds on what a server may take and send.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamLimits {
    /// Time for connecting; 5 s by default.
    pub connect: Duration,
    /// Time to the head of a response; 60 s by default, as long prompts take long.
    pub first_byte: Duration,
    /// Time between pieces; 30 s by default.
    pub between: Duration,
    /// Longest answer in bytes, with all of its framing; 64 MiB by default.
    pub answer: usize,
    /// Longest line of a stream in bytes; 256 KiB by default.
    pub line: usize,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(60),
            between: Duration::from_secs(30),
            answer: 64 << 20,
            line: 256 << 10,
        }
    }
}

impl OpenAiConfig {
    /// The first model of the server at `base_url`.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            model: None,
            api_key: None,
            capability: None,
            context: None,
            limits: UpstreamLimits::default(),
        }
    }

    /// The base URL without a slash at its end, if it is one that may be asked.
    pub(super) fn checked_base(&self) -> Result<String, ExpertError> {
        let bad = |reason: &str| ExpertError::field("base_url", reason.to_owned());
        let url = reqwest::Url::parse(&self.base_url).map_err(|_| bad("not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(bad("must begin with http:// or https:// and name a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("must not hold a password: give the key by itself"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("must end with its path"));
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }
}

/// A secret for an upstream. Never printed, wiped when dropped.
pub struct ApiSecret(Zeroizing<String>);

impl ApiSecret {
    /// A secret that can stand in a header.
    ///
    /// # Errors
    /// [`ExpertError::BadRequest`] when it is empty or has characters that a header cannot have.
    pub fn new(secret: String) -> Result<Self, ExpertError> {
        let secret = Zeroizing::new(secret);
        match !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_graphic()) {
            true => Ok(Self(secret)),
            false => Err(ExpertError::field("api_key", "printable ASCII without blanks")),
        }
    }

    /// The value of the authorization header.
    pub(super) fn header(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", self.0.as_str()));
        // The constructor has checked the characters.
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
    fn urls_that_must_not_be_asked_are_refused() {
        let checked = |url: &str| OpenAiConfig::new(url).checked_base();
        assert_eq!(checked("http://127.0.0.1:11434/v1/").unwrap(), "http://127.0.0.1:11434/v1");
        for bad in
            ["", "127.0.0.1:80", "ftp://h/v1", "file:///etc/passwd", "http://u:p@h/v1", "http://h/v1?x=1"]
        {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret = ApiSecret::new("sk-very-secret".into()).unwrap();
        assert!(!format!("{secret:?} {:?}", secret.header()).contains("very"));
        assert!(ApiSecret::new("a\nb".into()).is_err());
        assert!(ApiSecret::new(String::new()).is_err());
    }
}
