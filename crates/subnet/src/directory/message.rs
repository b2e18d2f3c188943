//! What is asked and answered, in canonical CBOR. Names are frozen.

use nervure_primitives::{Capability, Netuid, NodeId};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Keep these signed records and hand them on to whoever asks; at most [`super::MAX_PUBLISH`].
    Publish {
        /// The records as they were signed.
        records: Vec<ByteBuf>,
    },
    /// Give a page of records.
    Find(FindRecords),
}

/// What to find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindRecords {
    /// In which subnet.
    pub netuid: Netuid,
    /// Only experts that this covers; all when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<Capability>,
    /// Of which shard.
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

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Response {
    /// What became of the records.
    Published {
        /// Kept, or known already.
        kept: u16,
        /// Not kept.
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
    /// The request makes no sense.
    Refused {
        /// Why not, at most 200 bytes.
        reason: String,
    },
}
