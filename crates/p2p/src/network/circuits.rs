//! Listening through relays: asks each for a reservation, and asks again after a loss, with backoff.
//!
//! The operator names relays, or the node chooses them itself ([`super::task`]). A chosen one that is lost or refuses is given up
//! and left alone for a while, so that another one is chosen. No listener is ever removed here: libp2p's relay client panics
//! when a renewal is answered after that.

use std::{collections::BTreeMap, time::Duration};

use libp2p::{Multiaddr, PeerId, core::transport::ListenerId, multiaddr::Protocol};
use tokio::time::Instant;

use crate::{address::is_circuit, backoff::Backoff};

/// How long a relay that refused or was lost is not chosen again. One that has just started does not know its own address
/// yet and refuses for that reason.
const REST_TIME: Duration = Duration::from_secs(15);

/// Relays that are remembered as refusing; beyond them, they may be chosen again earlier.
const MAX_RESTING: usize = 64;

/// The relays to listen on. Bounded by the configuration and by how many are chosen.
pub(super) struct Circuits {
    circuits: Vec<Circuit>,
    /// Relays that are not chosen until then.
    resting: BTreeMap<PeerId, Instant>,
}

struct Circuit {
    address: Multiaddr,
    /// Whether this node chose the relay, and the configuration does not name it.
    chosen: bool,
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
            chosen: false,
            listener: None,
            backoff: Backoff::default(),
            due: Some(Instant::now()),
        });
        Self { circuits: circuits.collect(), resting: BTreeMap::new() }
    }

    /// How many relays are in use or being asked.
    pub(super) fn count(&self) -> usize {
        self.circuits.len()
    }

    /// Whether `relay` may be chosen: it is not in use, and has not refused lately.
    pub(super) fn may_choose(&self, relay: &PeerId, now: Instant) -> bool {
        let used = self.circuits.iter().any(|circuit| relay_of(&circuit.address) == Some(*relay));
        !used && self.resting.get(relay).is_none_or(|until| *until <= now)
    }

    /// Listens through one more relay, at `address`, which ends in `/p2p-circuit`. It is asked at once.
    pub(super) fn choose(&mut self, address: Multiaddr) {
        let due = Some(Instant::now());
        self.circuits.push(Circuit {
            address,
            chosen: true,
            listener: None,
            backoff: Backoff::default(),
            due,
        });
    }

    /// When the next is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.circuits.iter().filter_map(|circuit| circuit.due).min()
    }

    /// Listens on all that is due, by `listen`.
    pub(super) fn listen_due(
        &mut self,
        now: Instant,
        mut listen: impl FnMut(Multiaddr) -> Option<ListenerId>,
    ) {
        let due = |circuit: &&mut Circuit| circuit.due.is_some_and(|due| due <= now);
        for circuit in self.circuits.iter_mut().filter(due) {
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
        let Some(circuit) = self.by_listener(listener) else { return };
        if !circuit.chosen {
            return circuit.schedule_retry(now);
        }
        let relay = relay_of(&circuit.address);
        self.circuits.retain(|circuit| circuit.listener != Some(listener));
        self.resting.retain(|_, until| *until > now);
        if let Some(relay) = relay.filter(|_| self.resting.len() < MAX_RESTING) {
            self.resting.insert(relay, now + REST_TIME);
        }
    }

    fn by_listener(&mut self, listener: ListenerId) -> Option<&mut Circuit> {
        self.circuits.iter_mut().find(|circuit| circuit.listener == Some(listener))
    }
}

/// The relay that an address leads through: the first identity in it.
fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    address.iter().find_map(|part| match part {
        Protocol::P2p(peer) => Some(peer),
        _ => None,
    })
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

    use super::*;

    fn circuit(relay: PeerId) -> Multiaddr {
        format!("/ip4/127.0.0.1/udp/1/quic-v1/p2p/{relay}/p2p-circuit").parse().unwrap()
    }

    #[test]
    fn a_chosen_relay_that_is_lost_rests_and_makes_room_for_another() {
        let (mut circuits, relay, now) = (Circuits::new(&[]), PeerId::random(), Instant::now());
        assert!(circuits.may_choose(&relay, now));
        circuits.choose(circuit(relay));
        assert!(!circuits.may_choose(&relay, now), "in use");
        let listener = ListenerId::next();
        circuits.listen_due(Instant::now(), |_| Some(listener));
        circuits.listening(listener);
        circuits.closed(listener, now);
        assert_eq!((circuits.count(), circuits.next_due()), (0, None), "not asked again by itself");
        assert!(!circuits.may_choose(&relay, now) && circuits.may_choose(&PeerId::random(), now));
        assert!(circuits.may_choose(&relay, now + REST_TIME));
    }

    #[test]
    fn what_is_remembered_of_refusals_is_bounded() {
        let (mut circuits, now) = (Circuits::new(&[]), Instant::now());
        for _ in 0..10 * MAX_RESTING {
            let listener = ListenerId::next();
            circuits.choose(circuit(PeerId::random()));
            circuits.listen_due(Instant::now(), |_| Some(listener));
            circuits.closed(listener, now);
        }
        assert_eq!((circuits.count(), circuits.resting.len()), (0, MAX_RESTING));
    }

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
