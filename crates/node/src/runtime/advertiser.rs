//! Says what this node serves: signs a record for each expert and gossips it, again and again before it expires,
//! and a last time, withdrawn, when the node stops.
//!
//! Records go out often at first, because a mesh that starts has few connections yet, and then three times per
//! expiry, so that two lost renewals do not lose an expert. An expert that cannot answer is withdrawn until it can.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use nervure_experts::Health;
use nervure_p2p::{NetworkHandle, PublishError};
use nervure_primitives::{MeshId, NodeKey, UnixMillis};
use nervure_subnet::{ExpertRecord, SignedRecord};
use tokio_util::sync::CancellationToken;

use super::{
    catalog::ExpertCatalog,
    clock,
    gossip::experts_topic,
    serving::{ServedExpert, ServedExperts},
};

/// Pauses between the first advertisements.
const AT_FIRST: [Duration; 6] = [
    Duration::from_millis(150),
    Duration::from_millis(300),
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
    Duration::from_millis(4000),
];

/// Advertisements per expiry.
const PER_EXPIRY: u32 = 3;

/// How long the network gets to carry the withdrawals away.
const FAREWELL: Duration = Duration::from_millis(150);

/// What the advertiser works with.
pub(crate) struct Advertiser {
    pub key: NodeKey,
    pub mesh: MeshId,
    /// How long a record holds.
    pub expiry: Duration,
    /// Where this node answers queries.
    pub addresses: Vec<SocketAddr>,
    pub experts: Arc<ServedExperts>,
    pub network: NetworkHandle,
    pub catalog: Arc<ExpertCatalog>,
}

impl Advertiser {
    /// Advertises until `stop`, then withdraws.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut pauses = AT_FIRST.into_iter();
        let mut seq = 0;
        loop {
            seq = self.advertise(seq, false).await;
            let pause = pauses.next().unwrap_or(self.expiry / PER_EXPIRY).min(self.expiry / PER_EXPIRY);
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
        }
        self.advertise(seq, true).await;
        tokio::time::sleep(FAREWELL).await;
    }

    /// One round over all experts, numbered above `last`; returns the number that it used.
    async fn advertise(&self, last: u64, withdrawn: bool) -> u64 {
        let now = clock::now();
        // The clock, so that a node that starts again is above its own last run.
        let seq = now.0.max(last + 1);
        for served in self.experts.iter() {
            let down = match served.expert.health().await {
                Health::Ready => false,
                Health::Down { reason } => {
                    tracing::warn!(expert = %served.name, %reason, "an expert cannot answer and is withdrawn");
                    true
                }
            };
            if let Err(error) = self.publish(served, seq, now, withdrawn || down).await {
                tracing::debug!(expert = %served.name, %error, "not advertised this time");
            }
        }
        seq
    }

    async fn publish(
        &self,
        served: &ServedExpert,
        seq: u64,
        now: UnixMillis,
        withdrawn: bool,
    ) -> Result<(), AdvertiseError> {
        let record = self.record(served, seq, now, withdrawn);
        let signed = SignedRecord::sign(&self.key, &self.mesh, record)?;
        let bytes = signed.bytes().to_vec();
        self.catalog.insert_own(signed);
        Ok(self.network.publish(&experts_topic(served.netuid), bytes).await?)
    }

    fn record(&self, served: &ServedExpert, seq: u64, now: UnixMillis, withdrawn: bool) -> ExpertRecord {
        let card = served.expert.card();
        ExpertRecord {
            node: self.key.node_id(),
            netuid: served.netuid,
            expert: served.name.clone(),
            capability: served.capability.clone(),
            model: card.model.clone(),
            context: card.context,
            max_output: card.max_output,
            price: served.price,
            byte_level: card.byte_level,
            load: 0,
            addresses: self.addresses.clone(),
            seq,
            issued_at: now,
            expires_at: now.plus(self.expiry),
            withdrawn,
        }
    }
}

/// Why one advertisement did not go out.
#[derive(Debug, thiserror::Error)]
enum AdvertiseError {
    #[error(transparent)]
    Record(#[from] nervure_subnet::RecordError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}
