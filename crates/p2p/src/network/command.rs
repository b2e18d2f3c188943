//! Messages between the task and the holders of its handle.

use std::collections::BTreeSet;

use libp2p::{Multiaddr, PeerId, gossipsub::MessageId};
use nervure_primitives::{Hash, NodeId};
use tokio::sync::{mpsc, oneshot};

use super::{
    handle::{NetworkStatus, PeerInfo},
    streams::StreamError,
};
use crate::{RequestError, circuit_limits::CircuitLimits, roads::Road};

/// A request to the task.
pub(super) enum Command {
    Publish { topic: String, data: Vec<u8>, reply: oneshot::Sender<Result<(), PublishError>> },
    Follow { family: String, numbers: BTreeSet<u16>, reply: oneshot::Sender<Result<(), FollowError>> },
    Closest { key: Hash, reply: oneshot::Sender<Vec<NodeId>> },
    Request(OutboundRequest),
    Reach { to: Destination, reply: WayReply },
    Peers { reply: oneshot::Sender<Vec<PeerInfo>> },
    Status { reply: oneshot::Sender<NetworkStatus> },
}

/// A node to reach.
pub(super) struct Destination {
    pub(super) peer: PeerId,
    /// The relays that it names; without them, those at hand are tried.
    pub(super) relays: Vec<PeerId>,
    /// Its addresses, beside those that are known.
    pub(super) addresses: Vec<Multiaddr>,
}

/// How a node is reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) road: Road,
    /// Those of the relay, on a relayed road.
    pub(super) limits: CircuitLimits,
}

/// Receives the way to a node.
pub(super) type WayReply = oneshot::Sender<Result<Way, StreamError>>;

/// A request to another node.
pub(super) struct OutboundRequest {
    pub(super) peer: PeerId,
    /// Index of the protocol among the configured ones.
    pub(super) protocol: usize,
    pub(super) data: Vec<u8>,
    pub(super) reply: oneshot::Sender<Result<Vec<u8>, RequestError>>,
}

/// A verdict that the receiver of a message reports to the task.
pub(super) struct GossipVerdict {
    pub(super) id: MessageId,
    pub(super) from: PeerId,
    pub(super) verdict: Verdict,
}

/// The network has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the network has stopped")]
pub struct Stopped;

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// No connected peer follows the topic.
    #[error("no connected peer follows the topic yet")]
    NoSubscribers,
    /// The topic is not followed, or the message is too long for it.
    #[error("the message does not fit the topic: {0}")]
    Refused(String),
    /// The network has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why topics are not followed. The topics followed before stay followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// Not one of the configured families.
    #[error("topic family {0} is not configured")]
    NoFamily(String),
    /// More topics than the family's limit.
    #[error("{asked} topics requested, at most {most} may be followed at once")]
    TooMany {
        /// How many were requested.
        asked: usize,
        /// How many are allowed.
        most: usize,
    },
    /// Gossipsub refuses the topic.
    #[error("the topic is refused: {0}")]
    Refused(String),
    /// The network has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A receiver's verdict on a gossip message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Valid: forward it.
    Accept,
    /// Not useful, but not a fault of the sender: do not forward it.
    Ignore,
    /// Invalid: do not forward it, and lower the score of the peer that sent it.
    Reject,
}

/// A gossip message that waits for its verdict. One that is dropped without a verdict is not forwarded.
#[derive(Debug)]
pub struct GossipMessage {
    /// Its topic.
    pub topic: String,
    /// The peer that forwarded it; not its author.
    pub from: PeerId,
    /// Its content.
    pub data: Vec<u8>,
    pub(super) id: MessageId,
    pub(super) verdicts: mpsc::Sender<GossipVerdict>,
}

impl GossipMessage {
    /// Gives the verdict. Nothing is forwarded before it.
    pub async fn judge(self, verdict: Verdict) {
        // Fails only when the network has stopped, and then nothing is forwarded.
        let _ = self.verdicts.send(GossipVerdict { id: self.id, from: self.from, verdict }).await;
    }
}
