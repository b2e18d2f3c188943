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
    AddressScope, Multiaddr, NetworkHandle, StreamNeeds, is_global,
    query::{QueryClient, QueryError, QueryItem, QueryStream},
};
use nervure_protocol::{
    AnswerHasher, ExpertRecord, ExpertRequest,
    query::{
        ErrorText, QueryOpen,
        body::{decode_event, decode_request},
    },
};
use nervure_router::{AnswerEnd, AnswerItem, Dial, DialError, EventStream, ExpertQuery};
use parking_lot::Mutex;

/// How long a machine's network that lets no UDP through is taken to stay so.
const UDP_RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// Bytes of one token in a frame of its own, and the time that a slow model takes for it: 20 a second.
const TOKEN_BYTES: u64 = 64;
const TOKEN_TIME: Duration = Duration::from_millis(50);

/// Until the first token of a slow model.
const ANSWER_DELAY: Duration = Duration::from_secs(10);

/// Bytes of one vector of 4,096 dimensions.
const VECTOR_BYTES: u64 = 36 << 10;

/// Bytes of the open frame without its body, of the end with its receipt, and of the connection itself.
const FRAMES_BYTES: u64 = 8 << 10;

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
    /// if there is one, or the record names no address or also relays, as that of a node does whose IPv4 is behind a NAT and
    /// whose IPv6 is not, or this machine's network lets no UDP through. Another node that is only down costs no more dials.
    async fn open(&self, query: ExpertQuery) -> Result<QueryStream, DialError> {
        let addresses = if self.is_blocked() { Vec::new() } else { dialable(self.scope, &query.record) };
        let (node, relays) = (query.record.node, query.record.relays.clone());
        let needs = needs(&query);
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
            if !blocked && relays.is_empty() && !peers.iter().any(|peer| peer.node == node) {
                return Err(dial_error(unreachable));
            }
        }
        tracing::debug!(%node, "asking through the swarm");
        let stream = self.network.query_stream(node, &relays, needs).await;
        let stream =
            stream.map_err(|error| DialError::Unreachable(format!("{unreachable}; {error}").into()))?;
        self.client.open_on(node, stream, open).await.map_err(dial_error)
    }

    fn is_blocked(&self) -> bool {
        self.blocked.lock().is_some_and(|until| until > Instant::now())
    }
}

/// The addresses of a record that may be dialled: a public mesh must not have us connect to our own network. None without a scope.
pub(super) fn dialable(scope: Option<AddressScope>, record: &ExpertRecord) -> Vec<SocketAddr> {
    let is_allowed = |address: &&SocketAddr| match scope {
        Some(AddressScope::Local) => true,
        Some(AddressScope::Public) => is_global(&Multiaddr::from(address.ip())),
        None => false,
    };
    record.addresses.iter().filter(is_allowed).copied().collect()
}

/// What a question and its answer may need of a relay. The tokens are those that the question and the expert allow; the size and
/// the time of one are those of a slow model, as nothing says them.
fn needs(query: &ExpertQuery) -> StreamNeeds {
    let question = query.body.len() as u64;
    let (answer, time) = match decode_request(&query.body) {
        Ok(ExpertRequest::Complete { sampling, .. } | ExpertRequest::Chat { sampling, .. }) => {
            let tokens = sampling.max_tokens.min(query.record.max_output);
            (u64::from(tokens) * TOKEN_BYTES, ANSWER_DELAY + TOKEN_TIME * tokens)
        }
        Ok(ExpertRequest::Embed { inputs }) => (inputs.len() as u64 * VECTOR_BYTES, query.timeout),
        // The probabilities of one byte.
        Ok(ExpertRequest::Distribution { .. }) | Err(_) => (VECTOR_BYTES, query.timeout),
    };
    StreamNeeds { bytes: question + answer + FRAMES_BYTES, time: time.min(query.timeout) }
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

    use nervure_primitives::{Amount, Hash, NodeId};
    use nervure_protocol::{
        Sampling,
        query::{QueryErrorCode, body::encode_request},
        testing::record,
    };

    use super::*;

    #[test]
    fn a_network_without_udp_shows_by_its_peers() {
        let [quic, tcp]: [Multiaddr; 2] =
            ["/ip4/8.8.4.4/udp/1/quic-v1", "/ip4/8.8.4.4/tcp/1"].map(|address| address.parse().unwrap());
        assert!(has_no_udp([&tcp].into_iter()) && !has_no_udp([].into_iter()));
        assert!(!has_no_udp([&tcp, &quic].into_iter()));
    }

    #[test]
    fn what_a_question_needs_of_a_relay_follows_from_what_it_and_the_expert_allow() {
        let asked = |max_tokens: u32, max_output: u32, timeout: u64| {
            let sampling = Sampling { max_tokens, ..Sampling::default() };
            let body = encode_request(&ExpertRequest::Complete { prompt: "fn ".into(), sampling }).unwrap();
            let record = ExpertRecord { max_output, ..record(1, "a", "text.generate") };
            needs(&ExpertQuery {
                record,
                body: body.into(),
                budget: Amount::ZERO,
                timeout: Duration::from_secs(timeout),
                id: Hash::from_bytes([1; 32]),
                salt: Hash::from_bytes([2; 32]),
                hops: 0,
            })
        };
        let short = asked(100, 4096, 600);
        assert!(short.bytes < 32 << 10 && short.time == Duration::from_secs(15), "{short:?}");
        let bounded = asked(1 << 20, 100, 600);
        assert!(
            bounded.time == short.time && bounded.bytes < short.bytes + 16,
            "what the expert writes: {bounded:?}"
        );
        assert_eq!(asked(4096, 4096, 20).time, Duration::from_secs(20), "what the asker waits");
        assert!(asked(1 << 20, 1 << 20, 600).bytes > 16 << 20, "more than a relay of this program carries");
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
