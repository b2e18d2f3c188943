//! The router in this node: its environment made of the catalog, the live scores, the clocks and the query client.

use std::sync::Arc;

use nervure_experts::byte_text;
use nervure_p2p::{AddressScope, query::QueryClient};
use nervure_primitives::UnixMillis;
use nervure_protocol::Sampling;
use nervure_router::{
    Catalog, Clock, ComposedPiece, Composer, Entropy, Environment, Router, TrustSnapshot, TrustSource,
    WINDOW_BYTES, WINDOW_KEPT_BYTES,
};
use nervure_subnet::{IndexSearch, Observations, Page};
use parking_lot::MutexGuard;
use rand::Rng;

use super::{Mesh, catalog::ExpertCatalog, clock, dialer::QueryDialer, score_gossip::ScoreGossip};

// A mixture sends windows that a built-in model reads from its cache.
const _: () =
    assert!(WINDOW_BYTES == byte_text::CONTEXT_BYTES && WINDOW_KEPT_BYTES == byte_text::RETAINED_BYTES);

/// The router of the node of `mesh`, which asks through `client` at addresses of `scope`.
pub(crate) fn router(mesh: &Mesh, client: QueryClient, scope: Option<AddressScope>) -> Router {
    Router::new(Environment {
        node: mesh.network.node(),
        mesh: mesh.id,
        dial: Arc::new(QueryDialer::new(client, mesh.network.clone(), scope)),
        catalog: mesh.catalog.clone(),
        trust: mesh.score_gossip.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        composer: |sampling| Box::new(ByteText::new(sampling)),
    })
}

impl Catalog for ExpertCatalog {
    fn find(&self, find: &IndexSearch) -> Page {
        ExpertCatalog::find(self, find)
    }

    fn observations(&self) -> MutexGuard<'_, Observations> {
        ExpertCatalog::observations(self)
    }
}

impl TrustSource for ScoreGossip {
    fn snapshot(&self) -> TrustSnapshot {
        let (block, table) = self.trusts();
        TrustSnapshot { block, table }
    }
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        clock::now()
    }
}

struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn bytes(&self) -> [u8; 32] {
        rand::rng().random()
    }
}

/// The text of a mixture, written as the built-in models write theirs.
struct ByteText(byte_text::Continuation);

impl ByteText {
    fn new(sampling: &Sampling) -> Self {
        Self(byte_text::Continuation::new(sampling))
    }
}

impl Composer for ByteText {
    fn choose(&mut self, logarithms: &[f32]) -> u8 {
        self.0.choose(logarithms)
    }

    fn push(&mut self, byte: u8) -> ComposedPiece {
        let step = self.0.push(byte);
        ComposedPiece { text: step.text, end: step.end }
    }

    fn written(&self) -> u32 {
        self.0.written()
    }
}
