//! Error responses: one JSON body on every endpoint, in the form of the OpenAI API with a few more fields.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use nervure_api::{ApiErrorCode, ErrorBody, ErrorDetail, ServiceError};
use nervure_primitives::{Excerpt, UntrustedText};

/// Longest message, in bytes: parts of it come from clients and remote nodes.
const MAX_MESSAGE_BYTES: usize = 2_000;

/// An error response.
#[derive(Debug, Clone)]
pub struct ApiError {
    code: ApiErrorCode,
    detail: Box<ErrorDetail>,
}

impl ApiError {
    /// An error that is not a [`ServiceError`].
    pub fn new(code: ApiErrorCode, message: impl Into<String>) -> Self {
        let detail = ErrorDetail {
            message: UntrustedText::<MAX_MESSAGE_BYTES>::from(message.into()).prose().to_string(),
            kind: kind(code.status()).to_owned(),
            param: None,
            code: Some(code.as_str().to_owned()),
            hint: None,
            exit_code: None,
            retry_after_ms: None,
            attempts: Vec::new(),
        };
        Self { code, detail: Box::new(detail) }
    }

    /// 400 about `field`.
    pub fn bad(field: impl Into<String>, message: impl Into<String>) -> Self {
        ServiceError::InvalidRequest { field: field.into(), message: message.into() }.into()
    }

    /// 400 about a field of the OpenAI API that is known and not supported.
    pub fn unsupported(field: &str, message: &str) -> Self {
        let mut error = Self::new(ApiErrorCode::UnsupportedParameter, format!("{field}: {message}"));
        error.detail.param = Some(field.to_owned());
        error
    }

    /// 404: no such endpoint.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ApiErrorCode::UnknownUrl, message)
    }

    /// 405.
    pub fn wrong_method(message: impl Into<String>) -> Self {
        Self::new(ApiErrorCode::MethodNotAllowed, message)
    }

    /// About a chat that stands for a request of another API: with the names that its fields have there. A part of a field
    /// (`messages[2].role`) is named as the whole.
    pub(super) fn renamed(mut self, names: &[(&str, &str)]) -> Self {
        if let Some(param) = &mut self.detail.param {
            let whole = param.split(['[', '.']).next().unwrap_or_default();
            if let Some((_, name)) = names.iter().find(|(known, _)| *known == whole) {
                *param = (*name).to_owned();
            }
        }
        self
    }

    /// Its code.
    pub(super) fn code(&self) -> ApiErrorCode {
        self.code
    }

    /// Adds `Retry-After`.
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.detail.retry_after_ms = u64::try_from(after.as_millis()).ok();
        self
    }

    /// The body.
    pub fn into_body(self) -> ErrorBody {
        ErrorBody { error: *self.detail }
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let code = error.code();
        let mut api = Self::new(code, error.to_string());
        api.detail.param = error.field().map(|field| Excerpt::new(field).to_string());
        api.detail.hint = Some(error.hint().to_owned());
        api.detail.exit_code = code.exit_code();
        if let ServiceError::AllFailed { attempts } = &error {
            api.detail.attempts.clone_from(attempts);
        }
        match error.retry_after() {
            Some(after) => api.retry_after(after),
            None => api,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry = self.detail.retry_after_ms.map(|ms| ms.div_ceil(1000).max(1));
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = self.code;
        let mut response = (status, Json(self.into_body())).into_response();
        // For the counters.
        response.extensions_mut().insert(code);
        if let Some(seconds) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The OpenAI API's family for a status.
fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_and_cannot_act_on_a_terminal() {
        let reason = format!("a\u{1b}[31mb\u{202e}{}", "x".repeat(100_000));
        let body = ApiError::from(ServiceError::Interrupted { reason }).into_body();
        assert!(body.error.message.contains(r"a\u{1b}[31mb\u{202e}x"), "{}", body.error.message);
        assert!(body.error.message.len() < 2_100);
        let field = ApiError::bad("f\n".repeat(500), "no").into_body().error.param.unwrap();
        assert!(field.starts_with(r"f\nf\n") && field.ends_with('…') && field.len() < 200, "{field}");
    }

    #[test]
    fn rounds_retry_after_up_to_whole_seconds() {
        let busy = ServiceError::Busy { retry_after: Duration::from_millis(200) };
        let response = ApiError::from(busy).into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
