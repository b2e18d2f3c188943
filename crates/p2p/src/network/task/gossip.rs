//! Publishes and receives gossip. A received message is checked against its bounds before the node sees it, and is
//! forwarded only after its verdict.

use std::{collections::BTreeSet, time::Instant};

use libp2p::{
    PeerId,
    gossipsub::{self, IdentTopic, MessageAcceptance, MessageId},
};
use nervure_protocol::AskerClass;
use tokio::sync::mpsc;

use super::{Task, topics::TopicChange};
use crate::{
    gossip::share_among,
    network::command::{FollowError, GossipMessage, GossipVerdict, PublishError, Verdict},
    rate::Rates,
};

/// Verdicts that wait for the task; when the queue is full, the caller waits.
const MAX_QUEUED_VERDICTS: usize = 1024;

/// The state of gossip in flight.
pub(super) struct Gossip {
    receiver: mpsc::Sender<GossipMessage>,
    verdicts: mpsc::Sender<GossipVerdict>,
    pub(super) judged: mpsc::Receiver<GossipVerdict>,
    /// By peer and topic.
    rates: Rates<(PeerId, u64)>,
}

impl Gossip {
    pub(super) fn new(receiver: mpsc::Sender<GossipMessage>) -> Self {
        let (verdicts, judged) = mpsc::channel(MAX_QUEUED_VERDICTS);
        Self { receiver, verdicts, judged, rates: Rates::new() }
    }
}

/// The result of the checks before a message is handed in for its verdict.
enum Fate {
    HandedIn,
    Rejected,
    /// A later version of the protocol may know its topic: no fault of the sender.
    UnknownTopic,
    RateLimited,
    Dropped,
}

impl Task {
    pub(super) fn publish(&mut self, topic: &str, data: Vec<u8>) -> Result<(), PublishError> {
        let Some(spec) = self.topics.get(topic).map(|topic| &topic.spec) else {
            return Err(PublishError::Refused(format!("topic {topic} is not followed")));
        };
        if data.len() > spec.max_len {
            return Err(PublishError::Refused(format!("{} bytes, at most {}", data.len(), spec.max_len)));
        }
        match self.swarm.behaviour_mut().gossip.publish(IdentTopic::new(topic), data) {
            // A duplicate is known to the mesh already: the caller has what it wants.
            Ok(_) | Err(gossipsub::PublishError::Duplicate) => Ok(()),
            Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => Err(PublishError::NoSubscribers),
            Err(error) => Err(PublishError::Refused(error.to_string())),
        }
    }

    /// Follows these members of a family of topics, and no others of it.
    pub(super) fn follow(&mut self, family: &str, numbers: &BTreeSet<u16>) -> Result<(), FollowError> {
        let TopicChange { added, removed } = self.topics.set(family, numbers)?;
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        for topic in &removed {
            gossip.unsubscribe(&IdentTopic::new(topic));
        }
        for topic in &added {
            let subscribed = gossip.subscribe(&IdentTopic::new(topic));
            subscribed.map_err(|error| FollowError::Refused(error.to_string()))?;
        }
        if added.is_empty() && removed.is_empty() {
            return Ok(());
        }
        // The shares depend on the number of topics: their sum must stay the maximum gain.
        share_among(gossip, &self.topics.names(), &removed)
            .map_err(|error| FollowError::Refused(error.to_owned()))
    }

    pub(super) fn judge(&mut self, judged: GossipVerdict) {
        let acceptance = match judged.verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => {
                self.metrics.gossip_rejected.inc();
                MessageAcceptance::Reject
            }
        };
        self.report(&judged.id, &judged.from, acceptance);
    }

    fn report(&mut self, id: &MessageId, from: &PeerId, acceptance: MessageAcceptance) {
        self.swarm.behaviour_mut().gossip.report_message_validation_result(id, from, acceptance);
    }

    /// Accepts gossip from a registered peer, and ignores it from a stranger. A stranger's message is dropped before it
    /// counts as seen: otherwise it could send a message first, and the copies of registered peers would be duplicates. The
    /// blacklist does not refuse its grafts; its score does.
    pub(super) fn set_gossip_access(&mut self, id: &PeerId, registered: bool, class: AskerClass) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        if registered {
            gossip.remove_blacklisted_peer(id)
        } else {
            gossip.blacklist_peer(id)
        }
        if let Some(peer) = self.peers.get_mut(id) {
            peer.standing.set(class, gossip, id);
        }
    }

    pub(super) fn gossip_event(&mut self, event: gossipsub::Event) {
        let gossipsub::Event::Message { propagation_source: from, message_id: id, message } = event else {
            return;
        };
        let acceptance = match self.hand_in(from, &id, message) {
            Fate::HandedIn => {
                self.metrics.gossip_received.inc();
                return;
            }
            Fate::Rejected => {
                self.metrics.gossip_rejected.inc();
                MessageAcceptance::Reject
            }
            Fate::UnknownTopic => {
                self.metrics.gossip_unknown_topic.inc();
                MessageAcceptance::Ignore
            }
            Fate::RateLimited => {
                self.metrics.gossip_rate_limited.inc();
                MessageAcceptance::Ignore
            }
            Fate::Dropped => {
                self.metrics.gossip_dropped.inc();
                MessageAcceptance::Ignore
            }
        };
        self.report(&id, &from, acceptance);
    }

    fn hand_in(&mut self, from: PeerId, id: &MessageId, message: gossipsub::Message) -> Fate {
        let topic = message.topic.into_string();
        let Some(known) = self.topics.get(&topic) else {
            // A member of a family may have been unfollowed just now, which the sender cannot know yet.
            return if self.topics.is_family_member(&topic) { Fate::Dropped } else { Fate::UnknownTopic };
        };
        let (spec, number) = (&known.spec, known.number);
        if message.data.len() > spec.max_len {
            return Fate::Rejected;
        }
        // After the topic is known: a metric per unknown topic would let a peer fill memory with names.
        self.metrics.message(&topic, message.data.len());
        // By the peer that forwards it, not by the author, which has no identity in gossipsub here.
        if !self.gossip.rates.take((from, number), spec.per_peer_per_second, Instant::now()) {
            if let Some(peer) = self.peers.get_mut(&from) {
                peer.standing.exceed(&mut self.swarm.behaviour_mut().gossip, &from);
            }
            return Fate::RateLimited;
        }
        let verdicts = self.gossip.verdicts.clone();
        let message = GossipMessage { topic, from, data: message.data, id: id.clone(), verdicts };
        // Never waits: a slow receiver must not stop the swarm. A dropped message is ignored, which is no
        // fault of the peer.
        if self.gossip.receiver.try_send(message).is_ok() { Fate::HandedIn } else { Fate::Dropped }
    }
}
