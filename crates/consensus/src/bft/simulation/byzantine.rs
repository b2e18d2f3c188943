//! How Byzantine validators send messages.
//!
//! Each Byzantine validator runs an ordinary engine, and its messages are changed on the way out.
//! The equivocator is the strongest: it knows which block every receiver saw proposed first, and
//! votes for that block with valid signatures.

use std::{collections::BTreeMap, rc::Rc};

use nervure_primitives::Hash;
use rand::Rng;

use super::{
    Behaviour, FaultKind,
    events::Packet,
    plan::MILLISECOND,
    world::{SeenProposal, World},
};
use crate::bft::{
    Application, Message, Proposal, SignedProposal, SignedStatement, SignedVote, Vote, VoteKind,
};

impl<A: Application> World<'_, A> {
    /// Sends a message of an instance to all others, changed by its behaviour.
    pub(super) fn send_with_behaviour(&mut self, at: usize, message: Message) {
        match (self.nodes[at].behaviour, message) {
            (Behaviour::Silent, _) => self.faults.note(FaultKind::Silence),
            (Behaviour::Equivocator, Message::Vote(vote)) => self.vote_for_all(at, &vote),
            (Behaviour::Equivocator, Message::Proposal(proposal)) => self.propose_two(at, &proposal),
            (Behaviour::Mutator, message) => self.mutate(at, &message),
            (Behaviour::Delayer, message) if self.rng.random_bool(0.4) => {
                self.faults.note(FaultKind::Delay);
                let extra = self.rng.random_range(100..3_000) * MILLISECOND;
                self.send_to_all(at, &message, extra);
            }
            (behaviour, message) => {
                if behaviour == Behaviour::Twins && self.is_second(at) {
                    self.faults.note(FaultKind::Twin);
                }
                self.send_to_all(at, &message, 0);
            }
        }
    }

    fn send_to_all(&mut self, at: usize, message: &Message, extra: u64) {
        if let Ok(bytes) = message.encode() {
            self.send_all(at, &Rc::from(bytes), extra);
        }
    }

    /// Whether it is the second instance with its key.
    fn is_second(&self, at: usize) -> bool {
        let node = self.nodes[at].key.node_id();
        self.nodes[..at].iter().any(|other| other.key.node_id() == node)
    }

    /// Flips a bit of some messages.
    fn mutate(&mut self, at: usize, message: &Message) {
        let Ok(mut bytes) = message.encode() else { return };
        if self.rng.random_bool(0.3) {
            self.faults.note(FaultKind::Mutation);
            let bit = self.rng.random_range(0..bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        self.send_all(at, &Rc::from(bytes), 0);
    }

    /// Votes for the block that each receiver saw first.
    fn vote_for_all(&mut self, at: usize, vote: &SignedVote) {
        let mut made: BTreeMap<Option<Hash>, Rc<[u8]>> = BTreeMap::new();
        for to in (0..self.nodes.len()).filter(|to| *to != at) {
            let Vote { height, round, .. } = vote.statement;
            let seen = self.first_seen.get(&SeenProposal { by: to, height, round }).copied();
            // The engine votes for its own block before it proposes it. It is not yet decided which
            // of the two blocks this receiver will see.
            if seen.is_none() && vote.statement.value.is_some() {
                continue;
            }
            let value = seen.or(vote.statement.value);
            let known = made.get(&value).cloned();
            let changed = Vote { value, ..vote.statement };
            let Some(bytes) = known.or_else(|| self.sign(at, changed, Message::Vote)) else { continue };
            made.insert(value, bytes.clone());
            self.send(at, to, Packet::Message(bytes), 0);
        }
        if made.len() > 1 {
            self.faults.note(FaultKind::Equivocation);
        }
    }

    /// Proposes one block to some and another to the rest.
    fn propose_two(&mut self, at: usize, proposal: &SignedProposal) {
        let other = self.propose(at, proposal.statement.round);
        let node = &mut self.nodes[at];
        node.blocks.insert(other.id, other.body.clone().into());
        let second = Proposal { value: other.id, valid_round: None, ..proposal.statement };
        let first = Message::Proposal(*proposal).encode().ok().map(Rc::<[u8]>::from);
        let second = self.sign(at, second, Message::Proposal);
        let (Some(first), Some(second)) = (first, second) else { return };
        self.faults.note(FaultKind::Equivocation);
        let odd = self.rng.random_range(0..2);
        let Proposal { height, round, value, .. } = proposal.statement;
        for (turn, to) in (0..self.nodes.len()).filter(|to| *to != at).enumerate() {
            let (bytes, value) = if turn % 2 == odd { (&first, value) } else { (&second, other.id) };
            self.first_seen.insert(SeenProposal { by: to, height, round }, value);
            self.send(at, to, Packet::Message(bytes.clone()), 0);
            let vote = Vote { height, round, kind: VoteKind::Prevote, value: Some(value) };
            if let Some(vote) = self.sign(at, vote, Message::Vote) {
                self.send(at, to, Packet::Message(vote), 0);
            }
        }
    }

    /// Signs without the signer's double-sign check.
    fn sign<T: crate::bft::Statement>(
        &self,
        at: usize,
        statement: T,
        message: impl FnOnce(SignedStatement<T>) -> Message,
    ) -> Option<Rc<[u8]>> {
        let signed = SignedStatement::sign(&self.nodes[at].key, &self.plan.mesh, statement).ok()?;
        message(signed).encode().ok().map(Rc::from)
    }
}
