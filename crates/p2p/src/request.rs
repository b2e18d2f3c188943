//! Request protocols: small and rare requests to one node over the control plane, bounded on both sides.
//!
//! # Design
//! All request protocols of a mesh share one wire protocol; a request carries the name of its protocol. The [`codec`]
//! knows every protocol's bounds and refuses before it reads. A response is data, or one of the refusals of
//! [`RequestError`].
//!
//! # What a hostile peer can do
//! * *Announce much and send little*: nothing is allocated before it arrives, and the stream has a deadline.
//! * *Send much*: requests that arrive or wait for their answers share [`MAX_INBOUND_BYTES`], each by the bytes that have
//!   arrived; one too many is refused.
//! * *Ask often*: each peer has a token bucket for each protocol, a stranger a quarter of one.
//! * *Ask slowly answered things*: each protocol has a bounded number of requests in progress.
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
pub(crate) const MAX_INBOUND_BYTES: usize = 16 << 20;

/// Longest protocol name, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 32;

/// A request protocol and its bounds.
///
/// ```
/// use nervure_p2p::ProtocolSpec;
///
/// let echo = ProtocolSpec { max_request: 1024, ..ProtocolSpec::new("echo/1") };
/// assert_eq!(echo.timeout.as_secs(), 5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolSpec {
    /// Its name within the mesh, with its version (`directory/1`); at most 32 bytes.
    pub name: &'static str,
    /// Longest request, in bytes.
    pub max_request: usize,
    /// Longest answer, in bytes.
    pub max_response: usize,
    /// How long a request may take, dialling included; also how long this node may take to answer one.
    pub timeout: Duration,
    /// Inbound requests in progress at once; more are refused as [`RequestError::Busy`].
    pub inbound: usize,
    /// Inbound requests of one peer per second, with a burst of as many; a node that is not registered has a quarter.
    pub per_peer_per_second: u32,
}

impl ProtocolSpec {
    /// A protocol with bounds for small messages: 64 KiB each way, 5 s, 64 in progress, 20 a second from one peer.
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

    /// Requests that one peer may send per second.
    pub(crate) fn rate(&self, registered: bool) -> u32 {
        if registered { self.per_peer_per_second } else { (self.per_peer_per_second / 4).max(1) }
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The protocol is not one of the configured ones.
    #[error("protocol {0} is not configured on this node")]
    UnknownProtocol(&'static str),
    /// The request is longer than its protocol allows.
    #[error("the request has {actual} bytes, at most {limit} are allowed")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
        /// The request's length in bytes.
        actual: usize,
    },
    /// No address is known, or none answers.
    #[error("the node cannot be reached")]
    Unreachable,
    /// There was no answer in time.
    #[error("the node did not answer in time")]
    TimedOut,
    /// The node is busy; try later, or ask another node.
    #[error("the node is busy")]
    Busy,
    /// The node refuses because this one exceeds its rate.
    #[error("the node refuses: too many requests")]
    TooOften,
    /// The node does not serve this protocol, or did not answer this request.
    #[error("the node refuses the request")]
    Refused,
    /// The stream broke, or the response is malformed.
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
    /// The node that asks; the connection proves it.
    pub from: NodeId,
    /// Whether the asker is registered in the mesh.
    pub registered: bool,
    /// The protocol's name.
    pub protocol: &'static str,
    /// The request's content, within the protocol's bound.
    pub data: Vec<u8>,
    pub(crate) max_response: usize,
    pub(crate) channel: ResponseChannel<Answer>,
    pub(crate) answers: mpsc::Sender<PendingAnswer>,
    /// Released when the request is answered or dropped.
    pub(crate) slot: OwnedSemaphorePermit,
    pub(crate) memory: Option<OwnedSemaphorePermit>,
}

/// A response that waits for the task to send it.
#[derive(Debug)]
pub(crate) struct PendingAnswer {
    pub(crate) channel: ResponseChannel<Answer>,
    pub(crate) answer: Answer,
}

impl InboundRequest {
    /// Sends the response. One that is longer than the protocol allows is replaced by a refusal.
    pub async fn respond(self, data: Vec<u8>) {
        let answer = if data.len() <= self.max_response {
            Answer::Data(data)
        } else {
            tracing::warn!(
                protocol = self.protocol,
                len = data.len(),
                "the response is too long for its protocol; refusing the request"
            );
            Answer::Refused
        };
        let Self { channel, answers, slot, memory, .. } = self;
        drop((slot, memory));
        // Fails only when the network has stopped, and then no response can be sent.
        let _ = answers.send(PendingAnswer { channel, answer }).await;
    }
}
