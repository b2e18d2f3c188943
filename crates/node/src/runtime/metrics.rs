//! The node's own metrics, gathered at each request.

use std::sync::atomic::{AtomicU64, Ordering};

use nervure_p2p::{NetworkStatus, query::ServerCounters};
use nervure_primitives::BlockHeight;
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::{
    anchor::Anchoring,
    chain::{ChainHandle, ChainView},
    gossip::RecordCounters,
    score_gossip::ScoreGossipCounters,
    view,
};

/// Where the metrics come from.
pub(crate) struct Sources<'a> {
    pub network: &'a NetworkStatus,
    pub records: &'a RecordCounters,
    pub score_gossip: &'a ScoreGossipCounters,
    pub queries: Option<&'a ServerCounters>,
    pub experts: usize,
    pub chain: Option<&'a ChainHandle>,
    pub anchoring: Option<&'a Anchoring>,
}

/// The metrics in the OpenMetrics text format.
pub(crate) fn render(sources: &Sources<'_>) -> String {
    let mut metrics = Metrics(Registry::with_prefix("nervure"));
    metrics.network(sources.network);
    metrics.gauge("experts_known", "Experts in the index", sources.experts as u64);
    metrics.live_scores(sources.score_gossip);
    metrics.records(sources.records);
    if let Some(queries) = sources.queries {
        metrics.queries(queries);
    }
    if let Some(chain) = sources.chain {
        metrics.chain(chain);
    }
    if let Some(anchoring) = sources.anchoring {
        metrics.anchor(anchoring);
    }
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = encode(&mut text, &metrics.0);
    text
}

/// The registry of one request, with a method for each part of the node.
struct Metrics(Registry);

impl Metrics {
    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.0.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.0.register(name, help, ConstCounter::new(value));
    }

    fn network(&mut self, network: &NetworkStatus) {
        self.gauge("peers_connected", "Nodes connected", network.connected.into());
        self.gauge(
            "routing_table_nodes",
            "Nodes in the routing table of the DHT",
            network.routing_table.into(),
        );
        self.counter("gossip_received", "Gossip messages received", network.gossip_received);
        self.counter("gossip_rejected", "Gossip messages rejected", network.gossip_rejected);
        self.counter(
            "gossip_dropped",
            "Gossip messages dropped because the queue was full",
            network.gossip_dropped,
        );
        self.counter(
            "peers_of_another_mesh",
            "Peers disconnected because they belong to another mesh",
            network.wrong_mesh,
        );
        self.counter(
            "strangers_refused",
            "Connections of unregistered nodes refused",
            network.strangers_refused,
        );
    }

    fn live_scores(&mut self, counters: &ScoreGossipCounters) {
        self.counter(
            "assignments_accepted",
            "Assignments of validators accepted",
            load(&counters.assignments),
        );
        self.counter("scores_accepted", "Live scores of validators accepted", load(&counters.scores));
        self.counter(
            "opinions_ignored",
            "Assignments and live scores that were old or already known",
            load(&counters.ignored),
        );
        self.counter(
            "opinions_rejected",
            "Assignments and live scores that were invalid",
            load(&counters.rejected),
        );
    }

    fn records(&mut self, records: &RecordCounters) {
        self.counter("records_accepted", "Expert records accepted", load(&records.accepted));
        self.counter(
            "records_ignored",
            "Expert records that were old or already known",
            load(&records.ignored),
        );
        self.counter("records_rejected", "Expert records that were invalid", load(&records.rejected));
    }

    fn queries(&mut self, queries: &ServerCounters) {
        self.gauge("queries_in_progress", "Queries being answered", load(&queries.in_progress));
        self.counter("query_connections", "Connections to the query endpoint", load(&queries.connections));
        self.counter(
            "query_connections_refused",
            "Connections to the query endpoint refused",
            load(&queries.refused),
        );
        self.counter(
            "query_retries",
            "Connections whose address was validated with a QUIC retry",
            load(&queries.retried),
        );
        self.counter("queries", "Queries answered or refused", load(&queries.queries));
        self.counter(
            "queries_malformed",
            "Queries whose request was malformed or late",
            load(&queries.malformed),
        );
        self.counter(
            "queries_rate_limited",
            "Queries over the rate limit of their sender",
            load(&queries.rate_limited),
        );
    }

    fn chain(&mut self, chain: &ChainHandle) {
        let known = chain.view();
        let checkpoint = view::last_checkpoint(&known.tip.state).map_or(0, |block| block.0);
        let failed = known.failed.is_some().into();
        self.gauge("chain_height", "Height of the last block committed here", known.tip.header.height.0);
        self.gauge("chain_checkpoint", "Height of the last checkpoint; 0 before the first", checkpoint);
        self.gauge("chain_round", "Round that the next block is in", known.round.into());
        self.gauge("chain_waiting", "Transactions in the mempool", known.waiting as u64);
        self.gauge(
            "chain_finality_ms",
            "Milliseconds from the start of the last height to its commit",
            finality(&known),
        );
        self.gauge("chain_failed", "1 when this node has stopped following the chain", failed);
        let counters = chain.counters();
        self.counter(
            "chain_extra_rounds",
            "Rounds of consensus beyond the first",
            load(&counters.extra_rounds),
        );
        self.counter("chain_equivocations", "Equivocations of validators", load(&counters.equivocations));
        self.counter(
            "chain_refused_blocks",
            "Proposed blocks that were invalid",
            load(&counters.refused_blocks),
        );
        self.counter(
            "chain_dropped",
            "Consensus messages dropped because the queue was full",
            load(&counters.dropped),
        );
    }

    fn anchor(&mut self, anchoring: &Anchoring) {
        let (status, counters) = (anchoring.status(), anchoring.counters());
        let height = |height: Option<BlockHeight>| height.map_or(0, |height| height.0);
        self.gauge(
            "anchor_kept",
            "Height of the last checkpoint that is signed and kept here",
            height(status.kept),
        );
        self.gauge(
            "anchor_anchored",
            "Height of the last checkpoint in the contract",
            height(status.anchored),
        );
        self.gauge("anchor_open", "Checkpoints that have no quorum of attestations yet", status.open.into());
        self.gauge(
            "anchor_trouble",
            "1 when checkpoints cannot be anchored",
            status.trouble.is_some().into(),
        );
        self.counter(
            "attestations_accepted",
            "Attestations of checkpoints accepted",
            load(&counters.accepted),
        );
        self.counter(
            "attestations_ignored",
            "Attestations of checkpoints that were early or already known",
            load(&counters.ignored),
        );
        self.counter(
            "attestations_rejected",
            "Attestations of checkpoints that were invalid",
            load(&counters.rejected),
        );
    }
}

fn finality(view: &ChainView) -> u64 {
    view.took.map_or(0, |took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
