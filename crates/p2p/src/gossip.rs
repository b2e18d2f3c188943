//! How gossip is set up, and what it holds against peers.
//!
//! # Design
//! Messages carry no signature of gossip's own: what is signed is in them, and is verified once, by whoever judges
//! them. Their id is the hash of topic and content, so that a copy is recognised whoever sends it. Nothing is
//! forwarded before the verdict. Only the configured topics exist, and those of the configured families: that a peer follows
//! one of these is remembered even where this node does not yet, because a peer says so once.
//!
//! # Scores
//! A peer's score is what it gained on its topics, less its faults. All topics together give at most
//! [`MOST_GAINED`], by construction and not by a cap, because a cap over the sum would hide faults behind gains.
//! One rejected message costs more than that, and the cost grows with the square of their number. So: who misbehaves
//! on one topic is below zero (out of the mesh) whatever it does elsewhere; more misbehaviour is strictly worse; who
//! never misbehaves is never below zero. The third rejected message puts a peer below [`GRAYLIST`],
//! where nothing is heard from it any more. The faults are forgotten over [`FORGIVEN`].
//!
//! The number of deliveries is not scored: on quiet topics it punishes the honest. Neither are messages that a peer
//! takes too late or not at all: they wait for whoever was killed a moment ago, and it would pay for them when it is
//! back. A process that was killed has also forgotten who sent it away from a topic and until when, so that it asks
//! once too early on every topic: that is free, a few times.

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
use nervure_protocol::{domains, names};

use crate::{NetworkConfig, Scope, TopicFamily};

/// Heartbeat of gossip: short where a mesh must form within a second, the protocol's own elsewhere.
const HEARTBEAT_LOCAL: Duration = Duration::from_millis(300);
const HEARTBEAT_PUBLIC: Duration = Duration::from_secs(1);

/// How long a peer that was sent away from a topic's mesh stays away.
const AWAY_LOCAL: Duration = Duration::from_secs(10);
const AWAY_PUBLIC: Duration = Duration::from_secs(60);

/// Times within [`FORGIVEN`] that a peer may have forgotten that it was sent away, of all topics at once.
const FORGETS: usize = 3;

/// Other slips of a peer's protocol that are free, such as announcing what it then has no more.
const SLIPS: usize = 6;

/// Messages that wait for one slow peer.
const QUEUE: usize = 256;

/// Bytes that the protocol adds to a message, rounded up.
const OVERHEAD: usize = 512;

/// How long a message's id is remembered. The number of ids is bounded by what peers may send before they are
/// graylisted.
const DUPLICATES: Duration = Duration::from_secs(60);

/// Messages of one packet, and of control entries in it, that are taken from a peer.
const MESSAGES_PER_PACKET: usize = 512;
const CONTROL_PER_PACKET: usize = 512;

/// Topics that a peer may name at once, at least: a node that follows few topics hears of all that others follow.
const SUBSCRIPTIONS: usize = 64;

/// Announcements of messages (IHAVE) taken from a peer between two heartbeats.
const ANNOUNCEMENTS: usize = 10;

/// Most that a peer gains by behaving, over all topics.
const MOST_GAINED: f64 = 8.0;

/// What the first rejected message costs; the n-th makes it n times n times as much.
const REJECTED: f64 = -10.0;

/// Until rejected messages are forgotten.
const FORGIVEN: Duration = Duration::from_secs(300);

/// Below this no gossip is sent to a peer or asked of it.
const NO_GOSSIP: f64 = -20.0;

/// Below this nothing is published to a peer.
const NO_PUBLISH: f64 = -50.0;

/// Below this nothing is heard from a peer.
const GRAYLIST: f64 = -80.0;

/// Peers of one IP address above which each costs all of them. A network behind one address is usual; a hundred keys
/// there are not.
const PER_ADDRESS: f64 = 8.0;

/// How long the faults of a peer that has gone are kept.
const RETAINED: Duration = Duration::from_secs(600);

/// Gossip over the topics of the mesh and no other.
pub(crate) type Gossip = gossipsub::Behaviour<IdentityTransform, MaxCountSubscriptionFilter<Known>>;

/// The topics that may be followed, by this node and by its peers.
pub(crate) struct Known {
    topics: HashSet<TopicHash>,
    families: Vec<TopicFamily>,
}

impl TopicSubscriptionFilter for Known {
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
fn most_topics(config: &NetworkConfig) -> usize {
    config.families.iter().fold(config.topics.len(), |most, family| most.saturating_add(family.most))
}

/// Whose subscriptions are taken, and how many of one peer.
fn filter(config: &NetworkConfig) -> MaxCountSubscriptionFilter<Known> {
    let topics: HashSet<_> = config.topics.iter().map(|topic| IdentTopic::new(&topic.name).hash()).collect();
    let most = most_topics(config);
    MaxCountSubscriptionFilter {
        max_subscribed_topics: most,
        max_subscriptions_per_request: most.saturating_mul(2).max(SUBSCRIPTIONS),
        filter: Known { topics, families: config.families.clone() },
    }
}

fn settings(config: &NetworkConfig) -> Result<gossipsub::Config, String> {
    let families = config.families.iter().map(|family| &family.each);
    let longest = config.topics.iter().chain(families).map(|topic| topic.max_len).max().unwrap_or(0);
    let heartbeat = match config.scope {
        Scope::Local => HEARTBEAT_LOCAL,
        Scope::Public => HEARTBEAT_PUBLIC,
    };
    let away = match config.scope {
        Scope::Local => AWAY_LOCAL,
        Scope::Public => AWAY_PUBLIC,
    };
    let mut builder = gossipsub::ConfigBuilder::default();
    for topic in &config.topics {
        builder.max_transmit_size_for_topic(topic.max_len + OVERHEAD, IdentTopic::new(&topic.name).hash());
    }
    builder
        .heartbeat_interval(heartbeat)
        .heartbeat_initial_delay(heartbeat / 3)
        .prune_backoff(away)
        .graft_flood_threshold(Duration::ZERO)
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .max_transmit_size(longest + OVERHEAD)
        .connection_handler_queue_len(QUEUE)
        .duplicate_cache_time(DUPLICATES)
        .max_publish_messages(MESSAGES_PER_PACKET)
        .max_control_messages_sent(CONTROL_PER_PACKET)
        .max_ihave_messages_heartbeat(ANNOUNCEMENTS)
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
        gossip_threshold: NO_GOSSIP,
        publish_threshold: NO_PUBLISH,
        graylist_threshold: GRAYLIST,
        accept_px_threshold: MOST_GAINED,
        opportunistic_graft_threshold: MOST_GAINED / 8.0,
    }
}

fn scores(config: &NetworkConfig) -> PeerScoreParams {
    let share = share(config.topics.len());
    // A node that was killed forgets that of every topic, of those too that came since.
    let slips = u32::try_from(most_topics(config) * FORGETS + SLIPS).unwrap_or(u32::MAX);
    let topic = |name: &str| (IdentTopic::new(name).hash(), topic_scores(share));
    PeerScoreParams {
        topics: config.topics.iter().map(|spec| topic(&spec.name)).collect(),
        topic_score_cap: 0.0,
        app_specific_weight: 1.0,
        ip_colocation_factor_weight: if config.scope == Scope::Public { -5.0 } else { 0.0 },
        ip_colocation_factor_threshold: PER_ADDRESS,
        behaviour_penalty_weight: -10.0,
        behaviour_penalty_threshold: f64::from(slips),
        behaviour_penalty_decay: score_parameter_decay(FORGIVEN),
        slow_peer_weight: 0.0,
        retain_score: RETAINED,
        ..PeerScoreParams::default()
    }
}

/// What each of so many topics gives at most.
fn share(topics: usize) -> f64 {
    MOST_GAINED / f64::from(u32::try_from(topics.max(1)).unwrap_or(u32::MAX))
}

/// Has these topics, and no other, give what all topics together may give: for when some came or went.
pub(crate) fn share_among(
    gossip: &mut Gossip,
    topics: &[String],
    gone: &[String],
) -> Result<(), &'static str> {
    let share = share(topics.len());
    for topic in topics {
        gossip.set_topic_params(IdentTopic::new(topic), topic_scores(share))?;
    }
    // What a peer gained there would come on top of the others; its faults are not forgotten.
    gone.iter().try_for_each(|topic| gossip.set_topic_params(IdentTopic::new(topic), topic_scores(0.0)))
}

/// What one topic gives, at most `share`: a quarter for staying, the rest for bringing messages first.
fn topic_scores(share: f64) -> TopicScoreParams {
    let (longest, most) = (60.0, 20.0);
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: share / 4.0 / longest,
        time_in_mesh_quantum: Duration::from_secs(1),
        time_in_mesh_cap: longest,
        first_message_deliveries_weight: share * 0.75 / most,
        first_message_deliveries_decay: score_parameter_decay(FORGIVEN),
        first_message_deliveries_cap: most,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: REJECTED,
        invalid_message_deliveries_decay: score_parameter_decay(FORGIVEN),
        ..TopicScoreParams::default()
    }
}

/// What a peer sent beyond its rate, fading. One message too many takes one off its score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Excess(f64);

/// What is left of the excess after a second.
const FADES_TO: f64 = 0.9;

/// Less than this is forgotten.
const NEGLIGIBLE: f64 = 0.5;

impl Excess {
    /// Counts a message, and tells `gossip`.
    pub(crate) fn add(&mut self, gossip: &mut Gossip, peer: &PeerId) {
        self.0 += 1.0;
        gossip.set_application_score(peer, -self.0);
    }

    /// A second passes.
    pub(crate) fn fade(&mut self, gossip: &mut Gossip, peer: &PeerId) {
        if self.0 > 0.0 {
            self.0 = if self.0 < NEGLIGIBLE { 0.0 } else { self.0 * FADES_TO };
            gossip.set_application_score(peer, -self.0);
        }
    }
}

#[cfg(test)]
mod tests;
