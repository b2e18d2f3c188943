//! The topics of consensus messages, committed blocks and transactions.

use nervure_consensus::bft::{MAX_MESSAGE_BYTES, Message, MessageError};
use nervure_ledger::transaction;
use nervure_p2p::{TopicSpec, Verdict};
use nervure_primitives::cbor::CborError;
use nervure_protocol::{
    bounds,
    chain::{frame_consensus, unframe_consensus},
    topics::{BLOCKS, CONSENSUS, TRANSACTIONS},
};

// The protocol's bounds are those of the documents; an envelope adds at most 160 bytes to a transaction.
const _: () = assert!(bounds::MAX_CONSENSUS_MESSAGE == MAX_MESSAGE_BYTES);
const _: () = assert!(bounds::MAX_TRANSACTION == transaction::MAX_LEN + 160);

/// The topics of the chain. Only validators follow consensus. A round of 64 validators is 130 messages, and each may be
/// sent again.
pub(crate) fn topics(validator: bool) -> Vec<TopicSpec> {
    let blocks = TopicSpec { per_peer_per_second: 20, ..TopicSpec::of(BLOCKS) };
    let transactions = TopicSpec { per_peer_per_second: 500, ..TopicSpec::of(TRANSACTIONS) };
    let consensus = TopicSpec { per_peer_per_second: 1_000, ..TopicSpec::of(CONSENSUS) };
    let mut topics = vec![blocks, transactions];
    topics.extend(validator.then_some(consensus));
    topics
}

/// A message for the `number`-th sending.
pub(super) fn frame(message: &Message, number: u16) -> Result<Vec<u8>, CborError> {
    Ok(frame_consensus(&message.encode()?, number))
}

/// The message in a frame.
pub(super) fn unframe(bytes: &[u8]) -> Result<Message, CborError> {
    Message::decode(unframe_consensus(bytes)?)
}

/// The verdict on a consensus message: the engine used it, or refused it.
pub(super) const fn verdict(refusal: Option<&MessageError>) -> Verdict {
    match refusal {
        None => Verdict::Accept,
        Some(refusal) if refusal.blames_sender() => Verdict::Reject,
        Some(_) => Verdict::Ignore,
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::NodeKey;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_blames_the_sender_is_rejected() {
        let node = NodeKey::from_seed(&[1; 32]).node_id();
        assert_eq!(verdict(None), Verdict::Accept);
        assert_eq!(verdict(Some(&MessageError::Duplicate)), Verdict::Ignore);
        assert_eq!(verdict(Some(&MessageError::NotAValidator(node))), Verdict::Ignore);
        assert_eq!(verdict(Some(&MessageError::InvalidSignature(node))), Verdict::Reject);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            let _ = unframe(&bytes);
        }
    }
}
