//! Query streams over the swarm's own connections, for nodes whose query endpoint cannot be reached.
//!
//! A direct connection goes before a relayed one; the task decides ([`super::task`]). This file only opens and accepts them; [`crate::query`] speaks the protocol. The swarm's limits on connections,
//! streams and windows apply.

use std::{fmt, time::Duration};

use futures::{
    StreamExt,
    stream::{Select, select},
};
use libp2p::{Stream, StreamProtocol};
use libp2p_stream::{Control, IncomingStreams};
use nervure_primitives::{MeshId, NodeId};
use nervure_protocol::{names, query::ErrorText};

use super::node_of;
use crate::roads::{Road, RoadStreams};

/// Timeout for opening a stream, with dialling, looking up and hole punching.
pub(super) const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no stream could be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// There is no connection, and none could be made.
    #[error("the node cannot be reached through the swarm: {0}")]
    Unreachable(ErrorText),
    /// The node is connected, but does not serve queries.
    #[error("the node does not serve queries")]
    NotServed,
    /// The only connection is through a relay, which does not carry so much.
    #[error("the node is reached through a relay only: {0}")]
    BeyondRelay(ErrorText),
    /// The timeout passed.
    #[error("no stream within {} s", OPEN_TIMEOUT.as_secs())]
    TimedOut,
}

/// Opens and accepts query streams.
#[derive(Clone)]
pub(super) struct Streams {
    direct: Control,
    relayed: Control,
    protocol: StreamProtocol,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl Streams {
    pub(super) fn new(streams: &RoadStreams, mesh: &MeshId) -> Result<Self, String> {
        let protocol =
            StreamProtocol::try_from_owned(names::query(mesh)).map_err(|error| error.to_string())?;
        let (direct, relayed) = (streams.control(Road::Direct), streams.control(Road::Relayed));
        Ok(Self { direct, relayed, protocol })
    }

    /// Opens a stream on a connection that exists.
    pub(super) async fn open(&self, node: NodeId, road: Road) -> Result<Stream, StreamError> {
        let mut control = match road {
            Road::Direct => self.direct.clone(),
            Road::Relayed => self.relayed.clone(),
        };
        control.open_stream(node.peer_id(), self.protocol.clone()).await.map_err(|error| match error {
            libp2p_stream::OpenStreamError::UnsupportedProtocol(_) => StreamError::NotServed,
            other => StreamError::Unreachable(ErrorText::new(other)),
        })
    }

    pub(super) fn accept(&self) -> Option<QueryStreams> {
        let accept = |control: &Control| control.clone().accept(self.protocol.clone()).ok();
        Some(QueryStreams(select(accept(&self.direct)?, accept(&self.relayed)?)))
    }
}

/// The query streams that other nodes open. When it is dropped, new streams are refused.
pub struct QueryStreams(Select<IncomingStreams, IncomingStreams>);

impl QueryStreams {
    /// The next stream, and the node that opened it, as its connection proves; none when the network has stopped.
    pub async fn next(&mut self) -> Option<(NodeId, Stream)> {
        loop {
            let (peer, stream) = self.0.next().await?;
            if let Some(node) = node_of(peer) {
                return Some((node, stream));
            }
        }
    }
}
