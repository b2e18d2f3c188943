//! Reads of the contract's state, on which all endpoints have to agree.
//!
//! Everything is read at one final block. An endpoint that cannot be reached, or does not have that block, does
//! not count; one that contradicts the first makes the answer untrustworthy.

use alloy::{
    eips::BlockId,
    primitives::{B256, TxKind},
    rpc::types::{Filter, TransactionInput, TransactionRequest},
    sol_types::{SolCall, SolEvent},
};
use nervure_anchor::{AnchorError, AnchoredCheckpoint, TransactionRef};
use nervure_primitives::{BlockHeight, Hash, Netuid};

use crate::{
    EvmAnchor,
    contract::CheckpointAnchor as sol,
    convert::{address, hash, word},
    rpc::{Rpc, RpcError},
};

impl EvmAnchor {
    pub(crate) async fn read_head(&self) -> Result<(BlockHeight, Hash), AnchorError> {
        let at = self.last_final().await?;
        let height = self.agreed(sol::latestHeightCall {}, at).await?;
        let validators = self.agreed(sol::validatorsHashCall {}, at).await?;
        Ok((BlockHeight(height), hash(validators)))
    }

    pub(crate) async fn read_at(
        &self,
        height: BlockHeight,
    ) -> Result<Option<AnchoredCheckpoint>, AnchorError> {
        let at = self.last_final().await?;
        let Some((id, state)) = self.stored(height, at).await? else { return Ok(None) };
        let reference = self.reference(height, id, at).await?;
        Ok(Some(AnchoredCheckpoint { height, id, state, reference }))
    }

    pub(crate) async fn read_list(
        &self,
        from: BlockHeight,
        most: usize,
    ) -> Result<Vec<AnchoredCheckpoint>, AnchorError> {
        let at = self.last_final().await?;
        // Heights grow with blocks, so blocks before the last known checkpoint are not searched again.
        let known = self.searched().filter(|(height, _)| *height < from);
        let (mut found, mut begin) = (Vec::new(), known.map_or(self.config.since, |(_, block)| block));
        while begin <= at && found.len() < most {
            let end = begin.saturating_add(self.config.limits.max_block_range).min(at);
            for (height, id, reference) in self.events(None, begin, end).await? {
                if height < from || found.len() >= most {
                    continue;
                }
                // An event alone proves nothing; the contract's state decides.
                match self.stored(height, at).await? {
                    Some((stored, state)) if stored == id => {
                        self.remember(height, reference.block);
                        found.push(AnchoredCheckpoint { height, id, state, reference: Some(reference) });
                    }
                    _ => return Err(contradiction("an event names a checkpoint that is not stored")),
                }
            }
            begin = end.saturating_add(1);
        }
        Ok(found)
    }

    /// The stored metagraph root of an epoch of a subnet.
    ///
    /// # Errors
    /// When no endpoint answers, or they contradict each other.
    pub async fn metagraph(&self, netuid: Netuid, epoch: u64) -> Result<Option<Hash>, AnchorError> {
        let at = self.last_final().await?;
        let root = self.agreed(sol::metagraphRootCall { netuid: netuid.0, epoch }, at).await?;
        Ok(Some(hash(root)).filter(|_| root != B256::ZERO))
    }

    /// The number of the last final block, which has the contract.
    pub(crate) async fn last_final(&self) -> Result<u64, AnchorError> {
        let last = self.first()?.last_final(self.config.finality).await?;
        if last < self.config.since {
            return Err(AnchorError::Unavailable("the contract's deployment is not final yet".into()));
        }
        Ok(last)
    }

    pub(crate) fn first(&self) -> Result<&Rpc, AnchorError> {
        Ok(self.endpoints.first().ok_or(RpcError::NoEndpoint)?)
    }

    /// The stored id and state root of a height, at block `at`.
    pub(crate) async fn stored(
        &self,
        height: BlockHeight,
        at: u64,
    ) -> Result<Option<(Hash, Hash)>, AnchorError> {
        let kept = self.agreed(sol::checkpointsCall { height: height.0 }, at).await?;
        Ok(Some((hash(kept._0), hash(kept._1))).filter(|_| kept._0 != B256::ZERO))
    }

    /// The id that the first endpoint has for a height in its last block, which may not be final.
    pub(crate) async fn stored_now(&self, height: BlockHeight) -> Result<Option<Hash>, AnchorError> {
        let input = sol::checkpointsCall { height: height.0 }.abi_encode();
        let answer = self.view(self.first()?, &input, BlockId::latest()).await?;
        let kept = decoded::<sol::checkpointsCall>(&answer)?;
        Ok(Some(hash(kept._0)).filter(|_| kept._0 != B256::ZERO))
    }

    /// The answer on which all reachable endpoints agree; the first one has to be reachable.
    async fn agreed<C>(&self, call: C, at: u64) -> Result<C::Return, AnchorError>
    where
        C: SolCall,
    {
        let input = call.abi_encode();
        let mut answers = self.endpoints.iter();
        let at = BlockId::number(at);
        let first = self.view(answers.next().ok_or(RpcError::NoEndpoint)?, &input, at).await?;
        for rpc in answers {
            match self.view(rpc, &input, at).await {
                Ok(other) if other != first => {
                    return Err(contradiction("two endpoints contradict each other"));
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "an endpoint of the anchor's chain does not answer"),
            }
        }
        decoded::<C>(&first)
    }

    async fn view(&self, rpc: &Rpc, input: &[u8], at: BlockId) -> Result<Vec<u8>, RpcError> {
        let request = TransactionRequest {
            to: Some(TxKind::Call(address(self.config.domain.contract))),
            input: TransactionInput::new(input.to_vec().into()),
            ..TransactionRequest::default()
        };
        Ok(rpc.call(&request, at).await?.to_vec())
    }

    /// The transaction that stored a checkpoint, searched from the last block backwards.
    async fn reference(
        &self,
        height: BlockHeight,
        id: Hash,
        at: u64,
    ) -> Result<Option<TransactionRef>, AnchorError> {
        let mut end = at;
        loop {
            let begin = end.saturating_sub(self.config.limits.max_block_range).max(self.config.since);
            let events = self.events(Some(height), begin, end).await?;
            if let Some((.., reference)) = events.into_iter().find(|(.., found, _)| *found == id) {
                return Ok(Some(reference));
            }
            if begin <= self.config.since {
                return Ok(None);
            }
            end = begin - 1;
        }
    }

    /// The events of a range of blocks, in their order.
    async fn events(
        &self,
        height: Option<BlockHeight>,
        begin: u64,
        end: u64,
    ) -> Result<Vec<(BlockHeight, Hash, TransactionRef)>, AnchorError> {
        let mut filter = Filter::new()
            .address(address(self.config.domain.contract))
            .event_signature(sol::CheckpointAnchored::SIGNATURE_HASH)
            .from_block(begin)
            .to_block(end);
        if let Some(height) = height {
            filter = filter.topic1(alloy::primitives::U256::from(height.0));
        }
        let logs = self.first()?.logs(&filter).await?;
        let event = |log: &alloy::rpc::types::Log| {
            let event = sol::CheckpointAnchored::decode_log(&log.inner).ok()?;
            let reference =
                TransactionRef { transaction: hash(log.transaction_hash?), block: log.block_number? };
            Some((BlockHeight(event.height), hash(event.id), reference))
        };
        logs.iter()
            .map(|log| event(log).ok_or_else(|| contradiction("an event is not an event of the contract")))
            .collect()
    }

    /// Whether `row` is in the stored metagraph of its epoch, as the contract answers.
    ///
    /// # Errors
    /// As for [`Self::metagraph`].
    pub async fn verify_neuron(&self, row: &NeuronProof) -> Result<bool, AnchorError> {
        let at = self.last_final().await?;
        let call = sol::verifyNeuronCall {
            epoch: row.epoch,
            row: row.decode().ok_or_else(|| contradiction("the row is not ABI-encoded"))?,
            proof: row.siblings.iter().map(|sibling| word(*sibling)).collect(),
        };
        self.agreed(call, at).await
    }
}

/// A row of a metagraph with its proof, for the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeuronProof {
    /// The epoch whose metagraph it should be in.
    pub epoch: u64,
    /// The row, ABI-encoded.
    pub row: Vec<u8>,
    /// The sibling hashes from the row's leaf to the root.
    pub siblings: Vec<Hash>,
}

impl NeuronProof {
    fn decode(&self) -> Option<sol::Neuron> {
        alloy::sol_types::SolValue::abi_decode(&self.row).ok()
    }
}

fn decoded<C: SolCall>(answer: &[u8]) -> Result<C::Return, AnchorError> {
    C::abi_decode_returns(answer)
        .map_err(|_| contradiction("an answer does not decode as the contract's return type"))
}

fn contradiction(what: &str) -> AnchorError {
    AnchorError::Untrustworthy(what.into())
}
