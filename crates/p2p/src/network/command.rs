//! What travels between the task and those who hold its handle.

use std::collections::BTreeSet;

use libp2p::{PeerId, gossipsub::MessageId};
use nervure_primitives::{Hash, NodeId};
use tokio::sync::{mpsc, oneshot};

use super::handle::{NetworkStatus, PeerInfo};
use crate::RequestError;

/// A request to the task.
pub(super) enum Command {
    Publish { topic: String, data: Vec<u8>, reply: oneshot::Sender<Result<(), PublishError>> },
    Follow { family: String, numbers: BTreeSet<u16>, reply: oneshot::Sender<Result<(), FollowError>> },
    Closest { key: Hash, reply: oneshot::Sender<Vec<NodeId>> },
    Ask(Ask),
    Peers { reply: oneshot::Sender<Vec<PeerInfo>> },
    Status { reply: oneshot::Sender<NetworkStatus> },
}

/// A request on its way to another node.
pub(super) struct Ask {
    pub(super) peer: PeerId,
    /// Index of the protocol among the configured ones.
    pub(super) protocol: usize,
    pub(super) data: Vec<u8>,
    pub(super) reply: oneshot::Sender<Result<Vec<u8>, RequestError>>,
}

/// A verdict on its way back to the task.
pub(super) struct Judged {
    pub(super) id: MessageId,
    pub(super) from: PeerId,
    pub(super) verdict: Verdict,
}

/// The network has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the network has stopped")]
pub struct Stopped;

/// Why nothing was published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Nobody that follows the topic is connected.
    #[error("nobody who follows the topic is connected yet")]
    Nobody,
    /// Not one of the configured topics, or too long for it.
    #[error("the message does not fit the topic: {0}")]
    Refused(String),
    /// The network has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why topics are not followed. Those that were followed before still are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// Not one of the configured families.
    #[error("there is no family of topics {0}")]
    NoFamily(String),
    /// More than the family may have.
    #[error("{asked} topics, of which at most {most} may be followed at once")]
    TooMany {
        /// How many were asked for.
        asked: usize,
        /// How many there may be.
        most: usize,
    },
    /// Gossip refuses.
    #[error("the topic is refused: {0}")]
    Refused(String),
    /// The network has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What a receiver of gossip thinks of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good: forward it.
    Accept,
    /// Not useful, nobody's fault: do not forward it.
    Ignore,
    /// Wrong: do not forward it, and remember who sent it.
    Reject,
}

/// A gossip message that waits for its verdict. Dropped without one, it is ignored.
#[derive(Debug)]
pub struct GossipMessage {
    /// Its topic.
    pub topic: String,
    /// Which peer it came from; not who wrote it.
    pub from: PeerId,
    /// Its content.
    pub data: Vec<u8>,
    pub(super) id: MessageId,
    pub(super) verdicts: mpsc::Sender<Judged>,
}

impl GossipMessage {
    /// Gives the verdict. Nothing is forwarded before it.
    pub async fn judge(self, verdict: Verdict) {
        // A stopped network forwards nothing anyway.
        let _ = self.verdicts.send(Judged { id: self.id, from: self.from, verdict }).await;
    }
}
