//! The client as the source of a light client.

use data_encoding::BASE64;
use nervure_ledger::tree::Key;
use nervure_light::{EpochResponse, FactResponse, Source};
use nervure_primitives::{BlockHeight, Excerpt, Netuid, NodeId, Uid};

use crate::{Client, ClientError, Endpoint};

/// Why a node gave no checkpoint or proof to a light client.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The node does not answer, or it answers with an error.
    #[error(transparent)]
    Client(ClientError),
    /// The response does not decode. To a client that verifies, this is the same as a proof that does not hold.
    #[error("invalid proof from the node at {http}: {what}")]
    InvalidProof {
        /// The address of its HTTP API.
        http: Endpoint,
        /// The error.
        what: Excerpt,
    },
}

impl From<ClientError> for SourceError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::InvalidResponse { http, what } => Self::InvalidProof { http, what },
            error @ (ClientError::Unreachable { .. } | ClientError::Response(_)) => Self::Client(error),
        }
    }
}

impl Source for Client {
    type Error = SourceError;

    async fn checkpoint(&self, height: Option<BlockHeight>) -> Result<Vec<u8>, SourceError> {
        let view = Self::checkpoint(self, height).await?;
        self.base64("checkpoint", &view.checkpoint)
    }

    async fn checkpoint_from(&self, height: BlockHeight) -> Result<Vec<u8>, SourceError> {
        let view = Self::checkpoint_from(self, height).await?;
        self.base64("checkpoint", &view.checkpoint)
    }

    async fn newest(&self) -> Result<Vec<u8>, SourceError> {
        // The last block is the one under which a node proves a record when no height is named.
        let view = self.state_proof(&Key::Chain, None).await?;
        self.base64("checkpoint", &view.checkpoint)
    }

    async fn fact(&self, key: Key, height: BlockHeight) -> Result<FactResponse, SourceError> {
        let view = self.state_proof(&key, Some(height)).await?;
        let checkpoint = self.base64("checkpoint", &view.checkpoint)?;
        Ok(FactResponse { checkpoint, fact: self.base64("proof", &view.fact)? })
    }

    async fn epoch(&self, netuid: Netuid, node: NodeId) -> Result<EpochResponse, SourceError> {
        let view = Self::epoch(self, netuid, &node).await?;
        let checkpoint = self.base64("checkpoint", &view.checkpoint)?;
        Ok(EpochResponse { checkpoint, proof: self.base64("explanation", &view.proof)? })
    }

    async fn uid(&self, netuid: Netuid, node: NodeId) -> Result<Option<Uid>, SourceError> {
        Ok(self.node(&node).await?.slots.get(&netuid).copied())
    }

    async fn submission(&self, height: BlockHeight) -> Result<Vec<u8>, SourceError> {
        let view = self.anchored(height).await?;
        self.base64("anchored checkpoint", &view.submission)
    }
}

impl Client {
    fn base64(&self, what: &str, text: &str) -> Result<Vec<u8>, SourceError> {
        let decoded = BASE64.decode(text.as_bytes());
        decoded.map_err(|error| SourceError::InvalidProof {
            http: self.address().clone(),
            what: format!("the {what}: {error}").into(),
        })
    }
}
