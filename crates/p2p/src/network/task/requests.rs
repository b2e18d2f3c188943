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
    network::{command::Ask, node_of},
    rate::Rates,
    request::{
        Answered,
        codec::{Answer, Request},
    },
};

/// Requests of our own in flight; more are refused.
const OUTBOUND: usize = 1024;

/// Answers that wait for the task; whoever gives more waits.
const ANSWERS: usize = 1024;

type Reply = oneshot::Sender<Result<Vec<u8>, RequestError>>;

/// A request of our own in flight.
struct Pending {
    reply: Reply,
    /// What to send once more when the addresses we had turn out to be old, after a lookup.
    again: Option<Again>,
}

struct Again {
    peer: PeerId,
    protocol: usize,
    data: Vec<u8>,
}

/// The state of requests in flight.
pub(super) struct Requests {
    /// At most [`OUTBOUND`]; each ends by its deadline.
    outbound: HashMap<OutboundRequestId, Pending>,
    /// By protocol: what may be in work at once.
    slots: Vec<Arc<Semaphore>>,
    rates: Rates<(PeerId, usize)>,
    /// Where requests go; none serves none.
    receiver: Option<mpsc::Sender<InboundRequest>>,
    answers: mpsc::Sender<Answered>,
    pub(super) answered: mpsc::Receiver<Answered>,
}

impl Requests {
    pub(super) fn new(config: &NetworkConfig) -> Self {
        let (answers, answered) = mpsc::channel(ANSWERS);
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
    /// Sends a request. Where no address of the node is known, the DHT is asked for one first.
    pub(super) fn ask(&mut self, ask: Ask) {
        if self.requests.outbound.len() >= OUTBOUND {
            return answer(ask.reply, Err(RequestError::Overloaded));
        }
        if self.swarm.is_connected(&ask.peer) {
            return self.send(ask, Vec::new(), None);
        }
        let addresses = self.book.addresses(&ask.peer);
        if !addresses.is_empty() || self.is_routed(&ask.peer) {
            let again = Again { peer: ask.peer, protocol: ask.protocol, data: ask.data.clone() };
            return self.send(ask, addresses, Some(again));
        }
        self.look_up(ask);
    }

    /// Sends the request when the DHT has said where its node is.
    fn look_up(&mut self, ask: Ask) {
        if !self.may_look_up() {
            return answer(ask.reply, Err(RequestError::Overloaded));
        }
        let lookup = self.swarm.behaviour_mut().kad.get_closest_peers(ask.peer);
        self.lookups.insert(lookup, Lookup::Ask(ask));
    }

    /// Sends a request whose node has been looked up.
    pub(super) fn send_to(&mut self, ask: Ask, found: Vec<Multiaddr>) {
        self.send(ask, found, None);
    }

    fn send(&mut self, ask: Ask, addresses: Vec<Multiaddr>, again: Option<Again>) {
        let request = Request { protocol: ask.protocol, data: ask.data, memory: None };
        let requests = &mut self.swarm.behaviour_mut().requests;
        let id = requests.send_request_with_addresses(&ask.peer, request, addresses);
        self.requests.outbound.insert(id, Pending { reply: ask.reply, again });
    }

    /// A channel that is closed belongs to an asker who has gone.
    pub(super) fn respond(&mut self, answered: Answered) {
        let requests = &mut self.swarm.behaviour_mut().requests;
        drop(requests.send_response(answered.channel, answered.answer));
    }

    pub(super) fn request_event(&mut self, event: Event<Request, Answer>) {
        match event {
            Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                self.requested(peer, request, channel);
            }
            Event::Message { message: Message::Response { request_id, response }, .. } => {
                self.settle(request_id, result(response));
            }
            Event::OutboundFailure { request_id, error: OutboundFailure::DialFailure, .. } => {
                self.not_there(request_id);
            }
            Event::OutboundFailure { request_id, error, .. } => {
                self.settle(request_id, Err(failure(&error)));
            }
            Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "an inbound request failed");
                self.status.requests_failed += 1;
            }
            Event::ResponseSent { .. } => {}
        }
    }

    fn settle(&mut self, id: OutboundRequestId, result: Result<Vec<u8>, RequestError>) {
        if let Some(pending) = self.requests.outbound.remove(&id) {
            answer(pending.reply, result);
        }
    }

    /// The node is not where we thought. The DHT may know better, once.
    fn not_there(&mut self, id: OutboundRequestId) {
        match self.requests.outbound.remove(&id) {
            Some(Pending { reply, again: Some(Again { peer, protocol, data }) }) => {
                self.look_up(Ask { peer, protocol, data, reply });
            }
            Some(Pending { reply, again: None }) => answer(reply, Err(RequestError::Unreachable)),
            None => {}
        }
    }

    /// Hands a request in, or refuses it.
    fn requested(&mut self, peer: PeerId, request: Request, channel: ResponseChannel<Answer>) {
        match self.admit(peer, request, channel) {
            Ok(()) => self.status.requests_received += 1,
            Err((channel, answer)) => {
                self.status.requests_refused += 1;
                self.respond(Answered { channel, answer });
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
        let registered = self.peers.get(&peer).is_some_and(|peer| peer.registered);
        let rate = spec.rate(registered);
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
        receiver.try_send(request).map_err(|error| (error.into_inner().channel, Answer::Busy))
    }
}

/// Nobody waits any more when the reply cannot be sent.
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
