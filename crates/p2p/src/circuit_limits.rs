//! What a relay lets through on one circuit, and what a question needs.
//!
//! A relay says its limits when it opens a circuit, before any question is sent on it. A question that needs more is refused then,
//! so that the asker can ask another node, instead of being cut off in the middle. A circuit that is merely old is not refused: a
//! broken answer is continued elsewhere, and a new circuit has the whole limits again.
//!
//! What a hostile relay can do: state limits that are too low, so that questions go to other miners, or too high, so that an answer
//! breaks off. It could close the circuit as well.

use std::{num::NonZeroUsize, time::Duration};

use libp2p::{Multiaddr, PeerId, core::ConnectedPoint, multiaddr::Protocol, relay};
use lru::LruCache;

/// Nodes whose limits are remembered: as many as there are connections by default.
const MAX_REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// What a relay lets through on one circuit; none where it states no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CircuitLimits {
    /// Bytes in both directions together.
    pub(crate) bytes: Option<u64>,
    /// From the opening of the circuit to its end.
    pub(crate) time: Option<Duration>,
}

/// What a question and its answer may need at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamNeeds {
    /// Bytes in both directions together.
    pub bytes: u64,
    /// From the question to the end of the answer.
    pub time: Duration,
}

impl StreamNeeds {
    /// So little that every relay carries it.
    pub const NONE: Self = Self { bytes: 0, time: Duration::ZERO };
}

impl CircuitLimits {
    /// Why a circuit with these limits does not carry a question; none when it does.
    pub(crate) fn refusal(self, needs: StreamNeeds) -> Option<String> {
        if let Some(bytes) = self.bytes.filter(|bytes| *bytes < needs.bytes) {
            return Some(format!(
                "the relay carries {} KiB, and the question with its answer may have {} KiB",
                bytes >> 10,
                needs.bytes >> 10
            ));
        }
        let time = self.time.filter(|time| *time < needs.time)?;
        let (time, needed) = (time.as_secs(), needs.time.as_secs());
        Some(format!("the relay closes a connection after {time} s, and the answer may take {needed} s"))
    }

    fn of(bytes: Option<u64>, time: Option<Duration>) -> Self {
        // Zero is no limit, as the specification of circuit relays says.
        Self { bytes: bytes.filter(|bytes| *bytes > 0), time: time.filter(|time| !time.is_zero()) }
    }
}

/// The limits that relays have stated: of circuits that this node opened by the relay, of those that others opened by the other
/// end.
pub(crate) struct StatedLimits(LruCache<PeerId, CircuitLimits>);

impl Default for StatedLimits {
    fn default() -> Self {
        Self(LruCache::new(MAX_REMEMBERED))
    }
}

impl StatedLimits {
    /// A circuit was opened, or a place taken.
    pub(crate) fn stated(&mut self, event: &relay::client::Event) {
        use relay::client::Event;
        let (node, limit) = match event {
            Event::OutboundCircuitEstablished { relay_peer_id, limit }
            | Event::ReservationReqAccepted { relay_peer_id, limit, .. } => (relay_peer_id, limit),
            Event::InboundCircuitEstablished { src_peer_id, limit } => (src_peer_id, limit),
        };
        let (bytes, time) =
            limit.as_ref().map_or((None, None), |limit| (limit.data_in_bytes(), limit.duration()));
        self.0.put(*node, CircuitLimits::of(bytes, time));
    }

    /// The limits of a relayed connection with `peer`.
    pub(crate) fn of(&self, peer: &PeerId, endpoint: &ConnectedPoint) -> CircuitLimits {
        let stated = match endpoint {
            ConnectedPoint::Dialer { address, .. } => relay(address).and_then(|relay| self.0.peek(&relay)),
            ConnectedPoint::Listener { .. } => self.0.peek(peer),
        };
        stated.copied().unwrap_or_default()
    }
}

/// The relay that an address leads through.
fn relay(address: &Multiaddr) -> Option<PeerId> {
    let mut last = None;
    for part in address.iter() {
        match part {
            Protocol::P2p(peer) => last = Some(peer),
            Protocol::P2pCircuit => return last,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_needs_more_than_a_limit_is_refused_with_both_figures() {
        let limits = CircuitLimits { bytes: Some(128 << 10), time: Some(Duration::from_secs(120)) };
        let needs = |kib: u64, seconds| StreamNeeds { bytes: kib << 10, time: Duration::from_secs(seconds) };
        assert_eq!(limits.refusal(needs(128, 120)), None);
        assert!(
            limits.refusal(needs(129, 1)).is_some_and(|why| why.contains("128 KiB") && why.contains("129"))
        );
        assert!(
            limits.refusal(needs(1, 121)).is_some_and(|why| why.contains("120 s") && why.contains("121 s"))
        );
        assert_eq!(CircuitLimits::default().refusal(needs(1 << 30, 1 << 30)), None);
        assert_eq!(CircuitLimits::of(Some(0), Some(Duration::ZERO)), CircuitLimits::default());
    }

    #[test]
    fn the_relay_of_an_address_is_the_node_before_the_circuit() {
        let [first, second] = [PeerId::random(), PeerId::random()];
        let circuit = |text: String| text.parse::<Multiaddr>().unwrap();
        let through = circuit(format!("/ip4/8.8.4.4/tcp/1/p2p/{first}/p2p-circuit/p2p/{second}"));
        assert_eq!(relay(&through), Some(first));
        assert_eq!(relay(&circuit(format!("/ip4/8.8.4.4/tcp/1/p2p/{first}"))), None);
    }
}
