//! The client as the source of a light client.

use data_encoding::BASE64;
use nervure_ledger::tree::Key;
use nervure_light::{EpochResponse, FactResponse, Source};
use nervure_primitives::{BlockHeight, Netuid, NodeId, Uid};

use crate::{Client, ClientError};

impl Source for Client {
    type Error = ClientError;

    async fn checkpoint(&self, height: Option<BlockHeight>) -> Result<Vec<u8>, ClientError> {
        let view = Self::checkpoint(self, height).await?;
        self.base64("checkpoint", &view.checkpoint)
    }

    async fn fact(&self, key: Key, height: BlockHeight) -> Result<FactResponse, ClientError> {
        let view = self.state_proof(&key, Some(height)).await?;
        let checkpoint = self.base64("checkpoint", &view.checkpoint)?;
        Ok(FactResponse { checkpoint, fact: self.base64("proof", &view.fact)? })
    }

    async fn epoch(&self, netuid: Netuid, node: NodeId) -> Result<EpochResponse, ClientError> {
        let view = Self::epoch(self, netuid, &node).await?;
        let checkpoint = self.base64("checkpoint", &view.checkpoint)?;
        Ok(EpochResponse { checkpoint, proof: self.base64("explanation", &view.proof)? })
    }

    async fn uid(&self, netuid: Netuid, node: NodeId) -> Result<Option<Uid>, ClientError> {
        Ok(self.node(&node).await?.slots.get(&netuid).copied())
    }

    async fn submission(&self, height: BlockHeight) -> Result<Vec<u8>, ClientError> {
        let view = self.anchored(height).await?;
        self.base64("anchored checkpoint", &view.submission)
    }
}

impl Client {
    fn base64(&self, what: &str, text: &str) -> Result<Vec<u8>, ClientError> {
        let decoded = BASE64.decode(text.as_bytes());
        decoded.map_err(|error| ClientError::InvalidResponse {
            http: self.address(),
            what: format!("the {what}: {error}"),
        })
    }
}
