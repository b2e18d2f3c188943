//! What has to be done at its time: dialling, fading of faults, keeping the peer store.

use std::time::Duration;

use libp2p::swarm::{DialError, dial_opts::DialOpts};
use tokio::{task::JoinHandle, time::Instant};

use super::Task;
use crate::peer_store;

/// Between two looks at everything that changes slowly.
const TICK: Duration = Duration::from_secs(1);

/// Ticks between two looks at who is registered.
const REGISTRY: u64 = 5;

/// Ticks between two writes of the peer store, and between two tries to find company when alone.
const STORE: u64 = 30;

/// Known nodes that are dialled at the start, and whenever nobody is connected.
const REDIALLED: usize = 16;

/// The clockwork.
pub(super) struct Routine {
    tick: Instant,
    ticks: u64,
    /// The peer store on its way to the disk.
    writing: Option<JoinHandle<()>>,
}

impl Routine {
    pub(super) fn new() -> Self {
        Self { tick: Instant::now() + TICK, ticks: 0, writing: None }
    }
}

impl Task {
    pub(super) fn next_due(&self) -> Instant {
        let due = [self.dialer.next_due(), self.circuits.next_due()];
        due.into_iter().flatten().fold(self.routine.tick, Instant::min)
    }

    pub(super) fn due(&mut self, now: Instant) {
        self.dial(now);
        let swarm = &mut self.swarm;
        self.circuits.listen_due(now, |address| {
            let listened = swarm.listen_on(address);
            listened.inspect_err(|error| tracing::warn!(%error, "cannot listen through a relay")).ok()
        });
        if self.routine.tick <= now {
            self.routine.tick = now + TICK;
            self.routine.ticks += 1;
            self.tick();
        }
    }

    fn tick(&mut self) {
        for (id, peer) in &mut self.peers {
            peer.excess.fade(&mut self.swarm.behaviour_mut().gossip, id);
        }
        if self.routine.ticks.is_multiple_of(REGISTRY) {
            self.recheck();
        }
        if self.routine.ticks.is_multiple_of(STORE) {
            self.save();
            if self.peers.is_empty() {
                self.dial_known();
            }
        }
    }

    /// The registry changes while connections stand.
    fn recheck(&mut self) {
        let mut changed = Vec::new();
        for (id, peer) in &mut self.peers {
            let registered = self.admission.is_registered(&peer.node);
            if std::mem::replace(&mut peer.registered, registered) != registered {
                changed.push((*id, registered));
            }
        }
        for (id, registered) in changed {
            self.hear(&id, registered);
            if registered {
                self.route(id);
            } else {
                self.swarm.behaviour_mut().kad.remove_peer(&id);
            }
        }
    }

    fn dial(&mut self, now: Instant) {
        for (peer, address) in self.dialer.take_due(now) {
            let options = DialOpts::peer_id(peer).addresses(vec![address]).build();
            match self.swarm.dial(options) {
                Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
                Err(error) => {
                    tracing::debug!(%peer, %error, "cannot dial a bootstrap node");
                    self.dialer.lost(&peer, now);
                }
            }
        }
    }

    /// Dials the nodes seen last.
    pub(super) fn dial_known(&mut self) {
        for (peer, addresses) in self.book.latest(REDIALLED) {
            self.meet(peer, &addresses);
        }
    }

    /// Writes the peer store, unless the last write is still going on.
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

    /// Writes what is not written yet, and waits for it.
    pub(super) async fn save_at_last(&mut self) {
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
