//! What the control plane counts.
//!
//! Labels are names of topics and protocols from this node's own configuration, never a peer's text: a peer cannot
//! create series.

use std::{ops::Deref, time::Duration};

use nervure_protocol::{protocols, topics};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::roads::Road;

/// Bounds of the buckets of a message's size, in bytes: the largest topic carries blocks.
const MESSAGE_BYTES: [f64; 9] =
    [64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0];

/// Bounds of the buckets of a request's duration, in seconds: a protocol allows some seconds, dialling included.
const REQUEST_SECONDS: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// Bounds of the buckets of a round trip, in seconds.
const ROUND_TRIP_SECONDS: [f64; 10] = [0.0003, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// Metrics of the control plane. Clones share the same values.
#[derive(Clone, Debug, Default)]
pub struct NetworkMetrics {
    pub(crate) connected: Gauge,
    pub(crate) routing_table: Gauge,
    pub(crate) gossip_received: Counter,
    pub(crate) gossip_rejected: Counter,
    pub(crate) gossip_dropped: Counter,
    pub(crate) gossip_rate_limited: Counter,
    pub(crate) gossip_unknown_topic: Counter,
    pub(crate) requests_received: Counter,
    pub(crate) requests_refused: Counter,
    pub(crate) requests_failed: Counter,
    pub(crate) requests_unknown_protocol: Counter,
    pub(crate) wrong_mesh: Counter,
    pub(crate) strangers_refused: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) dials_refused: Counter,
    pub(crate) routes_refused: Counter,
    pub(crate) lookups_refused: Counter,
    pub(crate) circuits_refused: Counter,
    pub(crate) holes_punched: Counter,
    query_streams: RoadCounters,
    sizes: MessageSizes,
    requests: RequestDurations,
    round_trips: RoundTrips,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TopicLabels {
    topic: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProtocolLabels {
    protocol: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoadLabels {
    road: &'static str,
}

#[derive(Clone, Debug)]
struct RoadCounters(Family<RoadLabels, Counter>);

impl Default for RoadCounters {
    fn default() -> Self {
        let counters = Family::<RoadLabels, Counter>::default();
        Road::ALL
            .into_iter()
            .for_each(|road| drop(counters.get_or_create(&RoadLabels { road: road.name() })));
        Self(counters)
    }
}

#[derive(Clone, Debug)]
struct MessageSizes(Family<TopicLabels, Histogram>);

impl Default for MessageSizes {
    fn default() -> Self {
        let sizes = Self(Family::new_with_constructor(|| Histogram::new(MESSAGE_BYTES)));
        // Every series exists from the start, so that a rate over a first event is not lost.
        topics::ALL.into_iter().for_each(|topic| drop(sizes.of(topic.name)));
        sizes
    }
}

impl MessageSizes {
    /// The sizes on a topic. The topics of a family are one.
    fn of(&self, topic: &str) -> impl Deref<Target = Histogram> {
        let topic = topic.split('/').next().unwrap_or_default().to_owned();
        self.0.get_or_create(&TopicLabels { topic })
    }
}

#[derive(Clone, Debug)]
struct RequestDurations(Family<ProtocolLabels, Histogram>);

impl Default for RequestDurations {
    fn default() -> Self {
        let durations =
            Family::<ProtocolLabels, Histogram>::new_with_constructor(|| Histogram::new(REQUEST_SECONDS));
        protocols::ALL
            .into_iter()
            .for_each(|protocol| drop(durations.get_or_create(&ProtocolLabels { protocol: protocol.name })));
        Self(durations)
    }
}

#[derive(Clone, Debug)]
struct RoundTrips(Histogram);

impl Default for RoundTrips {
    fn default() -> Self {
        Self(Histogram::new(ROUND_TRIP_SECONDS))
    }
}

/// A counter as it is registered.
struct NamedCounter<'a> {
    name: &'static str,
    help: &'static str,
    counter: &'a Counter,
}

impl NetworkMetrics {
    /// Registers all of them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("peers_connected", "Nodes connected", self.connected.clone());
        registry.register(
            "routing_table_nodes",
            "Nodes in the routing table of the DHT",
            self.routing_table.clone(),
        );
        for NamedCounter { name, help, counter } in self.counters() {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "query_streams",
            "Streams of the swarm that this node opened for questions, by the road of their connection",
            self.query_streams.0.clone(),
        );
        let sizes = "Size of gossip messages received within their topic's bounds";
        registry.register_with_unit("gossip_message", sizes, Unit::Bytes, self.sizes.0.clone());
        let durations = "Duration of requests to other nodes that were answered, dialling included";
        registry.register_with_unit("request_duration", durations, Unit::Seconds, self.requests.0.clone());
        let round_trips = "Round trip of pings to connected nodes";
        registry.register_with_unit(
            "peer_round_trip",
            round_trips,
            Unit::Seconds,
            self.round_trips.0.clone(),
        );
    }

    fn counters(&self) -> [NamedCounter<'_>; 17] {
        let named = |name, help, counter| NamedCounter { name, help, counter };
        [
            named("gossip_received", "Gossip messages received", &self.gossip_received),
            named("gossip_rejected", "Gossip messages rejected", &self.gossip_rejected),
            named(
                "gossip_dropped",
                "Gossip messages dropped because the queue was full",
                &self.gossip_dropped,
            ),
            named(
                "gossip_rate_limited",
                "Gossip messages ignored because their peer sent too many",
                &self.gossip_rate_limited,
            ),
            named(
                "gossip_unknown_topic",
                "Gossip messages ignored because this node does not know their topic",
                &self.gossip_unknown_topic,
            ),
            named("requests_received", "Requests of other nodes handed in", &self.requests_received),
            named("requests_refused", "Requests of other nodes refused", &self.requests_refused),
            named("requests_failed", "Requests of other nodes that broke off", &self.requests_failed),
            named(
                "requests_unknown_protocol",
                "Requests of other nodes whose protocol this node does not know",
                &self.requests_unknown_protocol,
            ),
            named(
                "peers_of_another_mesh",
                "Peers disconnected because they belong to another mesh",
                &self.wrong_mesh,
            ),
            named("strangers_refused", "Connections of unregistered nodes refused", &self.strangers_refused),
            named(
                "connections_refused",
                "Inbound connections refused by the limits on their number or on memory",
                &self.connections_refused,
            ),
            named("dials_refused", "Dials refused because of where they led", &self.dials_refused),
            named(
                "routes_refused",
                "Addresses kept out of the routing table because their network has enough of it",
                &self.routes_refused,
            ),
            named(
                "lookups_refused",
                "Requests to the DHT refused because their peer sent too many, or none of a mesh sends such",
                &self.lookups_refused,
            ),
            named(
                "circuits_refused",
                "Reservations and circuits that this node refused to relay",
                &self.circuits_refused,
            ),
            named("holes_punched", "Relayed connections that a direct one replaced", &self.holes_punched),
        ]
    }

    /// Counts a received message within its topic's bounds.
    pub(crate) fn message(&self, topic: &str, bytes: usize) {
        self.sizes.of(topic).observe(bytes as f64);
    }

    /// Counts a stream for a question.
    pub(crate) fn query_stream(&self, road: Road) {
        self.query_streams.0.get_or_create(&RoadLabels { road: road.name() }).inc();
    }

    /// Counts a request to another node that was answered.
    pub(crate) fn answered(&self, protocol: &'static str, took: Duration) {
        self.requests.0.get_or_create(&ProtocolLabels { protocol }).observe(took.as_secs_f64());
    }

    /// Counts a ping that came back.
    pub(crate) fn round_trip(&self, took: Duration) {
        self.round_trips.0.observe(took.as_secs_f64());
    }
}
