//! What the router is handed: experts, trust, time, randomness and the text of a mixture.
//!
//! The router reads no clock and draws no random number by itself (durations aside, which are tokio's and stand still
//! in tests), so that one seed gives one trace.

use std::sync::Arc;

use nervure_primitives::{BlockHeight, Hash, MeshId, NodeId, UnixMillis};
use nervure_protocol::{FinishReason, Sampling};
use nervure_subnet::{IndexSearch, Observation, Observations, Page};
use parking_lot::MutexGuard;

use crate::{Dial, TrustTable};

/// Everything outside of the router that it works with.
pub struct Environment {
    /// This node, which asks.
    pub node: NodeId,
    /// Its mesh.
    pub mesh: MeshId,
    /// Reaches experts.
    pub dial: Arc<dyn Dial>,
    /// The experts that this node knows.
    pub catalog: Arc<dyn Catalog>,
    /// What the mesh makes of them.
    pub trust: Arc<dyn TrustSource>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Starts the text of a mixture.
    pub composer: fn(&Sampling) -> Box<dyn Composer>,
}

impl Environment {
    /// Fresh bytes for the name of one query.
    pub(crate) fn salt(&self) -> Hash {
        Hash::from_bytes(self.entropy.bytes())
    }

    /// A fresh sampling seed, of 31 bits: every model server takes these, and every client reads them exactly.
    pub(crate) fn seed(&self) -> u64 {
        self.entropy.bits() >> 33
    }
}

/// The experts that this node knows, and what it observed of them.
pub trait Catalog: Send + Sync {
    /// A page of records.
    fn find(&self, find: &IndexSearch) -> Page;

    /// The observations of all experts, to read or to add to. The lock is held only for as long as the guard lives.
    fn observations(&self) -> MutexGuard<'_, Observations>;

    /// The observations of one expert.
    fn observation(&self, node: &NodeId, expert: &str) -> Observation {
        self.observations().of(node, expert)
    }

    /// Whether an expert serves this model.
    fn has_model(&self, name: &str) -> bool {
        let find = IndexSearch { model: Some(name.to_owned()), limit: 1, ..IndexSearch::default() };
        !self.find(&find).records.is_empty()
    }
}

/// What the mesh makes of all experts, as of one block.
#[derive(Debug, Clone)]
pub struct TrustSnapshot {
    /// The last finalised block.
    pub block: BlockHeight,
    /// The trust in each expert.
    pub table: Arc<TrustTable>,
}

/// What the mesh makes of experts: finalised incentive, live scores, and the stake behind their subnets.
pub trait TrustSource: Send + Sync {
    /// The trust in all experts now.
    fn snapshot(&self) -> TrustSnapshot;
}

/// The wall clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> UnixMillis;
}

/// Randomness. Query ids are made of it: an implementation for a real mesh must be unpredictable.
pub trait Entropy: Send + Sync {
    /// 32 fresh bytes.
    fn bytes(&self) -> [u8; 32];

    /// 64 fresh bits.
    fn bits(&self) -> u64 {
        self.bytes().into_iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(byte))
    }
}

/// Writes one text byte by byte from distributions of the next byte.
pub trait Composer: Send {
    /// Chooses the next byte, given 256 logarithms of probabilities.
    fn choose(&mut self, logarithms: &[f32]) -> u8;

    /// Adds a byte to the text.
    fn push(&mut self, byte: u8) -> ComposedPiece;

    /// Bytes so far.
    fn written(&self) -> u32;
}

/// What one more byte added to a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComposedPiece {
    /// Text to show now; often none, as pieces end between characters.
    pub text: String,
    /// Why this byte was the last; no byte may follow then.
    pub end: Option<FinishReason>,
}
