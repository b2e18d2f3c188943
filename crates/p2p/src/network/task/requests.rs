//! Requests to other nodes and from them.

use std::{collections::HashMap, sync::Arc, time::Instant};

use libp2p::{
    Multiaddr, PeerId,
    request_response::{Event, Message, OutboundFailure, OutboundRequestId, ResponseChannel},
};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{Lookup, Task};
use crate::{
    InboundRequest, NetworkConfig, RequestError,
    network::{command::OutboundRequest, node_of},
    rate::Rates,
    request::{
        PendingAnswer,
        codec::{Answer, Request},
    },
};

/// Requests of our own in flight; more are refused.
const MAX_OUTBOUND_REQUESTS: usize = 1024;

/// Responses that wait for the task; when the queue is full, the responder waits.
const MAX_QUEUED_ANSWERS: usize = 1024;

type Reply = oneshot::Sender<Result<Vec<u8>, RequestError>>;

/// A request of our own in flight.
struct Pending {
    reply: Reply,
    /// The request to send again after a lookup, when the known addresses are outdated.
    retry: Option<Retry>,
}

struct Retry {
    peer: PeerId,
    protocol: usize,
    data: Vec<u8>,
}

/// The state of requests in flight.
pub(super) struct Requests {
    /// At most [`MAX_OUTBOUND_REQUESTS`]; each ends by its deadline.
    outbound: HashMap<OutboundRequestId, Pending>,
    /// By protocol: requests that may be in progress at once.
    slots: Vec<Arc<Semaphore>>,
    rates: Rates<(PeerId, usize)>,
    /// Receives inbound requests; without it they are refused.
    receiver: Option<mpsc::Sender<InboundRequest>>,
    answers: mpsc::Sender<PendingAnswer>,
    pub(super) answered: mpsc::Receiver<PendingAnswer>,
}

impl Requests {
    pub(super) fn new(config: &NetworkConfig) -> Self {
        let (answers, answered) = mpsc::channel(MAX_QUEUED_ANSWERS);
        let slots = config.protocols.iter().map(|spec| Arc::new(Semaphore::new(spec.inbound)));
        Self {
            outbound: HashMap::new(),
            slots: slots.collect(),
            rates: Rates::new(),
            receiver: config.requests.clone(),
            answers,
            answered,
        }
    }
}

impl Task {
    /// Sends a request. Without a known address of the node, it looks one up in the DHT first.
    pub(super) fn ask(&mut self, ask: OutboundRequest) {
        if self.requests.outbound.len() >= MAX_OUTBOUND_REQUESTS {
            return answer(ask.reply, Err(RequestError::Overloaded));
        }
        if self.swarm.is_connected(&ask.peer) {
            return self.send(ask, Vec::new(), None);
        }
        let addresses = self.book.addresses(&ask.peer);
        if !addresses.is_empty() || self.is_routed(&ask.peer) {
            // The data is copied because the swarm takes it. Only a request to an address that may be
            // outdated pays for that.
            let retry = Retry { peer: ask.peer, protocol: ask.protocol, data: ask.data.clone() };
            return self.send(ask, addresses, Some(retry));
        }
        self.look_up(ask);
    }

    /// Looks up the node's address; [`Task::send_to`] then sends the request.
    fn look_up(&mut self, ask: OutboundRequest) {
        if !self.may_look_up() {
            return answer(ask.reply, Err(RequestError::Overloaded));
        }
        let lookup = self.swarm.behaviour_mut().kad.get_closest_peers(ask.peer);
        self.lookups.insert(lookup, Lookup::Request(ask));
    }

    /// Sends a request whose node has been looked up.
    pub(super) fn send_to(&mut self, ask: OutboundRequest, found: Vec<Multiaddr>) {
        // No second lookup: the addresses are from one that has just ended.
        self.send(ask, found, None);
    }

    fn send(&mut self, ask: OutboundRequest, addresses: Vec<Multiaddr>, retry: Option<Retry>) {
        let request = Request { protocol: ask.protocol, data: ask.data, memory: None };
        let requests = &mut self.swarm.behaviour_mut().requests;
        let id = requests.send_request_with_addresses(&ask.peer, request, addresses);
        self.requests.outbound.insert(id, Pending { reply: ask.reply, retry });
    }

    /// Sending fails only when the asking node has disconnected.
    pub(super) fn respond(&mut self, answered: PendingAnswer) {
        let requests = &mut self.swarm.behaviour_mut().requests;
        drop(requests.send_response(answered.channel, answered.answer));
    }

    pub(super) fn request_event(&mut self, event: Event<Request, Answer>) {
        match event {
            Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                self.handle_request(peer, request, channel);
            }
            Event::Message { message: Message::Response { request_id, response }, .. } => {
                self.complete(request_id, result(response));
            }
            // Nothing was sent, so that sending it again cannot make the peer do the work twice.
            Event::OutboundFailure { request_id, error: OutboundFailure::DialFailure, .. } => {
                self.retry_after_lookup(request_id);
            }
            Event::OutboundFailure { request_id, error, .. } => {
                self.complete(request_id, Err(failure(&error)));
            }
            Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "an inbound request failed");
                self.metrics.requests_failed.inc();
            }
            Event::ResponseSent { .. } => {}
        }
    }

    fn complete(&mut self, id: OutboundRequestId, result: Result<Vec<u8>, RequestError>) {
        if let Some(pending) = self.requests.outbound.remove(&id) {
            answer(pending.reply, result);
        }
    }

    /// The node does not answer at its known addresses: looks it up in the DHT and sends the request again, once.
    fn retry_after_lookup(&mut self, id: OutboundRequestId) {
        match self.requests.outbound.remove(&id) {
            Some(Pending { reply, retry: Some(Retry { peer, protocol, data }) }) => {
                self.look_up(OutboundRequest { peer, protocol, data, reply });
            }
            Some(Pending { reply, retry: None }) => answer(reply, Err(RequestError::Unreachable)),
            None => {}
        }
    }

    /// Hands a request in, or refuses it.
    fn handle_request(&mut self, peer: PeerId, request: Request, channel: ResponseChannel<Answer>) {
        match self.admit(peer, request, channel) {
            Ok(()) => {
                self.metrics.requests_received.inc();
            }
            Err((channel, answer)) => {
                self.metrics.requests_refused.inc();
                self.respond(PendingAnswer { channel, answer });
            }
        }
    }

    fn admit(
        &mut self,
        peer: PeerId,
        request: Request,
        channel: ResponseChannel<Answer>,
    ) -> Result<(), (ResponseChannel<Answer>, Answer)> {
        let Some(spec) = self.config.protocols.get(request.protocol) else {
            return Err((channel, Answer::Refused));
        };
        let (Some(receiver), Some(from)) = (&self.requests.receiver, node_of(peer)) else {
            return Err((channel, Answer::Refused));
        };
        // As the last registry check found, at most 5 s ago.
        let registered = self.peers.get(&peer).is_some_and(|peer| peer.registered);
        let rate = spec.rate(registered);
        // The rate comes before the slot: a peer beyond its rate must not take slots from the others.
        if !self.requests.rates.take((peer, request.protocol), rate, Instant::now()) {
            return Err((channel, Answer::TooOften));
        }
        let Ok(slot) = self.requests.slots[request.protocol].clone().try_acquire_owned() else {
            return Err((channel, Answer::Busy));
        };
        let request = InboundRequest {
            from,
            registered,
            protocol: spec.name,
            data: request.data,
            max_response: spec.max_response,
            channel,
            answers: self.requests.answers.clone(),
            slot,
            memory: request.memory,
        };
        // A full queue is an answer at once. Waiting here would stop the swarm for all peers. The slot and
        // the memory of the request are given back with it.
        receiver.try_send(request).map_err(|error| (error.into_inner().channel, Answer::Busy))
    }
}

/// Sending the reply fails only when its caller has stopped waiting.
pub(super) fn answer(reply: Reply, result: Result<Vec<u8>, RequestError>) {
    drop(reply.send(result));
}

fn result(answer: Answer) -> Result<Vec<u8>, RequestError> {
    match answer {
        Answer::Data(data) => Ok(data),
        Answer::Busy => Err(RequestError::Busy),
        Answer::TooOften => Err(RequestError::TooOften),
        Answer::Refused => Err(RequestError::Refused),
    }
}

fn failure(error: &OutboundFailure) -> RequestError {
    match error {
        OutboundFailure::DialFailure => RequestError::Unreachable,
        OutboundFailure::Timeout => RequestError::TimedOut,
        OutboundFailure::UnsupportedProtocols => RequestError::Refused,
        OutboundFailure::ConnectionClosed => RequestError::Failed("the connection closed".into()),
        OutboundFailure::Io(error) => RequestError::Failed(error.to_string()),
    }
}
