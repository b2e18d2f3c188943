//! Gossip out, and gossip in: bounded before anybody looks at it, judged before it goes on.

use std::time::Instant;

use libp2p::{
    PeerId,
    gossipsub::{self, IdentTopic, MessageAcceptance, MessageId},
};
use tokio::sync::mpsc;

use super::Task;
use crate::{
    network::command::{GossipMessage, Judged, PublishError, Verdict},
    rate::Rates,
};

/// Verdicts that wait for the task; whoever gives more waits.
const VERDICTS: usize = 1024;

/// The state of gossip in flight.
pub(super) struct Gossip {
    receiver: mpsc::Sender<GossipMessage>,
    verdicts: mpsc::Sender<Judged>,
    pub(super) judged: mpsc::Receiver<Judged>,
    /// By peer, and by topic as an index among the configured ones.
    rates: Rates<(PeerId, usize)>,
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
        let Some(spec) = self.config.topics.iter().find(|spec| spec.name == topic) else {
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
        let Some(index) = self.config.topics.iter().position(|spec| spec.name == topic) else {
            return Fate::Rejected;
        };
        let spec = &self.config.topics[index];
        if message.data.len() > spec.max_len {
            return Fate::Rejected;
        }
        if !self.gossip.rates.take((from, index), spec.per_peer_per_second, Instant::now()) {
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
