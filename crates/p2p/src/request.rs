//! A question to one node over the control plane, and its answer: small, rare, bounded on both sides.
//!
//! # Design
//! All request protocols of a mesh share one wire protocol; a request names the one that it means. The
//! [`codec`] knows every protocol's bounds and refuses before it reads. An answer is the data, or one of the
//! refusals that [`RequestError`] tells apart.
//!
//! # What a hostile peer can do
//! * *Announce much and send little*: nothing is allocated before it arrives, and the stream has a deadline.
//! * *Send much*: requests that wait for their answers share [`MEMORY`]; one too many is refused unread.
//! * *Ask often*: each peer has a token bucket for each protocol, a stranger a quarter of one.
//! * *Ask slowly answered things*: each protocol has so many requests in work, and no more.
//! * *Answer with too much, too slowly, or never*: lengths are checked before anything is read, and every
//!   request has a deadline that covers all of it.

pub(crate) mod codec;

use std::time::Duration;

use libp2p::request_response::ResponseChannel;
use nervure_primitives::NodeId;
use nervure_protocol::protocols::Protocol;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::network::Stopped;
use codec::Answer;

/// Bytes of requests that are being read or wait for their answer, over all peers and protocols.
pub(crate) const MEMORY: usize = 16 << 20;

/// Longest protocol name, in bytes.
pub(crate) const MAX_NAME: usize = 32;

/// A request protocol and its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolSpec {
    /// Its name within the mesh, with its version (`directory/1`); at most 32 bytes.
    pub name: &'static str,
    /// Longest request, in bytes.
    pub max_request: usize,
    /// Longest answer, in bytes.
    pub max_response: usize,
    /// How long a request may take, dialling included; also how long this node takes to answer one.
    pub timeout: Duration,
    /// Inbound requests in work at once; more are refused as [`RequestError::Busy`].
    pub inbound: usize,
    /// Inbound requests of one peer per second, with a burst of as many; a node that is not registered has a quarter.
    pub per_peer_per_second: u32,
}

impl ProtocolSpec {
    /// A protocol with bounds for small messages: 64 KiB each way, 5 s, 64 in work, 20 a second from one peer.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            max_request: 64 << 10,
            max_response: 64 << 10,
            timeout: Duration::from_secs(5),
            inbound: 64,
            per_peer_per_second: 20,
        }
    }

    /// A protocol with its own lengths and the other bounds of [`ProtocolSpec::new`].
    pub fn of(protocol: Protocol) -> Self {
        let Protocol { name, max_request, max_response } = protocol;
        Self { max_request, max_response, ..Self::new(name) }
    }

    /// What one peer may ask per second.
    pub(crate) fn rate(&self, registered: bool) -> u32 {
        if registered { self.per_peer_per_second } else { (self.per_peer_per_second / 4).max(1) }
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The protocol is not one of the configured ones.
    #[error("this node does not speak {0}")]
    UnknownProtocol(&'static str),
    /// The request is longer than its protocol allows.
    #[error("the request has {actual} bytes, at most {limit} are allowed")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
        /// What was given, in bytes.
        actual: usize,
    },
    /// No address is known, or none answers.
    #[error("the node cannot be reached")]
    Unreachable,
    /// There was no answer in time.
    #[error("the node did not answer in time")]
    TimedOut,
    /// The node has too much to do; try later or elsewhere.
    #[error("the node is busy")]
    Busy,
    /// The node says that we ask too often.
    #[error("the node refuses: too many requests")]
    TooOften,
    /// The node does not serve this protocol, or did not answer this request.
    #[error("the node refuses the request")]
    Refused,
    /// The stream broke, or what came is not an answer.
    #[error("the request failed: {0}")]
    Failed(String),
    /// Too many requests of our own are in flight.
    #[error("too many requests are in flight already")]
    Overloaded,
    /// The network has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A request from another node. Dropped without an answer, it is refused.
#[derive(Debug)]
pub struct InboundRequest {
    /// Who asks; proved by the connection.
    pub from: NodeId,
    /// Whether the asker is registered in the mesh.
    pub registered: bool,
    /// The protocol's name.
    pub protocol: &'static str,
    /// What is asked, at most as long as the protocol allows.
    pub data: Vec<u8>,
    pub(crate) max_response: usize,
    pub(crate) channel: ResponseChannel<Answer>,
    pub(crate) answers: mpsc::Sender<Answered>,
    /// Given back when the request is gone, answered or not.
    pub(crate) slot: OwnedSemaphorePermit,
    pub(crate) memory: Option<OwnedSemaphorePermit>,
}

/// An answer on its way back to the task.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) channel: ResponseChannel<Answer>,
    pub(crate) answer: Answer,
}

impl InboundRequest {
    /// Answers. One that is longer than the protocol allows is replaced by a refusal.
    pub async fn respond(self, data: Vec<u8>) {
        let answer = if data.len() <= self.max_response {
            Answer::Data(data)
        } else {
            tracing::warn!(
                protocol = self.protocol,
                len = data.len(),
                "an answer is too long for its protocol"
            );
            Answer::Refused
        };
        let Self { channel, answers, slot, memory, .. } = self;
        drop((slot, memory));
        // A stopped network answers nobody anyway.
        let _ = answers.send(Answered { channel, answer }).await;
    }
}
