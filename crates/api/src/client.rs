//! A typed client of a node's HTTP API.
//!
//! The node is not trusted: every response is bounded, and nothing in one is verified. The light client verifies
//! checkpoints and proofs.

mod endpoint;
mod error;
mod lines;
mod transport;

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use data_encoding::BASE64;

use nervure_ledger::tree::Key;
use nervure_primitives::{BlockHeight, Hash, Netuid, NodeId};

pub use endpoint::{Endpoint, ParseEndpointError};
pub use error::ClientError;
pub use lines::AskLines;
use transport::Parameters;

use crate::{
    AccountView, AskBody, AuditPage, CheckpointPage, CheckpointView, EpochView, EvidenceView, ExpertPage,
    ExpertSearch, LightBody, LightView, NodeStatus, NodeView, PeerPage, PeerReachView, ProposalPage,
    StateProofView, SubmissionView, SubmitBody, SubnetDetail, SubnetPage, TraceView, TransactionView,
    ValidatorPage, paths,
};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client of one node. Cheap to clone; clones share their connections.
///
/// ```no_run
/// # async fn example() -> Result<(), nervure_api::ClientError> {
/// let node = nervure_api::Client::new(std::net::SocketAddr::from(([127, 0, 0, 1], 8080)))?;
/// let status = node.status().await?;
/// println!("{} knows {} experts", status.node, status.experts_known);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    http: Endpoint,
    client: reqwest::Client,
    timeout: Option<Duration>,
    /// Sent with each request; never printed.
    key: Option<ClientKey>,
}

/// A key of an HTTP API.
#[derive(Clone)]
struct ClientKey(Arc<str>);

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKey(secret)")
    }
}

impl Client {
    /// A client of the node whose HTTP API listens at `http`. It connects with its first request.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if the system offers no TLS.
    pub fn new(http: impl Into<Endpoint>) -> Result<Self, ClientError> {
        let http = http.into();
        // A proxy from the environment must not be used for a node on loopback.
        let client = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT).build();
        match client {
            Ok(client) => Ok(Self { http, client, timeout: None, key: None }),
            Err(source) => Err(ClientError::Unreachable { http, source }),
        }
    }

    /// The same connections, to the node at `http`, which does not get the key of this one.
    #[must_use]
    pub fn at(&self, http: impl Into<Endpoint>) -> Self {
        Self { http: http.into(), key: None, ..self.clone() }
    }

    /// Sends `key` with each request.
    #[must_use]
    pub fn with_key(self, key: &str) -> Self {
        Self { key: Some(ClientKey(key.into())), ..self }
    }

    /// Gives up every request, including its response, after `timeout`. There is no timeout by default, because the
    /// answer to a query may take minutes.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Where the node's HTTP API listens.
    #[must_use]
    pub fn address(&self) -> &Endpoint {
        &self.http
    }

    /// `GET /status`.
    pub async fn status(&self) -> Result<NodeStatus, ClientError> {
        self.get(paths::STATUS, &[]).await
    }

    /// `GET /peers`.
    pub async fn peers(&self) -> Result<PeerPage, ClientError> {
        self.get(paths::PEERS, &[]).await
    }

    /// `GET /peers/{node}/reach`: dials the peer and asks others about it, which takes up to 20 s.
    pub async fn peer_reach(&self, node: &NodeId) -> Result<PeerReachView, ClientError> {
        self.get(&paths::peer_reach(node), &[]).await
    }

    /// `GET /audits`.
    pub async fn audits(&self) -> Result<AuditPage, ClientError> {
        self.get(paths::AUDITS, &[]).await
    }

    /// `GET /audits/{query}`: the evidence of a mismatch.
    pub async fn evidence(&self, query: &Hash) -> Result<EvidenceView, ClientError> {
        self.get(&paths::audit(query), &[]).await
    }

    /// `GET /experts`: a page of expert records.
    pub async fn experts(&self, search: &ExpertSearch) -> Result<ExpertPage, ClientError> {
        let parameters: Parameters = [
            ("capability", search.capability.as_ref().map(ToString::to_string)),
            ("where", search.filter.clone()),
            ("netuid", search.netuid.map(|netuid| netuid.to_string())),
            ("limit", Some(search.limit.to_string())),
            ("cursor", search.cursor.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        self.get(paths::EXPERTS, &parameters).await
    }

    /// `POST /ask`: the lines of the answer, as they arrive.
    pub async fn ask(&self, body: &AskBody) -> Result<AskLines, ClientError> {
        let response = self.post(paths::ASK, body).await?;
        Ok(AskLines::new(response, self.http.clone()))
    }

    /// `GET /accounts/{owner}`.
    pub async fn account(&self, owner: &NodeId) -> Result<AccountView, ClientError> {
        self.get(&paths::account(owner), &[]).await
    }

    /// `POST /transactions`.
    pub async fn submit(&self, body: &SubmitBody) -> Result<TransactionView, ClientError> {
        let response = self.post(paths::TRANSACTIONS, body).await?;
        self.decode(response).await
    }

    /// `GET /transactions/{id}`.
    pub async fn transaction(&self, id: &Hash) -> Result<TransactionView, ClientError> {
        self.get(&paths::transaction(id), &[]).await
    }

    /// `GET /subnets`.
    pub async fn subnets(&self) -> Result<SubnetPage, ClientError> {
        self.get(paths::SUBNETS, &[]).await
    }

    /// `GET /subnets/{netuid}`.
    pub async fn subnet(&self, netuid: Netuid) -> Result<SubnetDetail, ClientError> {
        self.get(&paths::subnet(netuid), &[]).await
    }

    /// `GET /nodes/{node}`.
    pub async fn node(&self, node: &NodeId) -> Result<NodeView, ClientError> {
        self.get(&paths::node(node), &[]).await
    }

    /// `GET /validators`.
    pub async fn validators(&self) -> Result<ValidatorPage, ClientError> {
        self.get(paths::VALIDATORS, &[]).await
    }

    /// `GET /proposals`.
    pub async fn proposals(&self) -> Result<ProposalPage, ClientError> {
        self.get(paths::PROPOSALS, &[]).await
    }

    /// `GET /checkpoints`: at most `limit` of them from `before` down, the latest first.
    pub async fn checkpoints(
        &self,
        before: Option<BlockHeight>,
        limit: usize,
    ) -> Result<CheckpointPage, ClientError> {
        let mut parameters = vec![("limit", limit.to_string())];
        parameters.extend(before.map(|height| ("before", height.to_string())));
        self.get(paths::CHECKPOINTS, &parameters).await
    }

    /// `GET /checkpoints/{height}`; without a height, the last checkpoint.
    pub async fn checkpoint(&self, height: Option<BlockHeight>) -> Result<CheckpointView, ClientError> {
        self.get(&paths::checkpoint(height), &[]).await
    }

    /// `GET /checkpoints/{height}` with `later`: of this height, or of the next one whose certificate the node still has.
    pub async fn checkpoint_from(&self, height: BlockHeight) -> Result<CheckpointView, ClientError> {
        self.get(&paths::checkpoint(Some(height)), &[("later", true.to_string())]).await
    }

    /// `GET /anchored/{height}`.
    pub async fn anchored(&self, height: BlockHeight) -> Result<SubmissionView, ClientError> {
        self.get(&paths::anchored(height), &[]).await
    }

    /// `GET /facts`: the record of `key` in the state after the block at `height`, or after the last one.
    pub async fn state_proof(
        &self,
        key: &Key,
        height: Option<BlockHeight>,
    ) -> Result<StateProofView, ClientError> {
        let mut parameters = vec![("key", key.to_string())];
        parameters.extend(height.map(|height| ("height", height.to_string())));
        self.get(paths::FACTS, &parameters).await
    }

    /// `GET /epochs/{netuid}`: the proof of the last epoch of `node` there.
    pub async fn epoch(&self, netuid: Netuid, node: &NodeId) -> Result<EpochView, ClientError> {
        self.get(&paths::epoch(netuid), &[("node", node.to_string())]).await
    }

    /// `POST /light`: the encoded response to an encoded `LightRequest`.
    pub async fn light(&self, request: &[u8]) -> Result<Vec<u8>, ClientError> {
        self.light_at(paths::LIGHT, request).await
    }

    /// `POST /light/transactions`: the encoded response to a transaction in its envelope.
    pub async fn submit_light(&self, envelope: &[u8]) -> Result<Vec<u8>, ClientError> {
        self.light_at(paths::LIGHT_TRANSACTIONS, envelope).await
    }

    async fn light_at(&self, path: &str, request: &[u8]) -> Result<Vec<u8>, ClientError> {
        let response = self.post(path, &LightBody { request: BASE64.encode(request) }).await?;
        let view: LightView = self.decode(response).await?;
        BASE64.decode(view.response.as_bytes()).map_err(|error| ClientError::InvalidResponse {
            http: self.http.clone(),
            what: nervure_primitives::Excerpt::new(error),
        })
    }

    /// `GET /traces/{id}`.
    pub async fn trace(&self, id: &str) -> Result<TraceView, ClientError> {
        self.get(&paths::trace(id), &[]).await
    }
}
