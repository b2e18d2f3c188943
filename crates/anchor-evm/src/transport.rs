//! JSON-RPC over HTTP that reads no more than it was told to.
//!
//! alloy's own HTTP transport reads an answer whatever its size, which would leave a node's memory to whoever
//! runs the endpoint. Redirects are not followed and no proxy of the environment is used: an endpoint is what
//! the operator wrote.

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
    most: usize,
}

impl BoundedHttp {
    pub(crate) fn new(endpoint: &str, limits: &Limits) -> Result<Self, RpcError> {
        let url: Url = endpoint.parse().map_err(|_| RpcError::Endpoint)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(RpcError::Endpoint);
        }
        let client = Client::builder().timeout(limits.request).redirect(Policy::none()).no_proxy().build();
        let client = client.map_err(|error| RpcError::Client(error.to_string()))?;
        Ok(Self { client, url, most: limits.answer })
    }

    async fn ask(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let body = serde_json::to_vec(&packet).map_err(TransportError::ser_err)?;
        let post = self.client.post(self.url).header("content-type", "application/json").body(body);
        // The address may hold a key, so it is kept out of errors.
        let mut response = post.send().await.map_err(|error| custom(error.without_url()))?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| custom(error.without_url()))? {
            if bytes.len() + chunk.len() > self.most {
                return Err(TransportErrorKind::custom_str("the answer is too large"));
            }
            bytes.extend_from_slice(&chunk);
        }
        // Some send an error of the protocol with a status of 400, so the content goes first.
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
        Box::pin(self.clone().ask(packet))
    }
}
