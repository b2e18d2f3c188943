//! What instances send each other beside consensus: blocks and decisions, requested, retried and delivered.

use std::rc::Rc;

use nervure_primitives::Hash;
use rand::Rng;

use super::{
    super::{
        Behaviour, FaultKind,
        events::{LocalEvent, Packet},
        plan::MILLISECOND,
        world::{SeenProposal, World},
    },
    RETRY_DELAY,
};
use crate::{
    bft::{Application, Candidate, Input, Message},
    checkpoint::CommitCertificate,
};

impl<A: Application> World<'_, A> {
    pub(super) fn validate(&mut self, at: usize, candidate: Candidate) {
        if self.nodes[at].blocks.contains_key(&candidate.value) {
            return self.execute(at, candidate);
        }
        let asked = self.nodes[at].fetching.insert(candidate.value, candidate);
        if asked.is_none() {
            let proposer = (0..self.nodes.len()).find(|n| self.nodes[*n].key.node_id() == candidate.proposer);
            if let Some(proposer) = proposer.filter(|proposer| *proposer != at) {
                self.send(at, proposer, Packet::GetBlock(candidate.value), 0);
            }
            self.fetch(at, candidate.value);
        }
    }

    /// Asks a random peer for a block that is still needed, and schedules a retry.
    pub(super) fn fetch(&mut self, at: usize, id: Hash) {
        let node = &self.nodes[at];
        let wanted = node.fetching.get(&id).is_some_and(|c| c.height == node.next_height());
        if !wanted || node.driver.is_none() {
            self.nodes[at].fetching.remove(&id);
            return;
        }
        let peer = self.rng.random_range(0..self.nodes.len());
        self.send(at, peer, Packet::GetBlock(id), 0);
        self.plan_local(at, RETRY_DELAY, LocalEvent::Fetch(id));
    }

    fn execute(&mut self, at: usize, candidate: Candidate) {
        let node = &mut self.nodes[at];
        let Some(body) = node.blocks.get(&candidate.value).cloned() else { return };
        if candidate.height == node.next_height() {
            let stamp = node.app.stamp_of(&body).filter(|_| node.app.validate(&body));
            let after = self.rng.random_range(MILLISECOND / 2..5 * MILLISECOND);
            let Candidate { height, value, .. } = candidate;
            self.plan_local(at, after, LocalEvent::Validated { height, value, stamp });
        }
    }

    /// Handles a packet; dropped when no process runs.
    pub(in super::super) fn receive(&mut self, from: usize, to: usize, packet: Packet) {
        if self.nodes[to].driver.is_none() {
            return;
        }
        match packet {
            Packet::Message(bytes) => {
                let Ok(message) = Message::decode(&bytes) else { return };
                if let Message::Proposal(proposal) = &message {
                    let statement = proposal.statement;
                    let proposal = SeenProposal { by: to, height: statement.height, round: statement.round };
                    self.first_seen.entry(proposal).or_insert(statement.value);
                }
                let (from, at) = (self.nodes[from].key.node_id(), self.clock(to));
                self.input(to, Input::Message { from, message, at });
            }
            Packet::GetBlock(id) => {
                let node = &self.nodes[to];
                let committed = || node.chain.values().find(|(_, body)| node.app.id_of(body) == Some(id));
                let body = node.blocks.get(&id).or_else(|| committed().map(|(_, body)| body)).cloned();
                if let Some(body) = body.filter(|_| self.nodes[to].behaviour != Behaviour::Silent) {
                    self.send(to, from, Packet::Block(id, body), 0);
                }
            }
            Packet::Block(id, body) if self.nodes[to].app.id_of(&body) == Some(id) => {
                if let Some(candidate) = self.nodes[to].fetching.remove(&id) {
                    self.nodes[to].blocks.insert(id, body);
                    self.execute(to, candidate);
                }
            }
            // The body is not the block of that id.
            Packet::Block(..) => {}
            Packet::GetDecision(height) => {
                if let Some((certificate, body)) = self.nodes[to].chain.get(&height).cloned() {
                    self.send(to, from, Packet::Decision(certificate, body), 0);
                }
            }
            Packet::Decision(certificate, body) => self.catch_up(from, to, &certificate, body),
        }
    }

    fn catch_up(&mut self, from: usize, to: usize, certificate: &[u8], body: Rc<[u8]>) {
        let Ok(certificate) = CommitCertificate::decode(certificate) else { return };
        let node = &mut self.nodes[to];
        let genuine = node.app.id_of(&body) == Some(certificate.value);
        if genuine && certificate.height == node.next_height() {
            self.faults.note(FaultKind::Sync);
            node.blocks.entry(certificate.value).or_insert(body);
            let from = self.nodes[from].key.node_id();
            self.input(to, Input::Certificate { from, certificate });
        }
    }
}
