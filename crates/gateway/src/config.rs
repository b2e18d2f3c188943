//! The settings of the HTTP API, and why it does not start.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use nervure_primitives::{Amount, Netuid};

use super::{HttpMetrics, key::ApiKey, keys::NamedKeys, model_names::ModelNames, origin::AllowedOrigin};

/// Settings of the HTTP API. [`GatewayConfig::loopback`] is the preset to start from.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Address and port to listen on; port 0 lets the system choose. Anything but loopback needs a key.
    pub bind: SocketAddr,
    /// Keys that open the API. If there is one, every request except `/healthz` needs one.
    pub api_keys: Vec<ApiKey>,
    /// The key of the programs that may read the node's directory, such as the command line. It opens as `api_keys` do, and
    /// alone does not close the API to requests without a key.
    pub local_key: Option<ApiKey>,
    /// Keys with names, scopes and limits, besides `api_keys`, which are the operator's.
    pub named_keys: NamedKeys,
    /// Names of models besides those of the mesh.
    pub model_names: ModelNames,
    /// Origins whose web pages may use the API, besides its own: with a key where there are keys.
    pub allow_origins: Vec<AllowedOrigin>,
    /// Whether `/v1/*` is served: true for the role `gateway`.
    pub openai: bool,
    /// The most that one request may spend; a request may name less. Zero reaches free experts only.
    pub max_budget: Amount,
    /// The subnets that are trusted when a query names none; empty for all subnets, each by the stake behind it.
    pub trusted_subnets: Vec<Netuid>,
    /// Bounds on what clients can make the node do.
    pub limits: HttpLimits,
    /// Where the API counts; the node registers them.
    pub metrics: HttpMetrics,
}

/// Bounds on what clients can make the node do.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Longest request body in bytes; 1 MiB by default.
    pub max_body: NonZeroUsize,
    /// Bytes of bodies that are arriving, all together; 64 MiB by default. A body counts for what has arrived of it.
    pub max_body_memory: NonZeroUsize,
    /// Queries in progress, streams included; beyond it they wait. 64 by default. Where the holders of several keys wait,
    /// each gets an equal share.
    pub max_queries: NonZeroU32,
    /// Queries that wait; beyond it 429, at first for the key with most of them. 256 by default.
    pub max_waiting: NonZeroU32,
    /// How long a query waits, if its deadline is not shorter; then 429. 10 s by default.
    pub queue_timeout: Duration,
    /// Open connections; 512 by default. Beyond it, new ones are served from the reserve.
    pub max_connections: NonZeroU32,
    /// Connections beyond `max_connections`, each for one request to `/healthz`, `/metrics`, `/status` or `/peers`; others
    /// get 503. Beyond it new ones wait to be accepted. 16 by default.
    pub reserved_connections: NonZeroU32,
    /// Time for a request's headers, and the longest that a connection may idle between requests; 15 s by default.
    pub header_timeout: Duration,
    /// Time for a whole request body; 15 s by default.
    pub body_timeout: Duration,
    /// How long a client may not read while there is something to send, before it is cut; 30 s by default.
    pub write_timeout: Duration,
    /// Time for an answer when the request names none; 10 minutes by default, as clients of the OpenAI API expect.
    pub default_deadline: Duration,
    /// The most that a request may name; 10 minutes by default.
    pub max_deadline: Duration,
    /// Longest answer in bytes; an expert that sends more is cut off. 8 MiB by default.
    pub max_answer: NonZeroUsize,
    /// Time that answers in progress get at shutdown; 5 s by default.
    pub shutdown_timeout: Duration,
}

impl GatewayConfig {
    /// On loopback, without a key, on a port that the system chooses.
    pub fn loopback() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_keys: Vec::new(),
            local_key: None,
            named_keys: NamedKeys::default(),
            model_names: ModelNames::default(),
            allow_origins: Vec::new(),
            openai: false,
            max_budget: Amount::ZERO,
            trusted_subnets: Vec::new(),
            limits: HttpLimits::default(),
            metrics: HttpMetrics::default(),
        }
    }

    /// Whether a request needs a key.
    pub(super) fn has_keys(&self) -> bool {
        !self.api_keys.is_empty() || self.named_keys.required()
    }

    /// Rejects an API without keys on an address that other hosts can reach.
    ///
    /// # Errors
    /// [`GatewayError::OpenWithoutKey`]
    pub fn check(&self) -> Result<(), GatewayError> {
        if self.bind.ip().is_loopback() || self.has_keys() {
            return Ok(());
        }
        Err(GatewayError::OpenWithoutKey { bind: self.bind })
    }
}

impl Default for HttpLimits {
    fn default() -> Self {
        const fn size(n: usize) -> NonZeroUsize {
            NonZeroUsize::MIN.saturating_add(n - 1)
        }
        const fn count(n: u32) -> NonZeroU32 {
            NonZeroU32::MIN.saturating_add(n - 1)
        }
        Self {
            max_body: size(1 << 20),
            max_body_memory: size(64 << 20),
            max_queries: count(64),
            max_waiting: count(256),
            queue_timeout: Duration::from_secs(10),
            max_connections: count(512),
            reserved_connections: count(16),
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(30),
            default_deadline: Duration::from_secs(600),
            max_deadline: Duration::from_secs(600),
            max_answer: size(8 << 20),
            shutdown_timeout: Duration::from_secs(5),
        }
    }
}

/// Why the HTTP API does not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// An address that others can reach, and no key.
    #[error(
        "the HTTP API would be open to every host that reaches {bind}: set an API key (NERVURE_API_KEY, or api_keys \
         in node.toml), or bind it to 127.0.0.1"
    )]
    OpenWithoutKey {
        /// The address asked for.
        bind: SocketAddr,
    },
    /// The address cannot be bound.
    #[error("the HTTP API cannot listen on {bind}: {source}{}", in_use_hint(.source))]
    Bind {
        /// The address asked for.
        bind: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The next step if another program has the port.
fn in_use_hint(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::AddrInUse {
        "; choose another port with --http-port, or 0 for a free one"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requires_a_key_beyond_loopback() {
        let mut config = GatewayConfig::loopback();
        assert!(config.check().is_ok());
        config.bind = "[::1]:80".parse().unwrap();
        assert!(config.check().is_ok());
        for open in ["0.0.0.0:80", "[::]:80", "192.168.1.2:80", "[::ffff:8.8.8.8]:80"] {
            config.bind = open.parse().unwrap();
            let error = config.check().unwrap_err();
            assert!(error.to_string().contains("NERVURE_API_KEY"), "{error}");
        }
        config.api_keys.push(ApiKey::from_secret("a-long-enough-secret").unwrap());
        assert!(config.check().is_ok());
    }
}
