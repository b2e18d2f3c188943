//! What validators say to each other, committed blocks, and transactions, on the wire.
//!
//! Gossip carries one message once. A vote that is sent again because it may have been lost is the same
//! message, so that a counter goes before it: two bytes that say nothing.

use nervure_consensus::bft::{MAX_MESSAGE_BYTES, Message};
use nervure_ledger::transaction;
use nervure_p2p::TopicSpec;
use nervure_primitives::{
    BlockHeight,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// The topic of proposals, votes and certificates.
pub(crate) const CONSENSUS: &str = "consensus";

/// The topic of transactions.
pub(crate) const TRANSACTIONS: &str = "transactions";

/// The topic of committed blocks.
pub(crate) const BLOCKS: &str = "blocks";

/// Longest announcement of a block, in bytes; of a larger one only the certificate goes round.
const MAX_ANNOUNCEMENT: usize = 256 * 1024;

/// Bytes of the counter.
const COUNTER: usize = 2;

/// Bytes that the envelope adds to a transaction, rounded up.
const ENVELOPE: usize = 160;

/// The topics of the chain: what validators say to each other only they follow; everybody hears of blocks.
/// A round of 64 validators is 130 messages, and each may come again.
pub(crate) fn topics(validator: bool) -> Vec<TopicSpec> {
    let blocks = TopicSpec { per_peer_per_second: 20, ..TopicSpec::new(BLOCKS, MAX_ANNOUNCEMENT) };
    let transactions = TopicSpec::new(TRANSACTIONS, transaction::MAX_LEN + ENVELOPE);
    let consensus = TopicSpec::new(CONSENSUS, MAX_MESSAGE_BYTES + COUNTER);
    let mut topics = vec![blocks, TopicSpec { per_peer_per_second: 500, ..transactions }];
    topics.extend(validator.then_some(TopicSpec { per_peer_per_second: 1_000, ..consensus }));
    topics
}

/// A message for the `number`-th sending.
pub(super) fn frame(message: &Message, number: u16) -> Result<Vec<u8>, CborError> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend(message.encode()?);
    Ok(bytes)
}

/// The message in a frame.
pub(super) fn unframe(bytes: &[u8]) -> Result<Message, CborError> {
    let (_, message) = bytes.split_at_checked(COUNTER).ok_or(CborError::Truncated { at: 0 })?;
    Message::decode(message)
}

/// A block that was committed: with its bytes when it is small, else only that it exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Announcement {
    /// Its height.
    pub(super) height: BlockHeight,
    /// The block and its certificate.
    pub(super) block: Option<(ByteBuf, ByteBuf)>,
}

impl Announcement {
    /// Its bytes: without the block when they would be too many.
    pub(super) fn encode(height: BlockHeight, block: Vec<u8>, certificate: Vec<u8>) -> Vec<u8> {
        let small = block.len() + certificate.len() < MAX_ANNOUNCEMENT - 64;
        let block = small.then(|| (ByteBuf::from(block), ByteBuf::from(certificate)));
        cbor::encode(&Self { height, block }).unwrap_or_default()
    }

    /// Reads one.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(MAX_ANNOUNCEMENT))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_large_block_is_announced_without_its_bytes() {
        let told = |len| {
            Announcement::decode(&Announcement::encode(BlockHeight(7), vec![1; len], vec![2; 9])).unwrap()
        };
        let (block, certificate) = told(1_000).block.unwrap();
        assert_eq!((block.len(), certificate.len()), (1_000, 9));
        assert_eq!(told(MAX_ANNOUNCEMENT), Announcement { height: BlockHeight(7), block: None });
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = (unframe(&bytes), Announcement::decode(&bytes));
        }
    }
}
