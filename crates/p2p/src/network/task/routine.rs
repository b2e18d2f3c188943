//! Periodic work: dialling, decay of faults, registration checks, writing the peer store.

use std::time::Duration;

use libp2p::swarm::{DialError, dial_opts::DialOpts};
use tokio::{task::JoinHandle, time::Instant};

use super::Task;
use crate::peer_store;

/// Interval of the periodic work.
const TICK_INTERVAL: Duration = Duration::from_secs(1);

/// Ticks between two checks of which peers are registered.
const REGISTRY_TICKS: u64 = 5;

/// Ticks between two writes of the peer store, and between two dials of stored nodes while no peer is connected.
const STORE_TICKS: u64 = 30;

/// Stored nodes that are dialled at the start, and while no peer is connected.
const MAX_REDIALLED: usize = 16;

/// The state of the periodic work.
pub(super) struct Routine {
    tick: Instant,
    ticks: u64,
    /// The write of the peer store in progress.
    writing: Option<JoinHandle<()>>,
}

impl Routine {
    pub(super) fn new() -> Self {
        Self { tick: Instant::now() + TICK_INTERVAL, ticks: 0, writing: None }
    }
}

impl Task {
    pub(super) fn next_due(&self) -> Instant {
        let due = [self.dialer.next_due(), self.circuits.next_due(), self.next_road_due()];
        due.into_iter().flatten().fold(self.routine.tick, Instant::min)
    }

    pub(super) fn due(&mut self, now: Instant) {
        self.dial(now);
        let swarm = &mut self.swarm;
        self.circuits.listen_due(now, |address| {
            let listened = swarm.listen_on(address);
            listened.inspect_err(|error| tracing::warn!(%error, "cannot listen through a relay")).ok()
        });
        self.settle_due(now);
        if self.routine.tick <= now {
            self.routine.tick = now + TICK_INTERVAL;
            self.routine.ticks += 1;
            self.tick(now);
        }
    }

    fn tick(&mut self, now: Instant) {
        self.measure();
        self.tend_contacts(self.routine.ticks);
        self.choose_relays(now);
        self.follow_own_address();
        for (id, peer) in &mut self.peers {
            peer.standing.fade(&mut self.swarm.behaviour_mut().gossip, id);
        }
        if self.routine.ticks.is_multiple_of(REGISTRY_TICKS) {
            self.refresh_registrations();
        }
        if self.routine.ticks.is_multiple_of(STORE_TICKS) {
            self.save();
            // Only then: with one peer, lookups find the others, and dialling stored nodes would be work for
            // nothing.
            if self.peers.is_empty() {
                self.dial_known_nodes();
            }
        }
    }

    /// Applies changes of the registry to connected peers.
    fn refresh_registrations(&mut self) {
        let mut changed = Vec::new();
        let mut classes = Vec::new();
        for (id, peer) in &mut self.peers {
            let registered = self.admission.is_registered(&peer.node);
            classes.push((*id, registered, self.admission.standing(&peer.node).class));
            if std::mem::replace(&mut peer.registered, registered) != registered {
                changed.push((*id, registered));
            }
        }
        for (id, registered, class) in classes {
            self.set_gossip_access(&id, registered, class);
        }
        for (id, registered) in changed {
            self.relay_share.forget(&id);
            if registered {
                self.route(id);
            } else {
                // The table holds registered nodes only, since its nodes store the records of others.
                self.swarm.behaviour_mut().kad.remove_peer(&id);
            }
        }
    }

    fn dial(&mut self, now: Instant) {
        for (peer, addresses) in self.dialer.take_due(now) {
            let options = DialOpts::peer_id(peer).addresses(addresses).build();
            match self.swarm.dial(options) {
                // The condition fails while the peer is connected or being dialled: that is the aim and no
                // failure.
                Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
                Err(error) => {
                    tracing::debug!(%peer, %error, "cannot dial a bootstrap node");
                    self.dialer.lost(&peer, now);
                }
            }
        }
    }

    /// Dials the nodes seen last.
    pub(super) fn dial_known_nodes(&mut self) {
        for (peer, addresses) in self.book.latest(MAX_REDIALLED) {
            self.dial_if_registered(peer, &addresses);
        }
    }

    /// Writes the peer store, unless the last write is still in progress.
    fn save(&mut self) {
        let Some(path) = self.config.peer_store.clone() else { return };
        if self.routine.writing.as_ref().is_some_and(|writing| !writing.is_finished()) {
            return;
        }
        let Some(bytes) = self.book.take_changes() else { return };
        self.routine.writing = Some(tokio::task::spawn_blocking(move || {
            if let Err(error) = peer_store::write(&path, &bytes) {
                tracing::warn!(path = %path.display(), %error, "the peer store cannot be written");
            }
        }));
    }

    /// Writes the remaining changes of the peer store, and waits until they are written.
    pub(super) async fn save_on_stop(&mut self) {
        for _ in 0..2 {
            if let Some(writing) = self.routine.writing.take() {
                // Fails only when the runtime is going down.
                let _ = writing.await;
            }
            self.save();
        }
        if let Some(writing) = self.routine.writing.take() {
            let _ = writing.await;
        }
    }
}
