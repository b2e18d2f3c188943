//! The settings of gossipsub, and the scores of peers.
//!
//! # Design
//! Messages carry no signature of gossipsub's own: their content is signed, and the receiver that gives the verdict
//! verifies it once. A message's id is the hash of topic and content, so that a copy is recognised from any sender.
//! Nothing is forwarded before the verdict. Only the configured topics exist, and those of the configured families. A
//! peer's subscription to one of these is kept even where this node does not follow it yet, because a peer announces it
//! only once.
//!
//! # Scores
//! A peer's score is its gains on all topics minus its faults. All topics together give at most [`MAX_GAIN`], by
//! construction and not by a cap, because a cap over the sum would hide faults behind gains. One rejected message costs
//! more than that, and the cost grows with the square of their number. So a peer that misbehaves on one topic is below
//! zero (out of the mesh) whatever it does elsewhere; more misbehaviour is strictly worse; a registered peer that never
//! misbehaves is never below zero. A stranger always is, so that its grafts are refused and it takes no place in a mesh. The third rejected message puts a peer below [`GRAYLIST_THRESHOLD`], where all of its messages
//! are ignored. Faults decay over [`FAULT_DECAY_TIME`].
//!
//! The number of deliveries is not scored: on quiet topics that would punish honest peers. Messages that a peer takes
//! too late or not at all are not scored either: they queue up for a node that was just killed, and it would be
//! punished for them after its restart. A restarted node has also forgotten which peers pruned it and until when, so
//! that it grafts too early once on every topic: this is free a few times.

use std::{collections::HashSet, time::Duration};

use libp2p::{
    PeerId,
    gossipsub::{
        self, IdentTopic, IdentityTransform, MaxCountSubscriptionFilter, MessageAuthenticity, MessageId,
        PeerScoreParams, PeerScoreThresholds, TopicHash, TopicScoreParams, TopicSubscriptionFilter,
        ValidationMode, score_parameter_decay,
    },
};
use nervure_primitives::Hash;
use nervure_protocol::{AskerClass, domains, names};

use crate::{AddressScope, NetworkConfig, TopicFamily};

/// Heartbeat of gossipsub: short where a mesh must form within a second, the protocol's default elsewhere.
const HEARTBEAT_INTERVAL_LOCAL: Duration = Duration::from_millis(300);
const HEARTBEAT_INTERVAL_PUBLIC: Duration = Duration::from_secs(1);

/// How long a peer that was pruned from a topic's mesh has to wait before it grafts again.
const PRUNE_BACKOFF_LOCAL: Duration = Duration::from_secs(10);
const PRUNE_BACKOFF_PUBLIC: Duration = Duration::from_secs(60);

/// Early grafts on one topic that are free within [`FAULT_DECAY_TIME`]: one for each restart of the peer.
const MAX_EARLY_GRAFTS_PER_TOPIC: usize = 3;

/// Other protocol faults that are free, such as announcing a message that has left the peer's cache since.
const MAX_FREE_SLIPS: usize = 6;

/// Messages that wait for one slow peer; more are dropped.
const MAX_QUEUED_MESSAGES: usize = 256;

/// Bytes that the protocol adds to a message, rounded up.
const OVERHEAD_BYTES: usize = 512;

/// How long a message's id is kept. The number of ids is bounded by what peers may send before they are
/// graylisted.
const DUPLICATE_CACHE_TIME: Duration = Duration::from_secs(60);

/// Messages, and control entries, that are accepted in one packet.
const MAX_MESSAGES_PER_PACKET: usize = 512;
const MAX_CONTROL_PER_PACKET: usize = 512;

/// Lower bound of the limit on subscriptions in one message: a node that follows few topics still receives the
/// subscriptions of peers that follow many.
const MIN_SUBSCRIPTION_LIMIT: usize = 64;

/// IHAVE messages accepted from a peer between two heartbeats.
const MAX_IHAVE_PER_HEARTBEAT: usize = 10;

/// The most that a peer gains over all topics.
const MAX_GAIN: f64 = 8.0;

/// The cost of the first rejected message; n of them cost n squared times as much.
const REJECTED_MESSAGE_WEIGHT: f64 = -10.0;

/// How long faults take to decay.
const FAULT_DECAY_TIME: Duration = Duration::from_secs(300);

/// Below this score no IHAVE or IWANT is exchanged with a peer.
const GOSSIP_THRESHOLD: f64 = -20.0;

/// Below this score nothing is published to a peer.
const PUBLISH_THRESHOLD: f64 = -50.0;

/// Below this score everything from a peer is ignored.
const GRAYLIST_THRESHOLD: f64 = -80.0;

/// Peers of one IP address above which all of them lose score. A few nodes behind one address are normal; a hundred
/// keys are not.
const MAX_PEERS_PER_ADDRESS: f64 = 8.0;

/// How long the faults of a disconnected peer are kept.
const SCORE_RETENTION: Duration = Duration::from_secs(600);

/// Gossipsub, restricted to the topics of the mesh.
pub(crate) type Gossip = gossipsub::Behaviour<IdentityTransform, MaxCountSubscriptionFilter<KnownTopics>>;

/// The topics that this node and its peers may follow.
pub(crate) struct KnownTopics {
    topics: HashSet<TopicHash>,
    families: Vec<TopicFamily>,
}

impl TopicSubscriptionFilter for KnownTopics {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        self.topics.contains(topic) || self.families.iter().any(|family| family.covers(topic.as_str()))
    }
}

/// Gossip for `config`, subscribed to nothing yet.
pub(crate) fn behaviour(config: &NetworkConfig) -> Result<Gossip, String> {
    let mut gossip = Gossip::new_with_subscription_filter(
        MessageAuthenticity::Anonymous,
        settings(config)?,
        filter(config),
    )?;
    gossip.with_peer_score(scores(config), thresholds())?;
    Ok(gossip)
}

/// How many topics there can be at once.
fn max_topics(config: &NetworkConfig) -> usize {
    config.families.iter().fold(config.topics.len(), |most, family| most.saturating_add(family.most))
}

/// Which subscriptions of a peer are accepted, and how many.
fn filter(config: &NetworkConfig) -> MaxCountSubscriptionFilter<KnownTopics> {
    let topics: HashSet<_> = config.topics.iter().map(|topic| IdentTopic::new(&topic.name).hash()).collect();
    let most = max_topics(config);
    MaxCountSubscriptionFilter {
        max_subscribed_topics: most,
        max_subscriptions_per_request: most.saturating_mul(2).max(MIN_SUBSCRIPTION_LIMIT),
        filter: KnownTopics { topics, families: config.families.clone() },
    }
}

fn settings(config: &NetworkConfig) -> Result<gossipsub::Config, String> {
    let families = config.families.iter().map(|family| &family.each);
    let longest = config.topics.iter().chain(families).map(|topic| topic.max_len).max().unwrap_or(0);
    let heartbeat = match config.scope {
        AddressScope::Local => HEARTBEAT_INTERVAL_LOCAL,
        AddressScope::Public => HEARTBEAT_INTERVAL_PUBLIC,
    };
    let away = match config.scope {
        AddressScope::Local => PRUNE_BACKOFF_LOCAL,
        AddressScope::Public => PRUNE_BACKOFF_PUBLIC,
    };
    let mut builder = gossipsub::ConfigBuilder::default();
    for topic in &config.topics {
        builder
            .max_transmit_size_for_topic(topic.max_len + OVERHEAD_BYTES, IdentTopic::new(&topic.name).hash());
    }
    builder
        .heartbeat_interval(heartbeat)
        // A third of an interval: nodes that start at the same time must not wait a whole one for their first
        // mesh.
        .heartbeat_initial_delay(heartbeat / 3)
        .prune_backoff(away)
        // Zero: a graft right after a prune costs one penalty, not two. A restarted node sends such grafts
        // without fault.
        .graft_flood_threshold(Duration::ZERO)
        .validation_mode(ValidationMode::Anonymous)
        // Without this, gossipsub forwards a message before the node has given its verdict.
        .validate_messages()
        .max_transmit_size(longest + OVERHEAD_BYTES)
        .connection_handler_queue_len(MAX_QUEUED_MESSAGES)
        .duplicate_cache_time(DUPLICATE_CACHE_TIME)
        .max_publish_messages(MAX_MESSAGES_PER_PACKET)
        .max_control_messages_sent(MAX_CONTROL_PER_PACKET)
        .max_ihave_messages_heartbeat(MAX_IHAVE_PER_HEARTBEAT)
        // A peer that announces a message and does not send it keeps others from being asked for it until then.
        .iwant_followup_time(heartbeat)
        // Own messages go to all peers of the topic above the publish threshold, not to the mesh alone:
        // hostile mesh peers cannot hold them back.
        .flood_publish(true)
        .protocol_id_prefix(names::gossip(&config.mesh))
        .message_id_fn(|message| {
            let topic = message.topic.as_str().as_bytes();
            MessageId::from(Hash::of(domains::GOSSIP_MESSAGE, &[topic, &message.data]).as_bytes().to_vec())
        })
        .build()
        .map_err(|error| error.to_string())
}

fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: GOSSIP_THRESHOLD,
        publish_threshold: PUBLISH_THRESHOLD,
        graylist_threshold: GRAYLIST_THRESHOLD,
        // The highest possible score: through peer exchange a peer names the nodes that this one dials.
        accept_px_threshold: MAX_GAIN + MAX_CLASS_SCORE,
        opportunistic_graft_threshold: MAX_GAIN / 8.0,
    }
}

fn scores(config: &NetworkConfig) -> PeerScoreParams {
    let share = share(config.topics.len());
    // A restarted node has forgotten its prune backoff on every topic, also on topics that were added since.
    let slips =
        u32::try_from(max_topics(config) * MAX_EARLY_GRAFTS_PER_TOPIC + MAX_FREE_SLIPS).unwrap_or(u32::MAX);
    let topic = |name: &str| (IdentTopic::new(name).hash(), topic_scores(share));
    PeerScoreParams {
        topics: config.topics.iter().map(|spec| topic(&spec.name)).collect(),
        // Zero is no cap in gossipsub.
        topic_score_cap: 0.0,
        // The application score is that of the class less the excess, so that a message beyond the rate costs one point.
        app_specific_weight: 1.0,
        // Times the square of the peers above the threshold. In a local mesh all nodes share one address.
        ip_colocation_factor_weight: if config.scope == AddressScope::Public { -5.0 } else { 0.0 },
        ip_colocation_factor_threshold: MAX_PEERS_PER_ADDRESS,
        // Times the square of the penalties above the threshold, as gossipsub 1.1 defines P7.
        behaviour_penalty_weight: -10.0,
        behaviour_penalty_threshold: f64::from(slips),
        behaviour_penalty_decay: score_parameter_decay(FAULT_DECAY_TIME),
        // Not scored: a full queue to a node that was just killed is no fault of that node.
        slow_peer_weight: 0.0,
        retain_score: SCORE_RETENTION,
        ..PeerScoreParams::default()
    }
}

/// The most that a peer gains on one of so many topics.
fn share(topics: usize) -> f64 {
    MAX_GAIN / f64::from(u32::try_from(topics.max(1)).unwrap_or(u32::MAX))
}

/// Divides [`MAX_GAIN`] among `topics`, after topics were added or removed.
pub(crate) fn share_among(
    gossip: &mut Gossip,
    topics: &[String],
    gone: &[String],
) -> Result<(), &'static str> {
    let share = share(topics.len());
    for topic in topics {
        gossip.set_topic_params(IdentTopic::new(topic), topic_scores(share))?;
    }
    // Gains on a removed topic would come on top of the others. Its faults stay.
    gone.iter().try_for_each(|topic| gossip.set_topic_params(IdentTopic::new(topic), topic_scores(0.0)))
}

/// The score parameters of one topic, at most `share`: a quarter for time in the mesh, the rest for first deliveries.
fn topic_scores(share: f64) -> TopicScoreParams {
    // Seconds in the mesh, and first deliveries, at which a peer has the whole gain. The weights divide by
    // them, so that the two parts together are at most `share`.
    let (longest, most) = (60.0, 20.0);
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: share / 4.0 / longest,
        time_in_mesh_quantum: Duration::from_secs(1),
        time_in_mesh_cap: longest,
        first_message_deliveries_weight: share * 0.75 / most,
        first_message_deliveries_decay: score_parameter_decay(FAULT_DECAY_TIME),
        first_message_deliveries_cap: most,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: REJECTED_MESSAGE_WEIGHT,
        invalid_message_deliveries_decay: score_parameter_decay(FAULT_DECAY_TIME),
        ..TopicScoreParams::default()
    }
}

/// The part of a peer's score that this node gives it: for its class, less the messages that it sent beyond its rate. Each
/// of these takes one off, and they decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Standing {
    class: AskerClass,
    excess: f64,
}

/// What a class adds to a score. A stranger is below zero: it is in no mesh, whatever it grafts, and it takes no place
/// there from others; it still hears of messages and gets those that it wants. The others get little more than nothing:
/// with [`MAX_GAIN`] less than one rejected message costs. It decides whom a full mesh keeps.
const fn class_score(class: AskerClass) -> f64 {
    match class {
        AskerClass::Stranger => -5.0,
        AskerClass::Registered => 0.0,
        AskerClass::Staked => 0.5,
        AskerClass::Validator => MAX_CLASS_SCORE,
    }
}

/// The highest of them.
const MAX_CLASS_SCORE: f64 = 1.0;

/// The part of the excess that is left after a second.
const EXCESS_DECAY: f64 = 0.9;

/// A smaller excess is set to zero.
const MIN_EXCESS: f64 = 0.5;

impl Standing {
    /// Of a peer that has just connected. [`Standing::set`] makes it count.
    pub(crate) const fn new(class: AskerClass) -> Self {
        Self { class, excess: 0.0 }
    }

    /// Sets the class, and updates the peer's score in `gossip`.
    pub(crate) fn set(&mut self, class: AskerClass, gossip: &mut Gossip, peer: &PeerId) {
        self.class = class;
        self.apply(gossip, peer);
    }

    /// Counts a message beyond the rate, and updates the peer's score in `gossip`.
    pub(crate) fn exceed(&mut self, gossip: &mut Gossip, peer: &PeerId) {
        self.excess += 1.0;
        self.apply(gossip, peer);
    }

    /// Decays the excess by one second.
    pub(crate) fn fade(&mut self, gossip: &mut Gossip, peer: &PeerId) {
        if self.excess > 0.0 {
            // The factor alone never reaches zero: a peer without gains would stay below zero, out of the
            // mesh.
            self.excess = if self.excess < MIN_EXCESS { 0.0 } else { self.excess * EXCESS_DECAY };
            self.apply(gossip, peer);
        }
    }

    fn apply(self, gossip: &mut Gossip, peer: &PeerId) {
        gossip.set_application_score(peer, class_score(self.class) - self.excess);
    }
}

#[cfg(test)]
mod tests;
