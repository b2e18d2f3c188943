//! JSON-RPC over HTTP with a bound on the size of an answer.
//!
//! alloy's own HTTP transport reads answers of any size, so that the operator of the endpoint could exhaust a
//! node's memory. Redirects are not followed and proxies of the environment are not used: requests go to the
//! address in the configuration only.

use std::task::{Context, Poll};

use alloy::{
    rpc::json_rpc::{RequestPacket, ResponsePacket},
    transports::{TransportError, TransportErrorKind, TransportFut},
};
use reqwest::{Client, Url, redirect::Policy};
use tower::Service;

use crate::{Limits, RpcError};

/// An endpoint.
#[derive(Clone, Debug)]
pub(crate) struct BoundedHttp {
    client: Client,
    url: Url,
    max_answer_bytes: usize,
}

impl BoundedHttp {
    pub(crate) fn new(endpoint: &str, limits: &Limits) -> Result<Self, RpcError> {
        let url: Url = endpoint.parse().map_err(|_| RpcError::Endpoint)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(RpcError::Endpoint);
        }
        let client =
            Client::builder().timeout(limits.request_timeout).redirect(Policy::none()).no_proxy().build();
        let client = client.map_err(|error| RpcError::Client(error.to_string()))?;
        Ok(Self { client, url, max_answer_bytes: limits.max_answer_bytes })
    }

    async fn send(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let body = serde_json::to_vec(&packet).map_err(TransportError::ser_err)?;
        let post = self.client.post(self.url).header("content-type", "application/json").body(body);
        // The address may hold a key, so it is kept out of errors.
        let mut response = post.send().await.map_err(|error| custom(error.without_url()))?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| custom(error.without_url()))? {
            if bytes.len() + chunk.len() > self.max_answer_bytes {
                return Err(TransportErrorKind::custom_str("the answer is too large"));
            }
            bytes.extend_from_slice(&chunk);
        }
        // Some endpoints send JSON-RPC errors with status 400, so the body is parsed whatever the status.
        serde_json::from_slice(&bytes).map_err(|_| {
            let status = response.status().as_u16();
            TransportErrorKind::custom_str(&format!("status {status}, and the answer is not JSON-RPC"))
        })
    }
}

fn custom(error: reqwest::Error) -> TransportError {
    TransportErrorKind::custom(error)
}

impl Service<RequestPacket> for BoundedHttp {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        Box::pin(self.clone().send(packet))
    }
}
