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
    opinions::OpinionCounters,
    view,
};

/// Where the metrics come from.
pub(crate) struct Sources<'a> {
    pub network: &'a NetworkStatus,
    pub records: &'a RecordCounters,
    pub opinions: &'a OpinionCounters,
    pub queries: Option<&'a ServerCounters>,
    pub experts: usize,
    pub chain: Option<&'a ChainHandle>,
    pub anchoring: Option<&'a Anchoring>,
}

/// The metrics in the OpenMetrics text format.
pub(crate) fn render(sources: &Sources<'_>) -> String {
    let mut registry = Registry::with_prefix("nervure");
    let mut gauge = |name: &str, help: &str, value: u64| {
        registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    };
    let network = sources.network;
    gauge("peers_connected", "Nodes connected", network.connected.into());
    gauge("routing_table_nodes", "Nodes in the routing table of the DHT", network.routing_table.into());
    gauge("experts_known", "Experts in the index", sources.experts as u64);
    if let Some(queries) = sources.queries {
        gauge("queries_in_progress", "Queries being answered", load(&queries.in_progress));
    }
    if let Some(chain) = sources.chain {
        let known = chain.view();
        gauge("chain_height", "Height of the last block committed here", known.tip.header.height.0);
        let checkpoint = view::last_checkpoint(&known.tip.state).map_or(0, |block| block.0);
        gauge("chain_checkpoint", "Height of the last checkpoint; 0 before the first", checkpoint);
        gauge("chain_round", "Round that the next block is in", known.round.into());
        gauge("chain_waiting", "Transactions in the mempool", known.waiting as u64);
        gauge(
            "chain_finality_ms",
            "Milliseconds from the start of the last height to its commit",
            finality(&known),
        );
        gauge(
            "chain_failed",
            "1 when this node has stopped following the chain",
            known.failed.is_some().into(),
        );
    }
    if let Some(anchoring) = sources.anchoring {
        let status = anchoring.status();
        let height = |height: Option<BlockHeight>| height.map_or(0, |height| height.0);
        gauge(
            "anchor_kept",
            "Height of the last checkpoint that is signed and kept here",
            height(status.kept),
        );
        gauge("anchor_anchored", "Height of the last checkpoint in the contract", height(status.anchored));
        gauge("anchor_open", "Checkpoints that have no quorum of attestations yet", status.open.into());
        gauge("anchor_trouble", "1 when checkpoints cannot be anchored", status.trouble.is_some().into());
    }
    let mut counter = |name: &str, help: &str, value: u64| {
        registry.register(name, help, ConstCounter::new(value));
    };
    counter("gossip_received", "Gossip messages received", network.gossip_received);
    counter("gossip_rejected", "Gossip messages rejected", network.gossip_rejected);
    counter("gossip_dropped", "Gossip messages dropped because the queue was full", network.gossip_dropped);
    counter(
        "peers_of_another_mesh",
        "Peers disconnected because they belong to another mesh",
        network.wrong_mesh,
    );
    counter("strangers_refused", "Connections of unregistered nodes refused", network.strangers_refused);
    let opinions = sources.opinions;
    counter("assignments_accepted", "Assignments of validators accepted", load(&opinions.assignments));
    counter("scores_accepted", "Live scores of validators accepted", load(&opinions.scores));
    counter(
        "opinions_ignored",
        "Assignments and live scores that were old or already known",
        load(&opinions.ignored),
    );
    counter("opinions_rejected", "Assignments and live scores that were invalid", load(&opinions.rejected));
    let records = sources.records;
    counter("records_accepted", "Expert records accepted", load(&records.accepted));
    counter("records_ignored", "Expert records that were old or already known", load(&records.ignored));
    counter("records_rejected", "Expert records that were invalid", load(&records.rejected));
    if let Some(queries) = sources.queries {
        counter("query_connections", "Connections to the query endpoint", load(&queries.connections));
        counter(
            "query_connections_refused",
            "Connections to the query endpoint refused",
            load(&queries.refused),
        );
        counter(
            "query_retries",
            "Connections whose address was validated with a QUIC retry",
            load(&queries.retried),
        );
        counter("queries", "Queries answered or refused", load(&queries.queries));
        counter("queries_malformed", "Queries whose request was malformed or late", load(&queries.malformed));
        counter(
            "queries_rate_limited",
            "Queries over the rate limit of their sender",
            load(&queries.rate_limited),
        );
    }
    if let Some(chain) = sources.chain {
        let counters = chain.counters();
        counter("chain_extra_rounds", "Rounds of consensus beyond the first", load(&counters.extra_rounds));
        counter("chain_equivocations", "Equivocations of validators", load(&counters.equivocations));
        counter("chain_refused_blocks", "Proposed blocks that were invalid", load(&counters.refused_blocks));
        counter(
            "chain_dropped",
            "Consensus messages dropped because the queue was full",
            load(&counters.dropped),
        );
    }
    if let Some(anchoring) = sources.anchoring {
        let counters = anchoring.counters();
        counter("attestations_accepted", "Attestations of checkpoints accepted", load(&counters.accepted));
        counter(
            "attestations_ignored",
            "Attestations of checkpoints that were early or already known",
            load(&counters.ignored),
        );
        counter(
            "attestations_rejected",
            "Attestations of checkpoints that were invalid",
            load(&counters.rejected),
        );
    }
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = encode(&mut text, &registry);
    text
}

fn finality(view: &ChainView) -> u64 {
    view.took.map_or(0, |took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
