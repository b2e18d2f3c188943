//! Answers clients without a state, from the store and the last block.

use std::sync::Arc;

use nervure_ledger::tree::{Fact, Key};
use nervure_primitives::{BlockHeight, Capability, Hash, Netuid, NodeId, Uid, cbor};
use nervure_protocol::{
    bounds::{LIGHT_PAGE, MAX_LIGHT_HINTS, MAX_LIGHT_KEYS, MAX_LIGHT_SLOTS},
    directory::PageCursor,
    light::{LightRequest, LightResponse},
    protocols::LIGHT,
};
use nervure_store::{Reader, StoreError};
use nervure_subnet::IndexSearch;
use serde_bytes::ByteBuf;

use super::hints;
use crate::runtime::{
    catalog::ExpertCatalog,
    chain::ChainHandle,
    ledger::{ReadError, epoch_proof},
};

/// What a node serves to clients without a state. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LightServer {
    pub(crate) chain: ChainHandle,
    pub(crate) catalog: Arc<ExpertCatalog>,
    /// The mesh spec as text.
    pub(crate) spec: Arc<str>,
}

impl LightServer {
    /// The encoded response to an encoded request; none for one that is malformed or beyond its bounds.
    pub(crate) async fn response(&self, request: &[u8]) -> Option<Vec<u8>> {
        let Self { chain, catalog, spec } = self;
        let found = match LightRequest::decode(request).ok()? {
            LightRequest::Newest => read(chain, newest).await,
            LightRequest::Block(height) => read(chain, move |reader| block(reader, height)).await,
            LightRequest::Facts(height, keys) => read_facts(chain, height, &keys).await,
            LightRequest::Slots(height, nodes) => read_slots(chain, height, nodes).await,
            LightRequest::Keys(of) => {
                let tip = chain.view().tip.clone();
                let keys = hints::keys(&tip.state, of).into_iter().take(MAX_LIGHT_HINTS);
                Some(LightResponse::Keys(keys.map(|key| key.to_string()).collect()))
            }
            LightRequest::Epoch(netuid, node) => {
                read(chain, move |reader| epoch(reader, netuid, &node)).await
            }
            LightRequest::Experts(capability, after) => Some(experts(catalog, capability, after)),
            LightRequest::Transaction(id) => Some(transaction(chain, &id)),
            LightRequest::Spec => Some(LightResponse::Spec(ByteBuf::from(spec.as_bytes()))),
        };
        // A response that is too long for the protocol is no answer.
        found.and_then(|found| found.encode().ok()).filter(|bytes| bytes.len() <= LIGHT.max_response)
    }
}

/// Reads from the store; a store that cannot be read answers nothing.
async fn read(
    chain: &ChainHandle,
    read: impl FnOnce(&Reader) -> Result<LightResponse, StoreError> + Send + 'static,
) -> Option<LightResponse> {
    match chain.read(read).await {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::error!(%error, "proofs cannot be served");
            None
        }
    }
}

fn newest(reader: &Reader) -> Result<LightResponse, StoreError> {
    block(reader, Some(reader.head().height))
}

fn block(reader: &Reader, height: Option<BlockHeight>) -> Result<LightResponse, StoreError> {
    let height = match height {
        Some(height) => Some(height),
        None => reader.epoch_ends(BlockHeight(u64::MAX), 1)?.pop().map(|end| end.height),
    };
    let found = height.map(|height| reader.checkpoint_from(height)).transpose()?.flatten();
    Ok(LightResponse::Block(found.and_then(|found| found.encode().ok()).map(ByteBuf::from)))
}

/// An encoded fact; none where the state is not kept.
fn prove(reader: &Reader, height: BlockHeight, key: &Key) -> Result<Option<ByteBuf>, StoreError> {
    match reader.prove_at(height, key) {
        Ok(found) => Ok(Fact::new(found).encode().ok().map(ByteBuf::from)),
        Err(StoreError::NotKept { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn read_facts(chain: &ChainHandle, height: BlockHeight, keys: &[String]) -> Option<LightResponse> {
    if keys.len() > MAX_LIGHT_KEYS {
        return None;
    }
    let keys: Vec<Key> = keys.iter().map(|key| key.parse()).collect::<Result<_, _>>().ok()?;
    read(chain, move |reader| {
        let (mut facts, mut size) = (Vec::new(), 0);
        for key in &keys {
            let Some(fact) = prove(reader, height, key)? else { return Ok(LightResponse::Facts(None)) };
            size += fact.len();
            facts.push(fact);
            if size > LIGHT_PAGE {
                break;
            }
        }
        Ok(LightResponse::Facts(Some(facts)))
    })
    .await
}

async fn read_slots(
    chain: &ChainHandle,
    height: BlockHeight,
    nodes: Vec<(Netuid, NodeId)>,
) -> Option<LightResponse> {
    if nodes.len() > MAX_LIGHT_SLOTS {
        return None;
    }
    let tip = chain.view().tip.clone();
    let uid = |(netuid, node): &(Netuid, NodeId)| -> Option<(Netuid, Uid)> {
        Some((*netuid, tip.state.subnets().get(netuid)?.uid_of(node)?))
    };
    let slots: Vec<Option<(Netuid, Uid)>> = nodes.iter().map(uid).collect();
    read(chain, move |reader| {
        let (mut found, mut size) = (Vec::new(), 0);
        for slot in slots {
            let Some((netuid, uid)) = slot else {
                found.push(None);
                continue;
            };
            let fact = prove(reader, height, &Key::Neuron(netuid, uid))?;
            let Some(fact) = fact else { return Ok(LightResponse::Slots(None)) };
            size += fact.len();
            found.push(Some((uid, fact)));
            if size > LIGHT_PAGE {
                break;
            }
        }
        Ok(LightResponse::Slots(Some(found)))
    })
    .await
}

fn epoch(reader: &Reader, netuid: Netuid, node: &NodeId) -> Result<LightResponse, StoreError> {
    let found = match epoch_proof(reader, netuid, node) {
        Ok(found) => found.checkpoint.encode().ok().zip(found.proof.encode().ok()),
        Err(ReadError::NotFound(_)) => None,
        Err(ReadError::Store(error)) => return Err(error),
    };
    let bytes = |(checkpoint, proof)| (ByteBuf::from(checkpoint), ByteBuf::from(proof));
    Ok(LightResponse::Epoch(found.map(bytes)))
}

/// Expert records of all subnets that this node knows.
fn experts(
    catalog: &ExpertCatalog,
    capability: Option<Capability>,
    after: Option<PageCursor>,
) -> LightResponse {
    let after = after.map(|after| (after.node, after.expert));
    let search = IndexSearch { capability, after, ..IndexSearch::default() };
    let (records, next) = catalog.signed_page(&search, LIGHT_PAGE);
    LightResponse::Experts(records, next)
}

fn transaction(chain: &ChainHandle, id: &Hash) -> LightResponse {
    let found = chain.receipt_of(id).and_then(|(height, event)| Some((height, cbor::encode(&event).ok()?)));
    LightResponse::Transaction(found.map(|(height, event)| (height, ByteBuf::from(event))))
}
