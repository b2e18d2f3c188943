//! Gossip out, and gossip in: bounded before anybody looks at it, judged before it goes on.

use std::{collections::BTreeSet, time::Instant};

use libp2p::{
    PeerId,
    gossipsub::{self, IdentTopic, MessageAcceptance, MessageId},
};
use tokio::sync::mpsc;

use super::{Task, topics::Change};
use crate::{
    gossip::share_among,
    network::command::{FollowError, GossipMessage, Judged, PublishError, Verdict},
    rate::Rates,
};

/// Verdicts that wait for the task; whoever gives more waits.
const VERDICTS: usize = 1024;

/// The state of gossip in flight.
pub(super) struct Gossip {
    receiver: mpsc::Sender<GossipMessage>,
    verdicts: mpsc::Sender<Judged>,
    pub(super) judged: mpsc::Receiver<Judged>,
    /// By peer and topic.
    rates: Rates<(PeerId, u64)>,
}

impl Gossip {
    pub(super) fn new(receiver: mpsc::Sender<GossipMessage>) -> Self {
        let (verdicts, judged) = mpsc::channel(VERDICTS);
        Self { receiver, verdicts, judged, rates: Rates::new() }
    }
}

/// What becomes of a message before anybody judges it.
enum Fate {
    HandedIn,
    Rejected,
    RateLimited,
    Dropped,
}

impl Task {
    pub(super) fn publish(&mut self, topic: &str, data: Vec<u8>) -> Result<(), PublishError> {
        let Some(spec) = self.topics.get(topic).map(|topic| &topic.spec) else {
            return Err(PublishError::Refused(format!("there is no topic {topic}")));
        };
        if data.len() > spec.max_len {
            return Err(PublishError::Refused(format!("{} bytes, at most {}", data.len(), spec.max_len)));
        }
        match self.swarm.behaviour_mut().gossip.publish(IdentTopic::new(topic), data) {
            Ok(_) | Err(gossipsub::PublishError::Duplicate) => Ok(()),
            Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => Err(PublishError::Nobody),
            Err(error) => Err(PublishError::Refused(error.to_string())),
        }
    }

    /// Follows these members of a family of topics, and no others of it.
    pub(super) fn follow(&mut self, family: &str, numbers: &BTreeSet<u16>) -> Result<(), FollowError> {
        let Change { come, gone } = self.topics.set(family, numbers)?;
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        for topic in &gone {
            gossip.unsubscribe(&IdentTopic::new(topic));
        }
        for topic in &come {
            let subscribed = gossip.subscribe(&IdentTopic::new(topic));
            subscribed.map_err(|error| FollowError::Refused(error.to_string()))?;
        }
        if come.is_empty() && gone.is_empty() {
            return Ok(());
        }
        share_among(gossip, &self.topics.names(), &gone)
            .map_err(|error| FollowError::Refused(error.to_owned()))
    }

    pub(super) fn judge(&mut self, judged: Judged) {
        let acceptance = match judged.verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => {
                self.status.gossip_rejected += 1;
                MessageAcceptance::Reject
            }
        };
        self.report(&judged.id, &judged.from, acceptance);
    }

    fn report(&mut self, id: &MessageId, from: &PeerId, acceptance: MessageAcceptance) {
        self.swarm.behaviour_mut().gossip.report_message_validation_result(id, from, acceptance);
    }

    /// Listens to `peer`, or no more. What a stranger sends is thrown away before it counts as seen: otherwise it
    /// could bring a message first and have it refused for everybody who brings it after.
    pub(super) fn hear(&mut self, peer: &PeerId, registered: bool) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        if registered { gossip.remove_blacklisted_peer(peer) } else { gossip.blacklist_peer(peer) }
    }

    pub(super) fn gossip_event(&mut self, event: gossipsub::Event) {
        let gossipsub::Event::Message { propagation_source: from, message_id: id, message } = event else {
            return;
        };
        let acceptance = match self.hand_in(from, &id, message) {
            Fate::HandedIn => {
                self.status.gossip_received += 1;
                return;
            }
            Fate::Rejected => {
                self.status.gossip_rejected += 1;
                MessageAcceptance::Reject
            }
            Fate::RateLimited => {
                self.status.gossip_rate_limited += 1;
                MessageAcceptance::Ignore
            }
            Fate::Dropped => {
                self.status.gossip_dropped += 1;
                MessageAcceptance::Ignore
            }
        };
        self.report(&id, &from, acceptance);
    }

    fn hand_in(&mut self, from: PeerId, id: &MessageId, message: gossipsub::Message) -> Fate {
        let topic = message.topic.into_string();
        let Some(known) = self.topics.get(&topic) else {
            // Of a topic that went a moment ago, which the sender may not know.
            return if self.topics.may_come(&topic) { Fate::Dropped } else { Fate::Rejected };
        };
        let (spec, number) = (&known.spec, known.number);
        if message.data.len() > spec.max_len {
            return Fate::Rejected;
        }
        if !self.gossip.rates.take((from, number), spec.per_peer_per_second, Instant::now()) {
            if let Some(peer) = self.peers.get_mut(&from) {
                peer.excess.add(&mut self.swarm.behaviour_mut().gossip, &from);
            }
            return Fate::RateLimited;
        }
        let verdicts = self.gossip.verdicts.clone();
        let message = GossipMessage { topic, from, data: message.data, id: id.clone(), verdicts };
        if self.gossip.receiver.try_send(message).is_ok() { Fate::HandedIn } else { Fate::Dropped }
    }
}
