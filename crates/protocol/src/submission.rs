//! Submitting a transaction to another node, which gossips it.
//!
//! Nodes throw away what unregistered nodes gossip. So one that is not registered asks registered ones to take its
//! transactions, among them the one that registers it. The request is the signed transaction, the same bytes as in gossip.
//!
//! What a hostile peer can do: have a node verify one signature for each request, at the low rate of unregistered peers. A
//! transaction that the node takes is paid for like any other.

use std::fmt::Display;

use nervure_primitives::{
    UntrustedText,
    cbor::{self, CborError, Limits},
};
use serde::{Deserialize, Serialize};

use crate::{bounds::MAX_REFUSAL, protocols::TRANSACTIONS};

/// The response of [`TRANSACTIONS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SubmitResponse {
    /// It is in the node's mempool.
    Taken,
    /// It is not.
    Refused {
        /// Why not.
        reason: UntrustedText<MAX_REFUSAL>,
    },
}

impl SubmitResponse {
    /// A refusal with a reason, which is cut where it is too long.
    pub fn refused(reason: impl Display) -> Self {
        Self::Refused { reason: UntrustedText::new(reason) }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::encode(self)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When `bytes` are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, Limits::new(TRANSACTIONS.max_response))
    }
}
