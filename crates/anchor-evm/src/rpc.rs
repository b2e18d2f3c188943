//! One endpoint and the few requests that are sent to it.
//!
//! A request to an unreachable endpoint is repeated after a delay that doubles; one that the endpoint refuses is
//! not.

use std::{future::Future, time::Duration};

use alloy::{
    eips::BlockId,
    network::Ethereum,
    primitives::{Address, B256, Bytes, U256},
    providers::{Provider, RootProvider},
    rpc::{
        client::RpcClient,
        types::{Filter, Log, TransactionReceipt, TransactionRequest},
    },
    transports::{RpcError as Failure, TransportErrorKind, TransportResult},
};
use nervure_anchor::AnchorError;
use nervure_primitives::UntrustedText;

use crate::{EvmConfig, Finality, Limits, transport::BoundedHttp};

/// The delay before a request is repeated the first time.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Longest text of an endpoint in an error of this node, in bytes.
const MAX_TEXT_BYTES: usize = 200;

/// An error's text, which the endpoint may have chosen.
type EndpointText = UntrustedText<MAX_TEXT_BYTES>;

/// Why an endpoint did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// Not an HTTP address.
    #[error("an endpoint is not an http or https address")]
    Endpoint,
    /// No endpoint is configured.
    #[error("no endpoint of the chain is configured")]
    NoEndpoint,
    /// The HTTP client could not be made.
    #[error("no HTTP client: {0}")]
    Client(String),
    /// It could not be reached, or its answer is not JSON-RPC.
    #[error("{0}")]
    Unreachable(EndpointText),
    /// The contract reverted, with this data.
    #[error("the contract reverted: 0x{}", hex(.0))]
    Reverted(Vec<u8>),
    /// It answered with an error.
    #[error("the endpoint refused: {0}")]
    Refused(EndpointText),
}

fn hex(bytes: &[u8]) -> String {
    alloy::primitives::hex::encode(bytes)
}

impl From<RpcError> for AnchorError {
    fn from(error: RpcError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// A connection to one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    provider: RootProvider<Ethereum>,
    max_attempts: u32,
}

impl Rpc {
    pub(crate) fn new(endpoint: &str, limits: &Limits) -> Result<Self, RpcError> {
        let transport = BoundedHttp::new(endpoint, limits)?;
        let provider = RootProvider::new(RpcClient::new(transport, false));
        Ok(Self { provider, max_attempts: limits.max_attempts.max(1) })
    }

    /// All endpoints of a configuration.
    pub(crate) fn all(config: &EvmConfig) -> Result<Vec<Self>, RpcError> {
        if config.endpoints.is_empty() {
            return Err(RpcError::NoEndpoint);
        }
        config.endpoints.iter().map(|endpoint| Self::new(endpoint, &config.limits)).collect()
    }

    async fn retry<T, F>(&self, request: impl Fn() -> F) -> Result<T, RpcError>
    where
        F: Future<Output = TransportResult<T>>,
    {
        let mut wait = FIRST_RETRY_DELAY;
        for _ in 1..self.max_attempts {
            match request().await.map_err(failure) {
                Err(RpcError::Unreachable(_)) => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                result => return result,
            }
        }
        request().await.map_err(failure)
    }

    pub(crate) async fn chain(&self) -> Result<u64, RpcError> {
        self.retry(|| async { self.provider.get_chain_id().await }).await
    }

    /// Sets an account's balance: on development chains only.
    pub(crate) async fn set_balance(&self, account: Address, wei: u128) -> Result<(), RpcError> {
        self.retry(|| async {
            let set = self.provider.client().request("anvil_setBalance", (account, U256::from(wei)));
            set.await.map(|_: Option<bool>| ())
        })
        .await
    }

    pub(crate) async fn code(&self, contract: Address) -> Result<Bytes, RpcError> {
        self.retry(|| async { self.provider.get_code_at(contract).await }).await
    }

    /// The number of the last final block; 0 when there is none yet.
    pub(crate) async fn last_final(&self, finality: Finality) -> Result<u64, RpcError> {
        match finality {
            Finality::Depth(depth) => {
                let last = self.retry(|| async { self.provider.get_block_number().await }).await?;
                Ok(last.saturating_sub(depth))
            }
            Finality::Finalized => {
                let block =
                    self.retry(|| async { self.provider.get_block(BlockId::finalized()).await }).await?;
                Ok(block.map_or(0, |block| block.header.number))
            }
        }
    }

    pub(crate) async fn call(&self, request: &TransactionRequest, at: BlockId) -> Result<Bytes, RpcError> {
        self.retry(|| async { self.provider.call(request.clone()).block(at).await }).await
    }

    pub(crate) async fn estimate(&self, request: &TransactionRequest) -> Result<u64, RpcError> {
        self.retry(|| async { self.provider.estimate_gas(request.clone()).await }).await
    }

    /// The next nonce of an account, pending transactions not counted.
    pub(crate) async fn nonce(&self, account: Address) -> Result<u64, RpcError> {
        self.retry(|| async { self.provider.get_transaction_count(account).await }).await
    }

    /// The fee per unit of gas, and the tip in it, in wei.
    pub(crate) async fn fees(&self) -> Result<(u128, u128), RpcError> {
        let fees = self.retry(|| async { self.provider.estimate_eip1559_fees().await }).await?;
        Ok((fees.max_fee_per_gas, fees.max_priority_fee_per_gas))
    }

    /// Sends a signed transaction. Sending it again is harmless, so that "already known" counts as success.
    pub(crate) async fn send(&self, raw: &[u8]) -> Result<(), RpcError> {
        let sent = self.retry(|| async { self.provider.send_raw_transaction(raw).await.map(drop) }).await;
        match sent {
            Err(RpcError::Refused(text)) if text.raw().contains("already") => Ok(()),
            other => other,
        }
    }

    pub(crate) async fn receipt(&self, transaction: B256) -> Result<Option<TransactionReceipt>, RpcError> {
        self.retry(|| async { self.provider.get_transaction_receipt(transaction).await }).await
    }

    pub(crate) async fn logs(&self, filter: &Filter) -> Result<Vec<Log>, RpcError> {
        self.retry(|| async { self.provider.get_logs(filter).await }).await
    }
}

fn failure(error: Failure<TransportErrorKind>) -> RpcError {
    let Failure::ErrorResp(payload) = &error else {
        return RpcError::Unreachable(EndpointText::new(error));
    };
    match payload.as_revert_data() {
        Some(data) if !data.is_empty() => RpcError::Reverted(data.to_vec()),
        _ => RpcError::Refused(EndpointText::new(&payload.message)),
    }
}
