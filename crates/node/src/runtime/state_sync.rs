//! State sync: a new node fetches the state of a recent block and verifies it against the certified state root.
//!
//! It fetches a block with its certificate, verifies certificates from the operator's trusted block up to that one
//! ([`fetch`]), and then fetches the records of its state, page by page, from the same peer. Any registered node serves
//! them.
//!
//! What a hostile peer can do: ask for a page of [`STATE_PAGE`] bytes as often as its rate allows; answer with up to
//! [`MAX_STATE_LEN`](nervure_ledger::snapshot::MAX_STATE_LEN) bytes of records before the root turns out to be
//! wrong; then another peer is asked. It cannot get a single record used that is not under the certified root.

mod fetch;
mod file;

use nervure_ledger::snapshot::StatePage;
use nervure_p2p::{InboundRequest, ProtocolSpec};
use nervure_primitives::BlockHeight;
use nervure_protocol::{
    bounds::{self, STATE_PAGE},
    protocols::STATE,
    state_sync::{StateRequest, StateResponse},
};
use nervure_store::{Reader, StoreError, StoreOptions};
use serde_bytes::ByteBuf;

use super::{
    chain::ChainHandle,
    directory::{ProtocolHandlers, register_concurrent},
};

pub(crate) use fetch::{StateSyncError, begin};
pub(crate) use file::begin_from_file;

// The response has room for a page and one more record.
const _: () = assert!(bounds::MAX_STATE_RECORD == nervure_ledger::tree::MAX_RECORD_LEN);

/// Pages that are read from the disk at the same time.
const MAX_CONCURRENT_REQUESTS: usize = 4;

/// The bounds of the protocol.
pub(super) fn protocol() -> ProtocolSpec {
    ProtocolSpec { inbound: MAX_CONCURRENT_REQUESTS, ..ProtocolSpec::of(STATE) }
}

/// Registers the handler of requests for the state.
pub(super) fn register(protocols: &mut ProtocolHandlers, chain: &ChainHandle) {
    let chain = chain.clone();
    register_concurrent(protocols, STATE.name, move |request| {
        let chain = chain.clone();
        async move { answer(&chain, request).await }
    });
}

/// Answers another node.
async fn answer(chain: &ChainHandle, request: InboundRequest) {
    let Ok(asked) = StateRequest::decode(&request.data) else { return };
    match chain.read(move |reader| look_up(reader, asked)).await {
        Ok(answer) => {
            if let Ok(bytes) = answer.encode() {
                request.respond(bytes).await;
            }
        }
        Err(error) => tracing::error!(%error, "the state cannot be served"),
    }
}

/// The block whose state a new node fetches: the last one that ended an epoch, when its state and the blocks after it are
/// kept for long enough to be fetched; otherwise the last block. So every node that has a state serves one, also when epochs
/// are long, or none has ended since its chain began with a state.
fn sync_point(reader: &Reader) -> Result<BlockHeight, StoreError> {
    let (head, oldest) = (reader.head().height, reader.oldest()?);
    let last = reader.epoch_ends(BlockHeight(u64::MAX), 1)?.pop().map(|end| end.height);
    let kept = head.0.saturating_sub(oldest.0);
    // When as many states are kept as ever, each block deletes the oldest one, while a state is being fetched.
    let margin = if kept < StoreOptions::default().retain { 0 } else { kept / 4 };
    // A node with a horizon deletes a block with each new one. The new node asks for the next block after it has fetched the
    // state and started again, so that half of the blocks have to be after that state.
    let blocks_from = reader.blocks_from()?.0;
    let first_half = head.0.saturating_sub(blocks_from) / 2;
    let is_kept = |height: &BlockHeight| {
        height.0 >= oldest.0.saturating_add(margin) && height.0 >= blocks_from.saturating_add(first_half)
    };
    Ok(last.filter(is_kept).unwrap_or(head))
}

fn look_up(reader: &Reader, request: StateRequest) -> Result<StateResponse, StoreError> {
    match request {
        StateRequest::Block(height) => {
            let height = match height {
                Some(height) => Some(height),
                None => Some(sync_point(reader)?),
            };
            let found = height.map(|height| reader.checkpoint_from(height)).transpose()?.flatten();
            Ok(StateResponse::Block(found.and_then(|found| found.encode().ok()).map(ByteBuf::from)))
        }
        StateRequest::Records(height, after) => match reader.page(height, after, STATE_PAGE) {
            Ok(StatePage { records, last }) => {
                let records = records.into_iter().map(ByteBuf::from).collect();
                Ok(StateResponse::Records(Some((records, last))))
            }
            Err(StoreError::NotKept { .. }) => Ok(StateResponse::Records(None)),
            Err(error) => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use nervure_consensus::checkpoint::CommitCertificate;
    use nervure_ledger::{
        chain::{Tip, certificate_in},
        checkpoint::Checkpoint,
        testing::Chain,
    };
    use nervure_store::{History, KeptStates, Store};

    use super::*;

    /// The checkpoint that a new node gets, and whether records of its state come as well.
    fn served(store: &Store) -> Option<(BlockHeight, bool)> {
        let reader = store.read().unwrap();
        let StateResponse::Block(found) = look_up(&reader, StateRequest::Block(None)).unwrap() else {
            panic!("an answer to another request")
        };
        let height = Checkpoint::decode(&found?).unwrap().height();
        let StateResponse::Records(records) = look_up(&reader, StateRequest::Records(height, None)).unwrap()
        else {
            panic!("an answer to another request")
        };
        Some((height, records.is_some()))
    }

    fn certificate(chain: &Chain, height: usize) -> Vec<u8> {
        chain.checkpoints[height - 1].certificate.encode().unwrap()
    }

    /// A state whose next block is deleted before the new node asks for it leaves that node without a peer to ask.
    #[test]
    fn a_node_with_a_horizon_serves_a_state_whose_next_blocks_stay_for_a_time() {
        const KEPT: u64 = 4;
        let mut chain = Chain::new(4);
        chain.grow(20);
        let home = tempfile::tempdir().unwrap();
        let history = History::Last(std::num::NonZeroU64::new(KEPT).unwrap());
        let options = StoreOptions { history, ..StoreOptions::default() };
        let (store, mut tip) = Store::open(&home.path().join("pruned"), &chain.spec, options).unwrap();
        for (index, block) in chain.blocks.iter().enumerate() {
            let next = tip.check(&store.read().unwrap(), block, std::num::NonZeroUsize::MIN).unwrap();
            store.commit(&next, Some(&certificate(&chain, index + 1))).unwrap();
            tip = next.tip();
            let (head, height) = (store.read().unwrap().head().height, served(&store).unwrap().0);
            let deleted_at = height.0 + 1 + KEPT;
            assert!(deleted_at - head.0 >= 3, "the state of block {height} at {head}");
        }
    }

    /// The testing chain ends an epoch every five blocks: 1, 6, 11 and so on.
    #[test]
    fn every_node_that_has_a_state_serves_one() {
        let mut chain = Chain::new(4);
        chain.grow(12);
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let (store, mut tip) = Store::open(&path("all"), &chain.spec, StoreOptions::default()).unwrap();
        assert_eq!(served(&store), None, "the genesis has no certificate, and is in the spec");
        let mut tips: Vec<Tip> = Vec::new();
        for (index, block) in chain.blocks.iter().enumerate() {
            let next = tip.check(&store.read().unwrap(), block, std::num::NonZeroUsize::MIN).unwrap();
            store.commit(&next, Some(&certificate(&chain, index + 1))).unwrap();
            tip = next.tip();
            tips.push(tip.clone());
        }
        assert_eq!(served(&store), Some((BlockHeight(11), true)), "the last end of an epoch");
        // One that began with a state, and has seen no epoch end.
        let import = |name: &str, height: usize| {
            let (tip, certificate) = (tips[height - 1].clone(), certificate(&chain, height));
            Store::import(&path(name), tip, Some(&certificate), StoreOptions::default()).unwrap()
        };
        let (imported, _) = import("imported", 7);
        assert_eq!(served(&imported), Some((BlockHeight(7), true)));
        // One that caught up, and kept the last state alone.
        let (behind, mut tip) = import("behind", 5);
        let run: Vec<_> = (5..12)
            .map(|index| (chain.blocks[index].clone(), chain.checkpoints[index].certificate.clone()))
            .collect();
        let mut batch = behind.batch(KeptStates::Last).unwrap();
        for (index, (block, _)) in run.iter().enumerate() {
            let next = tip.check(&batch.tree().unwrap(), block, std::num::NonZeroUsize::MIN).unwrap();
            let certificate: &CommitCertificate = certificate_in(&run, index).unwrap();
            batch.push(&next, Some(&certificate.encode().unwrap())).unwrap();
            tip = next.tip();
        }
        batch.commit().unwrap();
        assert_eq!(served(&behind), Some((BlockHeight(12), true)), "the state of block 11 is not kept");
    }
}
