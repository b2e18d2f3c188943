//! Web pages of other origins: which may use the API, and what a browser is told about it (CORS, Fetch Standard).
//!
//! A browser asks before a page sends JSON or a key to another origin (*preflight*). That question carries no key, so it is
//! answered before the guard. Cookies mean nothing here, so no answer allows credentials, and no wildcard is needed: each
//! origin is named by the operator.

use std::{fmt, str::FromStr};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use nervure_api::ApiErrorCode;
use nervure_primitives::Excerpt;

use super::{
    App, GatewayConfig,
    answer::{EXPERT_HEADER, ROUTE_HEADER},
    connections::REQUEST_ID_HEADER,
    error::ApiError,
    guard::check_host,
};

/// Longest origin, in bytes: the longest name of a host, with scheme and port.
const MAX_ORIGIN_BYTES: usize = 300;

/// Longest list of headers in a preflight that is answered with the same list, in bytes.
const MAX_HEADER_LIST_BYTES: usize = 2048;

/// What other origins may send.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");

/// How long a browser need not ask again, in seconds.
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("600");

/// Header by which browsers say how the page's site relates to the API's.
const FETCH_SITE_HEADER: &str = "sec-fetch-site";

/// An origin whose pages may use the API, such as `https://chat.example`; in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigin(String);

/// The text is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an origin: write scheme, host and port without a path, such as https://chat.example or http://localhost:3000; \
     each origin is named, '*' is not allowed"
)]
pub struct AllowedOriginError(String);

impl FromStr for AllowedOrigin {
    type Err = AllowedOriginError;

    fn from_str(text: &str) -> Result<Self, AllowedOriginError> {
        let reject = || AllowedOriginError(Excerpt::new(text).to_string());
        let origin = text.to_ascii_lowercase();
        let (scheme, host) = origin.split_once("://").ok_or_else(reject)?;
        // Browser extensions and desktop programs have schemes of their own.
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        let is_host = !host.contains(['@', '*', '/']) && host.parse::<Authority>().is_ok();
        if origin.len() > MAX_ORIGIN_BYTES || !is_scheme || !is_host {
            return Err(reject());
        }
        Ok(Self(origin))
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose page sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageOrigin {
    /// No page, or one of the API itself.
    Own,
    /// An origin that the operator named.
    Allowed,
    /// Another one.
    Foreign,
}

/// Whose page sent the request with these headers, to the API at `host`.
pub(super) fn page_origin(config: &GatewayConfig, headers: &HeaderMap, host: &str) -> PageOrigin {
    let mut found = PageOrigin::Own;
    for origin in headers.get_all(header::ORIGIN) {
        let origin = String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase();
        // The API itself speaks no TLS, so that an `https` origin is another one.
        if origin.strip_prefix("http://").is_some_and(|authority| authority == host) {
            continue;
        }
        if !config.allow_origins.iter().any(|allowed| allowed.0 == origin) {
            return PageOrigin::Foreign;
        }
        found = PageOrigin::Allowed;
    }
    found
}

/// Refuses what a page of another site makes a browser do, unless its origin is allowed. Reading is left to the browser,
/// which shows a page nothing of an answer without the headers of [`cors`].
pub(super) fn check_site(method: &Method, headers: &HeaderMap, page: PageOrigin) -> Result<(), ApiError> {
    let cross_site = headers.get(FETCH_SITE_HEADER).is_some_and(|site| site == "cross-site");
    if cross_site && page != PageOrigin::Allowed && !matches!(*method, Method::GET | Method::HEAD) {
        return Err(wrong_origin(headers));
    }
    Ok(())
}

/// 403 that names the origin and the setting.
pub(super) fn wrong_origin(headers: &HeaderMap) -> ApiError {
    let origin = headers.get(header::ORIGIN).map_or(&b"another site"[..], HeaderValue::as_bytes);
    let origin = String::from_utf8_lossy(origin);
    let message = format!(
        "web pages of {} may not use this API: its operator allows them with --allow-origin",
        Excerpt::new(&origin)
    );
    ApiError::new(ApiErrorCode::WrongOrigin, message)
}

/// Answers preflights, and adds to each other answer what a page of an allowed origin needs to read it.
pub(super) async fn cors(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let host = request.headers().get(header::HOST).map(|host| host.as_bytes().to_ascii_lowercase());
    let host = String::from_utf8_lossy(&host.unwrap_or_default()).into_owned();
    let page = page_origin(&app.config, request.headers(), &host);
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match (is_preflight && origin.is_some(), page) {
        (true, PageOrigin::Foreign) => wrong_origin(request.headers()).into_response(),
        (true, _) => preflight(&app, &request),
        (false, _) => next.run(request).await,
    };
    let headers = response.headers_mut();
    // A cache must not give the answer for one origin to another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let (PageOrigin::Allowed, Some(origin)) = (page, origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = format!("{REQUEST_ID_HEADER}, {EXPERT_HEADER}, {ROUTE_HEADER}, link, retry-after");
        if let Ok(exposed) = HeaderValue::try_from(exposed) {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
    response
}

/// What a page of an allowed origin may send: the headers that it asks for, because clients of the OpenAI API have many.
fn preflight(app: &App, request: &Request) -> Response {
    if !app.config.has_keys()
        && let Err(error) = check_host(request.uri(), request.headers())
    {
        return error.into_response();
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
    headers.append(header::VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    if let Some(asked) = asked.filter(|asked| is_header_list(asked.as_bytes())) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    response
}

/// Names of headers with commas between them, of bounded length.
fn is_header_list(text: &[u8]) -> bool {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b',' | b' ');
    text.len() <= MAX_HEADER_LIST_BYTES && text.iter().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowed_origin_is_one_origin_by_name() {
        for origin in ["https://chat.example", "http://LOCALHOST:3000", "tauri://localhost", "http://[::1]:3"]
        {
            assert_eq!(origin.parse::<AllowedOrigin>().unwrap().to_string(), origin.to_ascii_lowercase());
        }
        for text in [
            "*",
            "null",
            "chat.example",
            "https://",
            "https://*.example",
            "https://a.example/",
            "https://a@b",
            "://a",
            "https://a b",
        ] {
            assert!(text.parse::<AllowedOrigin>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_of_headers_is_bounded() {
        assert!(is_header_list(b"authorization, content-type,x-stainless-os"));
        assert!(!is_header_list(b"a\tb") && !is_header_list(&[b'a'; MAX_HEADER_LIST_BYTES + 1]));
    }
}
