//! Fetches a mesh spec from the nodes that an invite names.
//!
//! What a hostile node can do: send another spec, which the caller refuses by its id; then the next node is asked.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_anchor::AnchorDomain;
use nervure_ledger::spec::MeshSpec;
use nervure_p2p::{AddressScope, Admission, DhtMode, Multiaddr, Network, NetworkConfig};
use nervure_primitives::{MeshId, NodeId, NodeKey};
use nervure_protocol::light::{LightRequest, LightResponse};
use tokio_util::sync::CancellationToken;

use super::{
    LightFailure,
    source::{PeerSource, Road},
};
use crate::runtime::peers;

/// How long to look for a node that has the spec.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Between two looks at the connected nodes.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// No node is known before the spec is.
struct DenyAll;

impl Admission for DenyAll {
    fn is_registered(&self, _: &NodeId) -> bool {
        false
    }
}

/// The spec of `mesh` from the nodes at `seeds`, as the first one that `accept` takes.
pub(crate) async fn fetch(
    mesh: MeshId,
    seeds: Vec<Multiaddr>,
    accept: impl Fn(&str) -> Option<MeshSpec>,
) -> Result<MeshSpec, LightFailure> {
    let key = NodeKey::generate().map_err(|error| LightFailure::NotFound(error.to_string()))?;
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    // The seeds are named by the user, who may be in the same network.
    let mut config = NetworkConfig::new(key, mesh, AddressScope::Local);
    config.bootstrap = seeds;
    config.mode = DhtMode::Client;
    config.protocols = vec![super::protocol()];
    let started = Network::start(config, Arc::new(DenyAll), stop.clone());
    let (network, _messages) = started.map_err(|error| LightFailure::NotFound(error.to_string()))?;
    let (until, mut asked) = (Instant::now() + TIMEOUT, std::collections::BTreeSet::new());
    while Instant::now() < until {
        for peer in peers::all(&network, &asked).await {
            asked.insert(peer);
            let road = Road::Swarm(Box::new(network.clone()), peer);
            let answer = PeerSource { road, domain: AnchorDomain::LOCAL }.ask(&LightRequest::Spec).await;
            let Ok(LightResponse::Spec(bytes)) = answer else { continue };
            let found = std::str::from_utf8(&bytes).ok().and_then(&accept);
            if let Some(spec) = found {
                return Ok(spec);
            }
            tracing::warn!(%peer, "this node has another spec than the invite names");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Err(LightFailure::NoPeer)
}
