//! Reaches experts for the router: over the query client, and over the swarm where that cannot reach.
//!
//! What a hostile expert can do: send chunks that are not events; the first one ends its answer. The query client
//! bounds their size and the time between them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use libp2p::multiaddr::Protocol;
use nervure_p2p::{
    AddressScope, Multiaddr, NetworkHandle, is_global,
    query::{QueryClient, QueryError, QueryItem, QueryStream},
};
use nervure_protocol::{
    AnswerHasher, ExpertRecord,
    query::{ErrorText, QueryOpen, body::decode_event},
};
use nervure_router::{AnswerEnd, AnswerItem, Dial, DialError, EventStream, ExpertQuery};
use parking_lot::Mutex;

/// How long a machine's network that lets no UDP through is taken to stay so.
const UDP_RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// Opens queries from this node.
pub(crate) struct QueryDialer {
    client: QueryClient,
    network: NetworkHandle,
    /// Which addresses are dialled; none where others may not see this node's.
    scope: Option<AddressScope>,
    /// Until when no query endpoint is tried, because no UDP gets through; none otherwise.
    blocked: Mutex<Option<Instant>>,
}

impl QueryDialer {
    /// Asks through `client`, and through the swarm of `network`; only addresses that the mesh's `scope` allows, and over the
    /// swarm alone without one.
    pub(crate) fn new(client: QueryClient, network: NetworkHandle, scope: Option<AddressScope>) -> Self {
        Self { client, network, scope, blocked: Mutex::default() }
    }

    /// Asks at the addresses that the record names. Where none answers, asks on the swarm's own connection to the node,
    /// if there is one, or the record names no address, or this machine's network lets no UDP through. A node that is
    /// only down costs no more dials.
    async fn open(&self, query: ExpertQuery) -> Result<QueryStream, DialError> {
        let addresses = if self.is_blocked() { Vec::new() } else { self.dialable(&query.record) };
        let (node, relays) = (query.record.node, query.record.relays.clone());
        let open = open_frame(query);
        let unreachable = match self.client.open(node, &addresses, open.clone()).await {
            Ok(stream) => return Ok(stream),
            Err(error @ QueryError::Unreachable { .. }) => error,
            // Only an unreachable node is asked through the swarm: after any other error it may have received
            // the query.
            Err(error) => return Err(dial_error(error)),
        };
        if !addresses.is_empty() {
            let peers = self.network.peers().await.unwrap_or_default();
            let blocked = has_no_udp(peers.iter().map(|peer| &peer.address));
            if blocked {
                *self.blocked.lock() = Some(Instant::now() + UDP_RETRY_INTERVAL);
            }
            if !blocked && !peers.iter().any(|peer| peer.node == node) {
                return Err(dial_error(unreachable));
            }
        }
        tracing::debug!(%node, "asking through the swarm");
        let stream = self.network.query_stream(node, &relays).await;
        let stream =
            stream.map_err(|error| DialError::Unreachable(format!("{unreachable}; {error}").into()))?;
        self.client.open_on(node, stream, open).await.map_err(dial_error)
    }

    fn is_blocked(&self) -> bool {
        self.blocked.lock().is_some_and(|until| until > Instant::now())
    }

    /// The addresses of a record that may be dialled: a public mesh must not have us connect to our own network.
    fn dialable(&self, record: &ExpertRecord) -> Vec<SocketAddr> {
        let is_allowed = |address: &&SocketAddr| match self.scope {
            Some(AddressScope::Local) => true,
            Some(AddressScope::Public) => is_global(&Multiaddr::from(address.ip())),
            None => false,
        };
        record.addresses.iter().filter(is_allowed).copied().collect()
    }
}

/// Whether there are peers and none of them is connected over QUIC: then the query endpoints are out of reach too, and each
/// question would wait for them until the timeout.
fn has_no_udp<'a>(mut peers: impl Iterator<Item = &'a Multiaddr>) -> bool {
    let has = |peer: &Multiaddr, wanted: Protocol<'_>| peer.iter().any(|part| part == wanted);
    // The address of a relayed peer is that of a relay, which may be connected otherwise.
    let uses_udp = |peer: &Multiaddr| has(peer, Protocol::QuicV1) && !has(peer, Protocol::P2pCircuit);
    peers.next().is_some_and(|first| !uses_udp(first) && !peers.any(uses_udp))
}

impl Dial for QueryDialer {
    fn dial(&self, query: ExpertQuery) -> BoxFuture<'_, Result<EventStream, DialError>> {
        self.open(query).map(|opened| opened.map(events)).boxed()
    }
}

fn open_frame(query: ExpertQuery) -> QueryOpen {
    QueryOpen {
        netuid: query.record.netuid,
        capability: query.record.capability,
        expert: Some(query.record.expert),
        body: query.body.to_vec(),
        deadline_ms: u32::try_from(query.timeout.as_millis()).unwrap_or(u32::MAX),
        budget: query.budget,
        name: Some(query.id),
        hops: query.hops,
    }
}

/// The decoded events of an answer. Ends after the first error, or the end.
fn events(stream: QueryStream) -> EventStream {
    let start = Some((stream, AnswerHasher::default()));
    stream::unfold(start, |state| async move {
        let (mut stream, mut answer) = state?;
        Some(match stream.next().await {
            Ok(QueryItem::Chunk(chunk)) => match decode_event(&chunk) {
                Ok(event) => {
                    answer.event(&event);
                    (Ok(AnswerItem::Event(event)), Some((stream, answer)))
                }
                Err(error) => (Err(DialError::Protocol(ErrorText::new(error))), None),
            },
            Ok(QueryItem::End(end)) => {
                let (usage, reason, receipt) = (end.usage, end.reason, end.receipt);
                let end = AnswerEnd { usage, reason, answer: answer.finish(usage, reason), receipt };
                (Ok(AnswerItem::End(end)), None)
            }
            Err(error) => (Err(dial_error(error)), None),
        })
    })
    .boxed()
}

fn dial_error(error: QueryError) -> DialError {
    match error {
        QueryError::Refused { code, message, retry_after } => {
            DialError::Refused { code, message, retry_after }
        }
        QueryError::Unreachable { .. } | QueryError::WrongNode { .. } => {
            DialError::Unreachable(ErrorText::new(error))
        }
        QueryError::Protocol(error) => DialError::Protocol(ErrorText::new(error)),
        other => DialError::Interrupted(ErrorText::new(other)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nervure_primitives::NodeId;
    use nervure_protocol::query::QueryErrorCode;

    use super::*;

    #[test]
    fn a_network_without_udp_shows_by_its_peers() {
        let [quic, tcp]: [Multiaddr; 2] =
            ["/ip4/8.8.4.4/udp/1/quic-v1", "/ip4/8.8.4.4/tcp/1"].map(|address| address.parse().unwrap());
        assert!(has_no_udp([&tcp].into_iter()) && !has_no_udp([].into_iter()));
        assert!(!has_no_udp([&tcp, &quic].into_iter()));
    }

    #[test]
    fn a_refusal_keeps_what_the_router_acts_on() {
        let retry_after = Some(Duration::from_secs(3));
        let (code, message) = (QueryErrorCode::Busy, ErrorText::from("m"));
        let refused = QueryError::Refused { code, message: message.clone(), retry_after };
        assert_eq!(dial_error(refused), DialError::Refused { code, message, retry_after });
    }

    #[test]
    fn an_error_of_the_connection_is_not_a_refusal() {
        let node = NodeId::from_bytes([1; 32]);
        assert!(matches!(dial_error(QueryError::WrongNode { node }), DialError::Unreachable(_)));
        let stalled = dial_error(QueryError::Stalled(Duration::from_millis(5)));
        assert_eq!(stalled, DialError::Interrupted("no data for 5 ms".into()));
    }
}
