//! Access to the API: holders of a key, or, without keys, programs of this host and no web page of another origin.
//!
//! A node on loopback is within reach of every page in the user's browser. A page can send a request
//! across origins without reading the answer (and a query costs), and by *DNS rebinding* it can make its own
//! name point here and read the answer as well. So without keys the name in `Host` must be one of
//! this host, and an `Origin`, which browsers add and pages cannot forge, must be the API's own or an allowed one.
//! With keys neither matters: a page does not have the key. In either case a browser's `Sec-Fetch-Site: cross-site` is
//! refused where the request does something, unless the origin is allowed.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use nervure_api::ApiErrorCode;
use nervure_primitives::Excerpt;

use super::{
    App,
    config::GatewayConfig,
    error::ApiError,
    key::ApiKey,
    keys::KeyGrant,
    origin::{PageOrigin, check_site, page_origin, wrong_origin},
    routes::is_open,
};

/// Headers besides `Authorization` in which clients show a key: those of Anthropic's API and of Azure.
const KEY_HEADERS: [&str; 2] = ["x-api-key", "api-key"];

/// Passes a request on, or rejects it.
pub(super) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match admit(&app.config, request.method(), request.uri(), request.headers()) {
        Ok(client) => {
            request.extensions_mut().insert(client);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Whose request it is. All requests without a key are of one client.
#[derive(Debug, Clone, Default)]
pub(super) enum Caller {
    #[default]
    WithoutKey,
    /// The number of its key among those of the settings.
    Operator(usize),
    Named(Arc<KeyGrant>),
}

/// The decision.
fn admit(
    config: &GatewayConfig,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Caller, ApiError> {
    if config.has_keys() {
        let client = if is_open(uri.path()) { Caller::WithoutKey } else { check_key(config, headers)? };
        // Pages of the API itself are no concern here: it serves none.
        check_site(method, headers, page_origin(config, headers, ""))?;
        return Ok(client);
    }
    let host = check_host(uri, headers)?;
    let page = page_origin(config, headers, &host);
    if page == PageOrigin::Foreign {
        return Err(wrong_origin(headers));
    }
    check_site(method, headers, page).map(|()| Caller::WithoutKey)
}

/// One of our keys, in one of the headers that clients use.
fn check_key(config: &GatewayConfig, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let reject = |message| Err(ApiError::new(ApiErrorCode::InvalidApiKey, message));
    let Some(secret) = shown_key(headers) else {
        return reject(
            "this API needs a key: send the header 'Authorization: Bearer KEY', or 'x-api-key: KEY'",
        );
    };
    let local = ApiKey::which_opens(config.local_key.as_slice(), secret).map(|_| config.api_keys.len());
    let operators = ApiKey::which_opens(&config.api_keys, secret);
    match (operators.or(local), config.named_keys.find(secret)) {
        (Some(number), _) => Ok(Caller::Operator(number)),
        (None, Some(grant)) => Ok(Caller::Named(grant)),
        (None, None) => reject("this key is not valid for this API"),
    }
}

/// The key that a request shows. `Authorization` wins, unless it has another scheme, which may be for a proxy.
fn shown_key(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|shown| {
        let (scheme, secret) = shown.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(secret)
    });
    bearer.or_else(|| KEY_HEADERS.iter().find_map(|name| headers.get(*name)).map(|shown| shown.as_bytes()))
}

/// One name of this host in `Host`, and in the request line where it has one; gives the `Host`.
pub(super) fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<String, ApiError> {
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
        let message = "this API serves this host only, and the request must have exactly one Host header";
        return Err(ApiError::new(ApiErrorCode::WrongHost, message));
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

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn ask(config: &GatewayConfig, headers: &[(&'static str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        match admit(config, &Method::POST, &Uri::from_static("/ask"), &map) {
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
        assert!(
            admit(&config, &Method::GET, &absolute, &headers).is_err(),
            "the request line counts as well"
        );
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
        config.allow_origins.push("http://localhost:81".parse().unwrap());
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
        assert!(admit(&config, &Method::GET, &Uri::from_static("/healthz"), &HeaderMap::new()).is_ok());
    }

    #[test]
    fn takes_a_key_from_the_headers_that_clients_use() {
        let mut config = GatewayConfig::loopback();
        config.api_keys.push(ApiKey::from_secret("correct-horse-battery").unwrap());
        for name in ["x-api-key", "api-key"] {
            assert_eq!(ask(&config, &[(name, "correct-horse-battery")]), 200, "{name}");
            assert_eq!(ask(&config, &[(name, "Bearer correct-horse-battery")]), 401, "{name}");
            let behind_a_proxy = [("authorization", "Basic eDp5"), (name, "correct-horse-battery")];
            assert_eq!(ask(&config, &behind_a_proxy), 200, "{name}");
            let wrong = [("authorization", "Bearer wrong-wrong-wrong"), (name, "correct-horse-battery")];
            assert_eq!(ask(&config, &wrong), 401, "one key counts");
        }
    }

    #[test]
    fn pages_of_other_sites_do_nothing_without_an_allowed_origin() {
        let mut open = GatewayConfig::loopback();
        open.allow_origins.push("https://chat.example".parse().unwrap());
        let mut keyed = open.clone();
        keyed.api_keys.push(ApiKey::from_secret("correct-horse-battery").unwrap());
        let base = [("host", "localhost"), ("x-api-key", "correct-horse-battery")];
        for config in [&open, &keyed] {
            let with = |more: &[(&'static str, &str)]| ask(config, &[&base, more].concat());
            assert_eq!(with(&[("sec-fetch-site", "cross-site")]), 403);
            assert_eq!(with(&[("sec-fetch-site", "same-origin")]), 200);
            assert_eq!(with(&[]), 200, "no browser");
            let page = |origin| with(&[("sec-fetch-site", "cross-site"), ("origin", origin)]);
            assert_eq!((page("https://chat.example"), page("https://evil.example")), (200, 403));
        }
    }
}
