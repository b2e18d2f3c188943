//! Streams of the swarm's own connections, for questions to nodes that nothing else reaches.
//!
//! What travels on them is the query plane's business ([`crate::query`]). Here they are opened and accepted; the swarm's limits
//! on connections, streams and windows apply.

use std::{fmt, time::Duration};

use futures::StreamExt;
use libp2p::{Stream, StreamProtocol};
use libp2p_stream::{Control, IncomingStreams};
use nervure_primitives::{MeshId, NodeId};
use nervure_protocol::names;
use tokio::time::timeout;

use super::node_of;

/// How long opening may take, dialling included.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// No connection, and none could be made.
    #[error("the node cannot be reached through the swarm: {0}")]
    Unreachable(String),
    /// The node is there and answers no questions.
    #[error("the node answers no questions")]
    NotServed,
    /// It took too long.
    #[error("no stream within {} s", PATIENCE.as_secs())]
    TimedOut,
}

/// Opens and accepts.
#[derive(Clone)]
pub(super) struct Streams {
    control: Control,
    protocol: StreamProtocol,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl Streams {
    pub(super) fn new(control: Control, mesh: &MeshId) -> Result<Self, String> {
        let protocol =
            StreamProtocol::try_from_owned(names::query(mesh)).map_err(|error| error.to_string())?;
        Ok(Self { control, protocol })
    }

    pub(super) async fn open(&self, node: NodeId) -> Result<Stream, StreamError> {
        let mut control = self.control.clone();
        let opened = timeout(PATIENCE, control.open_stream(node.peer_id(), self.protocol.clone())).await;
        opened.map_err(|_| StreamError::TimedOut)?.map_err(|error| match error {
            libp2p_stream::OpenStreamError::UnsupportedProtocol(_) => StreamError::NotServed,
            other => StreamError::Unreachable(other.to_string()),
        })
    }

    pub(super) fn accept(&self) -> Option<QueryStreams> {
        self.control.clone().accept(self.protocol.clone()).ok().map(QueryStreams)
    }
}

/// The streams on which others ask. Dropped, it accepts none any more.
pub struct QueryStreams(IncomingStreams);

impl QueryStreams {
    /// The next one, and who opened it, as its connection proves; nothing when the network has ended.
    pub async fn next(&mut self) -> Option<(NodeId, Stream)> {
        loop {
            let (peer, stream) = self.0.next().await?;
            if let Some(node) = node_of(peer) {
                return Some((node, stream));
            }
        }
    }
}
