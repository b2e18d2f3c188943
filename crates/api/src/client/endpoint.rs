//! Where the HTTP API of a node is: an address, or a URL behind which a proxy has it.

use std::{fmt, net::SocketAddr, str::FromStr, sync::Arc};

/// Longest URL, in bytes.
const MAX_URL_BYTES: usize = 256;

/// Where the HTTP API of a node is.
///
/// ```
/// use nervure_api::Endpoint;
///
/// let endpoint: Endpoint = "https://mesh.example/api/".parse()?;
/// assert_eq!(endpoint.to_string(), "https://mesh.example/api");
/// let endpoint: Endpoint = "127.0.0.1:8080".parse()?;
/// assert_eq!(endpoint.to_string(), "127.0.0.1:8080");
/// # Ok::<(), nervure_api::ParseEndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Arc<str>);

/// Why a text is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an endpoint: write https://HOST, http://HOST:PORT or IP:PORT")]
pub struct ParseEndpointError;

impl Endpoint {
    /// The URL of a path.
    pub(super) fn url(&self, path: &str) -> String {
        match self.is_url() {
            true => format!("{}{path}", self.0),
            false => format!("http://{}{path}", self.0),
        }
    }

    /// Whether it was given as a URL.
    #[must_use]
    pub fn is_url(&self) -> bool {
        self.0.contains("://")
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self(address.to_string().into())
    }
}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, ParseEndpointError> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        let url = text.trim_end_matches('/');
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let host = rest.ok_or(ParseEndpointError)?.split('/').next().unwrap_or_default();
        // No user name: an endpoint may come from a file of others, and is shown.
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        let is_plain = url.len() <= MAX_URL_BYTES && url.chars().all(|c| c.is_ascii_graphic());
        match is_plain && !host.is_empty() && host.chars().all(is_host) && !url.contains(['?', '#']) {
            true => Ok(Self(url.into())),
            false => Err(ParseEndpointError),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_or_a_plain_url() {
        let url = |text: &str| text.parse::<Endpoint>().map(|endpoint| endpoint.url("/status"));
        assert_eq!(url("[::1]:80"), Ok("http://[::1]:80/status".into()));
        assert_eq!(url("https://a.example/x/"), Ok("https://a.example/x/status".into()));
        for bad in ["", "a.example", "ftp://a", "https://", "https://user@a", "http://a/?x", "http://a b"] {
            assert_eq!(url(bad), Err(ParseEndpointError), "{bad}");
        }
        assert!(url(&format!("https://{}", "a".repeat(300))).is_err());
    }
}
