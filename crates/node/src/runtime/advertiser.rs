//! Advertises this node's experts: signs a record for each one, gossips it, publishes it to the directory, renews it
//! before it expires, and withdraws it when the node stops.
//!
//! Records go out often at first, because a mesh that starts has few connections yet, and then three times per
//! expiry, so that two lost renewals do not lose an expert. The record of an expert that cannot answer
//! is withdrawn until it can.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use nervure_experts::Health;
use nervure_p2p::NetworkHandle;
use nervure_primitives::{MeshId, NodeKey, UnixMillis};
use nervure_protocol::{ExpertRecord, ModelName, RecordError, SignedRecord, topics};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    address::{Place, QueryPlace},
    catalog::ExpertCatalog,
    clock,
    directory::Directory,
    serving::{ServedExpert, ServedExperts},
};

/// Intervals between the first advertisements. Lookups in a mesh that is forming are partial, so that one publication
/// to the directory is not enough.
const FIRST_INTERVALS: [Duration; 9] = [
    Duration::from_millis(150),
    Duration::from_millis(300),
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
    Duration::from_millis(4000),
    Duration::from_millis(8000),
    Duration::from_millis(16_000),
    Duration::from_millis(32_000),
];

/// The first round that also publishes its records to the directory.
const FIRST_PUBLISHED_ROUND: usize = 4;

/// Advertisements per expiry.
const RENEWALS_PER_EXPIRY: u32 = 3;

/// Between two looks at the health of an expert that cannot answer: it is advertised again within this time.
const RECOVERY_INTERVAL: Duration = Duration::from_secs(10);

/// Between two looks at this machine's addresses: records name new ones within this time.
const ADDRESS_INTERVAL: Duration = Duration::from_secs(2);

/// How long the network gets to send the withdrawals.
const WITHDRAWAL_DELAY: Duration = Duration::from_millis(150);

/// Advertises the experts of one node.
pub(crate) struct Advertiser {
    pub key: NodeKey,
    pub mesh: MeshId,
    /// How long a record is valid.
    pub expiry: Duration,
    /// Where this node answers queries, now.
    pub place: QueryPlace,
    pub experts: Arc<ServedExperts>,
    pub network: NetworkHandle,
    pub catalog: Arc<ExpertCatalog>,
    pub directory: Arc<Directory>,
}

/// One round of advertisements.
struct Round {
    records: Vec<SignedRecord>,
    /// Whether no expert was withdrawn because it cannot answer.
    all_ready: bool,
}

impl Advertiser {
    /// Advertises until `stop`, then withdraws.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let (mut seq, mut place) = (0, self.place.now(&self.network).await);
        let mut publishing = JoinSet::new();
        let mut round = 0;
        loop {
            let Round { records, all_ready } = self.advertise(&mut seq, &place, false).await;
            let usual = self.expiry / RENEWALS_PER_EXPIRY;
            let usual = if all_ready { usual } else { usual.min(RECOVERY_INTERVAL) };
            let pause = FIRST_INTERVALS.get(round).copied().unwrap_or(usual).min(usual);
            // Before there are connections, lookups find no node. A slow publication must not hold up the gossip.
            if round >= FIRST_PUBLISHED_ROUND && publishing.is_empty() {
                publishing.spawn(publish(self.directory.clone(), records));
            }
            let look = || self.place.now(&self.network).boxed();
            match stop.run_until_cancelled(wait_or_move(pause, &place, look)).await {
                None => break,
                Some(None) => round += 1,
                Some(Some(moved)) => {
                    tracing::info!(
                        ?moved,
                        "this node answers queries elsewhere now; its records are renewed"
                    );
                    place = moved;
                    // Often again: the connections of before may carry nothing any more, and new ones are being made.
                    round = 0;
                }
            }
            while publishing.try_join_next().is_some() {}
        }
        publishing.shutdown().await;
        self.advertise(&mut seq, &place, true).await;
        tokio::time::sleep(WITHDRAWAL_DELAY).await;
    }

    /// One round over all experts, numbered above `seq`.
    async fn advertise(&self, seq: &mut u64, place: &Place, withdrawn: bool) -> Round {
        let now = clock::now();
        let (mut records, mut all_ready) = (Vec::new(), true);
        // The sequence follows the clock, so that a restarted node's records replace those of its last run.
        *seq = now.0.max(*seq + 1);
        for served in self.experts.iter() {
            // A withdrawal does not depend on the expert's health.
            let health = if withdrawn { Health::Ready } else { served.expert.health().await };
            let down = match health {
                Health::Ready => false,
                Health::Down { reason } => {
                    tracing::warn!(expert = %served.name, %reason, "an expert cannot answer and is withdrawn");
                    all_ready = false;
                    true
                }
            };
            match self.sign(served, (*seq, now), place, withdrawn || down) {
                Ok(signed) => records.push(signed),
                Err(error) => {
                    tracing::error!(expert = %served.name, %error, "an expert cannot be advertised")
                }
            }
        }
        for signed in &records {
            self.catalog.insert_verified(signed.clone());
            let topic = topics::experts(signed.record().netuid);
            if let Err(error) = self.network.publish(&topic, signed.bytes().to_vec()).await {
                tracing::debug!(expert = %signed.record().expert, %error, "a record was not gossiped");
            }
        }
        Round { records, all_ready }
    }

    fn sign(
        &self,
        served: &ServedExpert,
        (seq, now): (u64, UnixMillis),
        place: &Place,
        withdrawn: bool,
    ) -> Result<SignedRecord, RecordError> {
        let card = served.expert.card();
        // An upstream chose the name. A cut one would name another model, so that a longer one is refused.
        let model =
            ModelName::whole(card.model.as_str()).map_err(|_too_long| RecordError::OutOfBounds("model"))?;
        let record = ExpertRecord {
            node: self.key.node_id(),
            netuid: served.netuid,
            expert: served.name.clone(),
            capability: served.capability.clone(),
            model,
            identity: card.identity.clone(),
            context: card.context,
            max_output: card.max_output,
            price: served.price,
            byte_level: card.byte_level,
            load: served.load(),
            addresses: place.addresses.clone(),
            relays: place.relays.clone(),
            seq,
            issued_at: now,
            expires_at: now.plus(self.expiry),
            withdrawn,
        };
        SignedRecord::sign(&self.key, &self.mesh, record)
    }
}

/// Waits for `pause`, or until the place differs from `known`, and then returns it.
async fn wait_or_move<'a>(
    pause: Duration,
    known: &Place,
    look: impl Fn() -> BoxFuture<'a, Place>,
) -> Option<Place> {
    let until = tokio::time::Instant::now() + pause;
    loop {
        let next = tokio::time::Instant::now() + ADDRESS_INTERVAL;
        tokio::time::sleep_until(next.min(until)).await;
        let found = look().await;
        // None while an interface is down: the old addresses may come back, and no others are known.
        if !found.is_empty() && found != *known {
            return Some(found);
        }
        if next >= until {
            return None;
        }
    }
}

async fn publish(directory: Arc<Directory>, records: Vec<SignedRecord>) {
    let nodes = directory.publish(&records).await;
    tracing::debug!(records = records.len(), nodes, "published to the directory");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_that_moves_does_not_wait_for_the_next_renewal() {
        let address = |port| Place { addresses: vec![([8, 8, 4, 4], port).into()], relays: Vec::new() };
        let known = address(1);
        let hour = Duration::from_secs(3600);
        let moved = wait_or_move(hour, &known, || async { address(2) }.boxed()).await;
        assert_eq!(moved, Some(address(2)));
        // Without a look at the addresses the wait would last the whole pause: nothing else ends it.
        let short = Duration::from_millis(1);
        assert_eq!(wait_or_move(short, &known, || async { known.clone() }.boxed()).await, None);
        assert_eq!(
            wait_or_move(short, &known, || async { Place::default() }.boxed()).await,
            None,
            "an interface that is down"
        );
    }
}
