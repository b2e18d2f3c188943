//! Listening through relays: asks each for a reservation, and asks again after a loss, with backoff.

use libp2p::{Multiaddr, core::transport::ListenerId, multiaddr::Protocol};
use tokio::time::Instant;

use crate::backoff::Backoff;

/// Whether `address` leads through a relay.
pub(super) fn is_circuit(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The relays to listen on. Bounded by the configuration.
pub(super) struct Circuits(Vec<Circuit>);

struct Circuit {
    address: Multiaddr,
    listener: Option<ListenerId>,
    backoff: Backoff,
    /// When to ask; none while there is a listener.
    due: Option<Instant>,
}

impl Circuits {
    /// Those of `addresses` that lead through a relay, due at once.
    pub(super) fn new(addresses: &[Multiaddr]) -> Self {
        let circuits = addresses.iter().filter(|address| is_circuit(address)).map(|address| Circuit {
            address: address.clone(),
            listener: None,
            backoff: Backoff::default(),
            due: Some(Instant::now()),
        });
        Self(circuits.collect())
    }

    /// When the next is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.iter().filter_map(|circuit| circuit.due).min()
    }

    /// Listens on all that is due, by `listen`.
    pub(super) fn listen_due(
        &mut self,
        now: Instant,
        mut listen: impl FnMut(Multiaddr) -> Option<ListenerId>,
    ) {
        for circuit in self.0.iter_mut().filter(|circuit| circuit.due.is_some_and(|due| due <= now)) {
            circuit.listener = listen(circuit.address.clone());
            circuit.due = None;
            if circuit.listener.is_none() {
                circuit.schedule_retry(now);
            }
        }
    }

    /// The relay has granted a reservation.
    pub(super) fn listening(&mut self, listener: ListenerId) {
        if let Some(circuit) = self.by_listener(listener) {
            // Only a granted reservation resets the failures: opening the listener succeeds also when the
            // relay then refuses.
            circuit.backoff.succeed();
        }
    }

    /// The listener was closed, or the reservation was refused.
    pub(super) fn closed(&mut self, listener: ListenerId, now: Instant) {
        if let Some(circuit) = self.by_listener(listener) {
            circuit.schedule_retry(now);
        }
    }

    fn by_listener(&mut self, listener: ListenerId) -> Option<&mut Circuit> {
        self.0.iter_mut().find(|circuit| circuit.listener == Some(listener))
    }
}

impl Circuit {
    fn schedule_retry(&mut self, now: Instant) {
        self.listener = None;
        self.due = Some(now + self.backoff.fail(&mut rand::rng()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use libp2p::PeerId;

    use super::*;

    #[test]
    fn retries_a_lost_reservation_and_ignores_other_listeners() {
        let relay = format!("/ip4/127.0.0.1/udp/1/quic-v1/p2p/{}/p2p-circuit", PeerId::random());
        let mut circuits =
            Circuits::new(&[relay.parse().unwrap(), "/ip4/127.0.0.1/udp/2/quic-v1".parse().unwrap()]);
        let (now, listener) = (Instant::now(), ListenerId::next());
        let mut asked = 0;
        circuits.listen_due(now, |_| {
            asked += 1;
            Some(listener)
        });
        assert_eq!((asked, circuits.next_due()), (1, None));
        circuits.listening(listener);
        circuits.closed(ListenerId::next(), now);
        assert_eq!(circuits.next_due(), None, "another listener");
        circuits.closed(listener, now);
        assert!(circuits.next_due().unwrap() > now);
        circuits.listen_due(now + Duration::from_secs(1), |_| None);
        assert!(circuits.next_due().is_some(), "a refused reservation is retried");
    }
}
