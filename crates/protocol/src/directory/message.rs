//! Requests and responses.

use nervure_primitives::{Capability, Netuid, NodeId, UntrustedText};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::bounds::MAX_REFUSAL;

/// A request to a node that is responsible for a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DirectoryRequest {
    /// Store these signed records and return them to askers; at most [`crate::bounds::MAX_PUBLISH`].
    Publish {
        /// The records as they were signed.
        records: Vec<ByteBuf>,
    },
    /// Return a page of records.
    Find(FindRecords),
}

/// Which records to return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindRecords {
    /// The subnet.
    pub netuid: Netuid,
    /// Only experts whose capability this covers; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<Capability>,
    /// The shard.
    pub shard: u8,
    /// Only experts that pass this filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Most records wanted.
    pub limit: u16,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<PageCursor>,
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageCursor {
    /// The last record's node.
    pub node: NodeId,
    /// Its expert.
    pub expert: String,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DirectoryResponse {
    /// How many records were stored.
    Published {
        /// Stored, or known already.
        kept: u16,
        /// Not stored.
        refused: u16,
    },
    /// A page.
    Page {
        /// Signed records, in order of node and expert.
        records: Vec<ByteBuf>,
        /// Where the next page begins; none after the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<PageCursor>,
    },
    /// The request is not valid.
    Refused {
        /// Why not.
        reason: UntrustedText<MAX_REFUSAL>,
    },
}
