//! Gossip of expert records: each message is validated, and only valid new ones are forwarded.
//!
//! What a hostile peer can do: make us verify one signature per message that passed the network's own bounds. An
//! invalid record counts against its sender; an old one, or one beyond a bound, does not.

use std::{collections::BTreeSet, sync::Arc};

use futures::FutureExt;
use nervure_p2p::{GossipMessage, NetworkHandle, TopicFamily, TopicSpec, Verdict};
use nervure_primitives::Netuid;
use nervure_protocol::{
    RecordError,
    topics::{self, EXPERTS},
};
use nervure_subnet::InsertOutcome;
use tokio::sync::{mpsc, watch};

use super::{catalog::ExpertCatalog, chain::ChainView, dispatch::Dispatcher, metrics::VerdictCounters};

/// Names and help texts of what is counted about records.
pub(crate) const RECORD_COUNTERS: [(&str, &str); 3] = [
    ("records_accepted", "Expert records accepted"),
    ("records_ignored", "Expert records that were old or already known"),
    ("records_rejected", "Expert records that were invalid"),
];

/// The topics of a mesh with these subnets.
pub(crate) fn topics(netuids: impl Iterator<Item = Netuid>) -> Vec<TopicSpec> {
    netuids.map(|netuid| TopicSpec::new(topics::experts(netuid), EXPERTS.max_len)).collect()
}

/// The topics of subnets that are created after the genesis, at most `most`.
pub(crate) fn later(most: u16) -> TopicFamily {
    TopicFamily { each: TopicSpec::of(EXPERTS), most: most.into() }
}

/// Subscribes to the topics of subnets that are not in the mesh spec, as the ledger creates and removes them. Ends with
/// the chain or the network.
pub(crate) async fn follow(
    mut view: watch::Receiver<ChainView>,
    network: NetworkHandle,
    spec: BTreeSet<Netuid>,
) {
    let mut followed = BTreeSet::new();
    loop {
        let tip = view.borrow_and_update().tip.clone();
        let founded = tip.state.subnets().keys().filter(|netuid| !spec.contains(*netuid));
        let wanted: BTreeSet<u16> = founded.map(|netuid| netuid.0).collect();
        if wanted != followed {
            match network.follow(EXPERTS.name, wanted.clone()).await {
                Ok(()) => followed = wanted,
                Err(error) => tracing::warn!(%error, "cannot subscribe to the topics of new subnets"),
            }
        }
        if view.changed().await.is_err() {
            return;
        }
    }
}

/// The handlers of gossip topics.
pub(crate) type TopicHandlers = Dispatcher<GossipMessage>;

/// Hands each message to its topic's handler, until the network ends.
pub(crate) async fn run(mut messages: mpsc::Receiver<GossipMessage>, topics: TopicHandlers) {
    while let Some(message) = messages.recv().await {
        match topics.handler(&message.topic) {
            Some(handle) => handle(message).await,
            None => message.judge(Verdict::Ignore).await,
        }
    }
}

/// Registers the handler of expert records.
pub(crate) fn register(topics: &mut TopicHandlers, catalog: &Arc<ExpertCatalog>, counters: &VerdictCounters) {
    let (catalog, counters) = (catalog.clone(), counters.clone());
    topics.register_family(EXPERTS.name, move |message| {
        let verdict = ingest(&catalog, &counters, &message);
        message.judge(verdict).boxed()
    });
}

fn ingest(catalog: &ExpertCatalog, counters: &VerdictCounters, message: &GossipMessage) -> Verdict {
    let result = catalog.ingest(&message.data);
    let verdict = verdict(&result);
    counters.count(verdict);
    if let (Verdict::Reject, Err(error)) = (verdict, &result) {
        tracing::debug!(from = %message.from, %error, "an invalid expert record");
    }
    verdict
}

fn verdict(result: &Result<InsertOutcome, RecordError>) -> Verdict {
    match result {
        Ok(InsertOutcome::New | InsertOutcome::Newer) => Verdict::Accept,
        Ok(InsertOutcome::Stale | InsertOutcome::Full) => Verdict::Ignore,
        // Its author's fault, and not the sender's: the author gave one record to the sender first, and the other to this
        // node. With a rejection, it could make honest nodes silence each other.
        Ok(InsertOutcome::Contradiction) => Verdict::Ignore,
        // A registry that changes reaches nodes at different times: the sender may know more than we.
        Err(RecordError::Expired | RecordError::FromTheFuture | RecordError::NotRegistered { .. }) => {
            Verdict::Ignore
        }
        Err(_) => Verdict::Reject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_in_itself_is_held_against_the_sender() {
        assert_eq!(verdict(&Ok(InsertOutcome::New)), Verdict::Accept);
        assert_eq!(verdict(&Ok(InsertOutcome::Stale)), Verdict::Ignore);
        assert_eq!(verdict(&Ok(InsertOutcome::Full)), Verdict::Ignore);
        assert_eq!(verdict(&Ok(InsertOutcome::Contradiction)), Verdict::Ignore);
        assert_eq!(verdict(&Err(RecordError::Expired)), Verdict::Ignore);
        assert_eq!(verdict(&Err(RecordError::NotItsOwn)), Verdict::Reject);
        assert_eq!(verdict(&Err(RecordError::OutOfBounds("load"))), Verdict::Reject);
    }
}
