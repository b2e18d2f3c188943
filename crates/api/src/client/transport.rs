//! Requests and bounded responses.

use nervure_primitives::Excerpt;
use serde::{Serialize, de::DeserializeOwned};

use super::{Client, ClientError};

/// Largest response that is read whole, in bytes.
pub(super) const MAX_RESPONSE_BYTES: usize = 16 << 20;

/// The parameters of a query string.
pub(super) type Parameters = Vec<(&'static str, String)>;

impl Client {
    /// `GET` of JSON.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<T, ClientError> {
        let request = self.client.get(self.url(path)).query(parameters);
        self.decode(self.send(request).await?).await
    }

    /// `POST` of JSON; the body of the response is not read yet.
    pub(super) async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<reqwest::Response, ClientError> {
        self.send(self.client.post(self.url(path)).json(body)).await
    }

    /// Reads and decodes a JSON response.
    pub(super) async fn decode<T: DeserializeOwned>(
        &self,
        response: reqwest::Response,
    ) -> Result<T, ClientError> {
        let body = read(response).await.map_err(|what| self.invalid(what))?;
        serde_json::from_slice(&body).map_err(|error| self.invalid(error))
    }

    fn url(&self, path: &str) -> String {
        self.http.url(path)
    }

    /// Sends a request; an error response becomes an error.
    async fn send(&self, mut request: reqwest::RequestBuilder) -> Result<reqwest::Response, ClientError> {
        if let Some(timeout) = self.timeout {
            request = request.timeout(timeout);
        }
        if let Some(key) = &self.key {
            request = request.bearer_auth(&key.0);
        }
        let http = self.http.clone();
        let response = request.send().await.map_err(|source| ClientError::Unreachable { http, source })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = read(response).await.map_err(|what| self.invalid(what))?;
        match serde_json::from_slice(&body) {
            Ok(body) => Err(ClientError::Response(Box::new(body))),
            Err(_) => Err(self.invalid(format!("status {status} without an error body"))),
        }
    }

    fn invalid(&self, what: impl std::fmt::Display) -> ClientError {
        ClientError::InvalidResponse { http: self.http.clone(), what: Excerpt::new(what) }
    }
}

/// The whole body, up to [`MAX_RESPONSE_BYTES`].
async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(format!("more than {MAX_RESPONSE_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
