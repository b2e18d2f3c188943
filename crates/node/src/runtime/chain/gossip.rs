//! What validators say to each other, and transactions, on the wire.
//!
//! Gossip carries one message once. A vote that is sent again because it may have been lost is the same
//! message, so that a counter goes before it: two bytes that say nothing.

use nervure_consensus::bft::{MAX_MESSAGE_LEN, Message};
use nervure_ledger::transaction;
use nervure_p2p::TopicSpec;
use nervure_primitives::cbor::CborError;

/// The topic of proposals, votes and certificates.
pub(crate) const CONSENSUS: &str = "consensus";

/// The topic of transactions.
pub(crate) const TRANSACTIONS: &str = "transactions";

/// Bytes of the counter.
const COUNTER: usize = 2;

/// Bytes that the envelope adds to a transaction, rounded up.
const ENVELOPE: usize = 160;

/// The topics of the chain. A round of 64 validators is 130 messages, and each may come again.
pub(crate) fn topics() -> [TopicSpec; 2] {
    let consensus = TopicSpec::new(CONSENSUS, MAX_MESSAGE_LEN + COUNTER);
    let transactions = TopicSpec::new(TRANSACTIONS, transaction::MAX_LEN + ENVELOPE);
    [
        TopicSpec { per_peer_per_second: 1_000, ..consensus },
        TopicSpec { per_peer_per_second: 500, ..transactions },
    ]
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
