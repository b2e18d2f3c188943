//! Access to the API: holders of a key, or, without keys, programs of this host and no web page of another origin.
//!
//! A node on loopback is within reach of every page in the user's browser. A page can send a request
//! across origins without reading the answer (and a query costs), and by *DNS rebinding* it can make its own
//! name point here and read the answer as well. So without keys the name in `Host` must be one of
//! this host, and an `Origin`, which browsers add and pages cannot forge, must be the API's own or an allowed one.
//! With keys neither matters: a page does not have the key.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use nervure_api::ApiErrorCode;
use nervure_primitives::Excerpt;

use super::{App, config::GatewayConfig, error::ApiError, key::ApiKey, routes::is_open};

/// Passes a request on, or rejects it.
pub(super) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match admit(&app.config, request.uri(), request.headers()) {
        Ok(client) => {
            request.extensions_mut().insert(client);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Whose request it is: the number of its key. All requests without a key are of one client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClientNumber(pub(super) Option<usize>);

/// The decision.
fn admit(config: &GatewayConfig, uri: &Uri, headers: &HeaderMap) -> Result<ClientNumber, ApiError> {
    if !config.api_keys.is_empty() {
        return if is_open(uri.path()) { Ok(ClientNumber(None)) } else { check_key(config, headers) };
    }
    let host = check_host(uri, headers)?;
    check_origin(config, headers, &host).map(|()| ClientNumber(None))
}

/// `Authorization: Bearer KEY` with one of our keys.
fn check_key(config: &GatewayConfig, headers: &HeaderMap) -> Result<ClientNumber, ApiError> {
    let shown = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let reject = |message| Err(ApiError::new(ApiErrorCode::InvalidApiKey, message));
    let Some(shown) = shown else {
        return reject("this API needs a key: send the header 'Authorization: Bearer KEY'");
    };
    match shown.split_at_checked(7) {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case(b"bearer ") => {
            match ApiKey::which_opens(&config.api_keys, secret) {
                Some(number) => Ok(ClientNumber(Some(number))),
                None => reject("this key is not valid for this API"),
            }
        }
        _ => reject("the header 'Authorization' must read 'Bearer KEY'"),
    }
}

/// One name of this host in `Host`, and in the request line where it has one; gives the `Host`.
fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<String, ApiError> {
    let reject = |name: &str| {
        let message = format!(
            "this API serves this host only and does not know '{}': use 127.0.0.1 or localhost, or set an API key to serve others",
            Excerpt::new(name)
        );
        Err(ApiError::new(ApiErrorCode::WrongHost, message))
    };
    let mut hosts = headers.get_all(header::HOST).iter();
    // Two of them are read differently by different proxies (request smuggling): RFC 9112, 3.2.
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return reject("request without exactly one Host header");
    };
    let host = String::from_utf8_lossy(host.as_bytes()).to_ascii_lowercase();
    if !host.parse().is_ok_and(|name| is_this_host(&name)) {
        return reject(&host);
    }
    // A request line with a full URL wins over `Host` (RFC 9112, 3.2.2), so that both must be of this host.
    match uri.authority() {
        Some(name) if !is_this_host(name) => reject(name.as_str()),
        _ => Ok(host),
    }
}

/// Whether the name, without its port, can only mean this host.
fn is_this_host(authority: &Authority) -> bool {
    // The host of `localhost@evil.example` is the part after the sign. User information has no use here.
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host().to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        // Names below `localhost` never leave the host: RFC 6761, 6.3.
        || name.ends_with(".localhost")
        || literal.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// No `Origin`, our own, or an allowed one.
fn check_origin(config: &GatewayConfig, headers: &HeaderMap, host: &str) -> Result<(), ApiError> {
    for origin in headers.get_all(header::ORIGIN) {
        let origin = String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase();
        // The API itself speaks no TLS, so that an `https` origin is another one.
        let own = origin.strip_prefix("http://").is_some_and(|authority| authority == host);
        if !own && !config.allow_origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(&origin)) {
            let message = format!("web pages of {} may not use this API", Excerpt::new(&origin));
            return Err(ApiError::new(ApiErrorCode::WrongOrigin, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(config: &GatewayConfig, headers: &[(&'static str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        match admit(config, &Uri::from_static("/ask"), &map) {
            Ok(_) => 200,
            Err(error) => error.into_response().status().as_u16(),
        }
    }

    #[test]
    fn serves_only_names_of_this_host_without_keys() {
        let config = GatewayConfig::loopback();
        for host in [
            "localhost",
            "LocalHost:80",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:80",
            "a.localhost",
            "localhost.",
        ] {
            assert_eq!(ask(&config, &[("host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "0x7f.1",
            "2130706433",
            "192.168.0.1",
            "[::ffff:7f00:1]",
            "localhost@evil.example",
            "",
            "0.0.0.0",
        ] {
            assert_eq!(ask(&config, &[("host", host)]), 403, "{host}");
        }
        assert_eq!(ask(&config, &[]), 403, "no Host at all");
        assert_eq!(ask(&config, &[("host", "localhost"), ("host", "evil.example")]), 403);
        let absolute = Uri::from_static("http://evil.example/ask");
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("localhost"))]);
        assert!(admit(&config, &absolute, &headers).is_err(), "the request line counts as well");
    }

    #[test]
    fn rejects_pages_of_other_origins_without_keys() {
        let mut config = GatewayConfig::loopback();
        let from = |config: &_, origin| ask(config, &[("host", "localhost:80"), ("origin", origin)]);
        assert_eq!(from(&config, "http://localhost:80"), 200);
        for origin in [
            "null",
            "http://evil.example",
            "http://localhost:81",
            "https://localhost:80",
            "http://localhost:80.evil",
        ] {
            assert_eq!(from(&config, origin), 403, "{origin}");
        }
        config.allow_origins.push("http://localhost:81".into());
        assert_eq!(from(&config, "http://localhost:81"), 200);
    }

    #[test]
    fn decides_by_the_key_alone_with_keys() {
        let mut config = GatewayConfig::loopback();
        config.api_keys.push(ApiKey::from_secret("correct-horse-battery").unwrap());
        let with = |value| ask(&config, &[("host", "mesh.example"), ("authorization", value)]);
        assert_eq!(with("Bearer correct-horse-battery"), 200);
        assert_eq!(with("bearer correct-horse-battery"), 200);
        for wrong in
            ["Bearer", "Bearer ", "Bearer wrong-wrong-wrong-wrong", "Basic correct-horse-battery", "é"]
        {
            assert_eq!(with(wrong), 401, "{wrong}");
        }
        assert_eq!(ask(&config, &[("host", "localhost")]), 401, "loopback does not replace a key");
        assert!(admit(&config, &Uri::from_static("/healthz"), &HeaderMap::new()).is_ok());
    }
}
