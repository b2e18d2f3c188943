//! The queries of this node that wait for a receipt, each settled at most once.
//!
//! A receipt counts when it is from the node that was asked, for the query that was sent, and for the answer that
//! arrived. The query is then removed, so that a replayed receipt settles nothing. Bounded: a full table refuses new
//! queries, which then have no receipts, until old ones are settled or given up.

use std::{collections::BTreeMap, time::Duration};

use nervure_primitives::{Hash, MeshId, Netuid, NodeId, UnixMillis};
use nervure_protocol::{ReceiptError, SignedReceipt, bounds::MAX_CLOCK_SKEW};

/// Upper bound for pending queries.
pub const MAX_PENDING_QUERIES: usize = 65_536;

/// Why a receipt does not settle a query, or a query is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettleError {
    /// Not a valid receipt.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// No query is waiting for it: never asked, already settled, or given up.
    #[error("no query is waiting for this receipt")]
    NoSuchQuery,
    /// The receipt differs from the query.
    #[error("the receipt has another {0} than the query")]
    Differs(&'static str),
    /// It claims an impossible time.
    #[error("the receipt claims an impossible time")]
    ImpossibleTime,
    /// A query with this id is already pending.
    #[error("a query with this id is already pending")]
    NameTaken,
    /// [`MAX_PENDING_QUERIES`] are pending.
    #[error("too many queries are waiting for receipts")]
    Full,
}

/// A query of this node that waits for a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingQuery {
    /// Its id, drawn by this node and never used before.
    pub query: Hash,
    /// The subnet.
    pub netuid: Netuid,
    /// The miner that was asked.
    pub miner: NodeId,
    /// The hash of the request: see [`request_hash`](nervure_protocol::request_hash).
    pub request: Hash,
    /// When it was sent.
    pub sent_at: UnixMillis,
}

/// The queries of one asker that wait for a receipt.
#[derive(Debug)]
pub struct PendingQueries {
    asker: NodeId,
    mesh: MeshId,
    asked: BTreeMap<Hash, PendingQuery>,
}

impl PendingQueries {
    /// An empty table for `asker`.
    pub const fn new(asker: NodeId, mesh: MeshId) -> Self {
        Self { asker, mesh, asked: BTreeMap::new() }
    }

    /// Adds a query that is sent.
    ///
    /// # Errors
    /// [`SettleError::Full`] when too many are pending; [`SettleError::NameTaken`] when one with this id is.
    pub fn ask(&mut self, asked: PendingQuery) -> Result<(), SettleError> {
        if self.asked.contains_key(&asked.query) {
            return Err(SettleError::NameTaken);
        }
        if self.asked.len() >= MAX_PENDING_QUERIES {
            return Err(SettleError::Full);
        }
        self.asked.insert(asked.query, asked);
        Ok(())
    }

    /// Handles a receipt for a query whose answer as it arrived has the hash `answer`. Settles the query.
    ///
    /// # Errors
    /// The first reason not to accept it; the query is then still pending.
    pub fn settle(
        &mut self,
        bytes: &[u8],
        answer: &Hash,
        now: UnixMillis,
    ) -> Result<SignedReceipt, SettleError> {
        let signed = SignedReceipt::verify(bytes, &self.mesh)?;
        let receipt = signed.receipt();
        let asked = self.asked.get(&receipt.query).ok_or(SettleError::NoSuchQuery)?;
        let same = [
            ("asker", receipt.asker == self.asker),
            ("miner", receipt.miner == asked.miner),
            ("subnet", receipt.netuid == asked.netuid),
            ("request", receipt.request == asked.request),
            ("answer", receipt.answer == *answer),
        ];
        // The query stays pending: a wrong receipt of another node must not take away the place of the right
        // one.
        if let Some((what, _)) = same.into_iter().find(|(_, same)| !same) {
            return Err(SettleError::Differs(what));
        }
        let (earliest, latest) = (asked.sent_at, now.plus(MAX_CLOCK_SKEW));
        let took = Duration::from_millis(receipt.took_ms.into());
        // The clock of the miner may be off by the skew in both directions. The duration is compared with the
        // clock of this node alone, so that a miner cannot claim more time than has passed here.
        let possible = receipt.received_at.plus(MAX_CLOCK_SKEW) >= earliest
            && receipt.received_at.plus(took) <= latest
            && took <= now.since(asked.sent_at);
        if !possible {
            return Err(SettleError::ImpossibleTime);
        }
        let query = receipt.query;
        self.asked.remove(&query);
        Ok(signed)
    }

    /// Drops the queries that were sent before `before`.
    pub fn give_up(&mut self, before: UnixMillis) {
        self.asked.retain(|_, asked| asked.sent_at >= before);
    }

    /// The number of pending queries.
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// Whether no query is pending.
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use nervure_protocol::{Receipt, request_hash};

    use super::*;
    use nervure_protocol::testing::{self, MESH, NOW, key};

    const SETTLED_AT: UnixMillis = UnixMillis(NOW.0 + 100);

    fn asked(number: u64) -> PendingQuery {
        let query = Hash::of("query", &[&number.to_be_bytes()]);
        let request = request_hash(&query, b"what");
        PendingQuery { query, netuid: Netuid(1), miner: key(2).node_id(), request, sent_at: NOW }
    }

    fn answer() -> Hash {
        Hash::of("answer", &[])
    }

    fn receipt(asked: &PendingQuery, change: impl FnOnce(&mut Receipt)) -> Vec<u8> {
        let mut receipt = Receipt {
            query: asked.query,
            request: asked.request,
            answer: answer(),
            took_ms: 90,
            ..testing::receipt(key(1).node_id(), asked.miner)
        };
        change(&mut receipt);
        let signer = if receipt.miner == key(3).node_id() { 3 } else { 2 };
        SignedReceipt::sign(&key(signer), &MESH, receipt).unwrap().bytes().to_vec()
    }

    fn waiting() -> PendingQueries {
        let mut outstanding = PendingQueries::new(key(1).node_id(), MESH);
        outstanding.ask(asked(1)).unwrap();
        outstanding
    }

    #[test]
    fn a_receipt_settles_its_query_once() {
        let mut outstanding = waiting();
        let bytes = receipt(&asked(1), |_| {});
        assert!(outstanding.settle(&bytes, &answer(), SETTLED_AT).is_ok());
        assert_eq!(outstanding.settle(&bytes, &answer(), SETTLED_AT), Err(SettleError::NoSuchQuery));
        assert!(outstanding.is_empty());
    }

    #[test]
    fn a_receipt_for_anything_else_settles_nothing() {
        let mut outstanding = waiting();
        let other = Hash::of("other", &[]);
        let mut differs = |change: fn(&mut Receipt)| {
            outstanding.settle(&receipt(&asked(1), change), &answer(), SETTLED_AT).unwrap_err()
        };
        assert_eq!(differs(|r| r.asker = key(9).node_id()), SettleError::Differs("asker"));
        assert_eq!(differs(|r| r.miner = key(3).node_id()), SettleError::Differs("miner"));
        assert_eq!(differs(|r| r.netuid = Netuid(2)), SettleError::Differs("subnet"));
        assert_eq!(differs(|r| r.request = Hash::of("other", &[])), SettleError::Differs("request"));
        assert_eq!(differs(|r| r.answer = Hash::of("other", &[])), SettleError::Differs("answer"));
        assert_eq!(differs(|r| r.took_ms = 101), SettleError::ImpossibleTime);
        assert_eq!(differs(|r| r.received_at = UnixMillis(NOW.0 + 31_000)), SettleError::ImpossibleTime);
        assert_eq!(differs(|r| r.received_at = UnixMillis(NOW.0 - 31_000)), SettleError::ImpossibleTime);
        let settled = outstanding.settle(&receipt(&asked(1), |_| {}), &other, SETTLED_AT);
        assert_eq!(settled, Err(SettleError::Differs("answer")), "another answer than came");
        assert_eq!(outstanding.len(), 1, "it still waits");
    }

    #[test]
    fn names_are_used_once_and_memory_is_bounded() {
        let mut outstanding = waiting();
        assert_eq!(outstanding.ask(asked(1)), Err(SettleError::NameTaken));
        let first = asked(1);
        let name = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            Hash::from_bytes(bytes)
        };
        for number in 1..MAX_PENDING_QUERIES {
            outstanding.ask(PendingQuery { query: name(number), ..first }).unwrap();
        }
        assert_eq!(outstanding.ask(asked(0)), Err(SettleError::Full));
        outstanding.give_up(SETTLED_AT);
        assert!(outstanding.is_empty());
    }
}
