//! Engines connected to each other without loss or delay.

mod agree;
mod bounds;
mod restart;
mod timeliness;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use nervure_primitives::{Hash, MeshId, NodeKey};

use super::*;
use crate::{
    bft::{
        BlockStamp, Message, Proposal, SignedStatement, SignerRecord, Timeouts, Timer, TimerKind, Vote,
        VoteKind, proposer::ProposerOrder,
    },
    checkpoint::CommitCertificate,
};

pub(super) const MESH: MeshId = MeshId::from_bytes([3; 32]);

/// The clock of every node that no test changes.
pub(super) const NOW: UnixMillis = UnixMillis(1_000_000);

pub(super) fn key(n: u8) -> NodeKey {
    NodeKey::from_seed(&[n; 32])
}

pub(super) fn node(n: u8) -> NodeId {
    key(n).node_id()
}

/// The block that validator `n` proposes at `height`.
pub(super) fn block(height: BlockHeight, round: Round) -> Hash {
    Hash::of("block", &[&height.0.to_be_bytes(), &round.0.to_be_bytes()])
}

pub(super) fn validators(count: u8) -> Arc<ValidatorSet> {
    Arc::new(ValidatorSet::from_stakes((1..=count).map(|n| (node(n), 10))).unwrap())
}

pub(super) fn vote(n: u8, round: u32, kind: VoteKind, value: Option<Hash>) -> Message {
    let vote = Vote { height: BlockHeight(1), round: Round(round), kind, value };
    Message::Vote(SignedStatement::sign(&key(n), &MESH, vote).unwrap())
}

pub(super) fn config() -> Config {
    Config::new(Timeouts::local(), Duration::ZERO)
}

/// An engine with the state of its node.
pub(super) struct TestNode {
    pub(super) engine: Engine,
    pub(super) log: Vec<WalEntry>,
    pub(super) record: SignerRecord,
    pub(super) sent: Vec<Message>,
    pub(super) decided: Vec<CommitCertificate>,
    pub(super) timers: BTreeMap<Timer, Duration>,
    pub(super) other: Vec<Effect>,
    pub(super) valid: bool,
    /// Its clock.
    pub(super) now: UnixMillis,
    /// What blocks of others say: their time, and their proposer if it is not the one that proposes them.
    pub(super) stamp: (UnixMillis, Option<NodeId>),
}

impl TestNode {
    pub(super) fn new(n: u8) -> Self {
        Self::with(n, config(), SignerRecord::default())
    }

    pub(super) fn with(n: u8, config: Config, record: SignerRecord) -> Self {
        Self {
            engine: Engine::new(config, Signer::new(key(n), MESH, record)),
            log: Vec::new(),
            record,
            sent: Vec::new(),
            decided: Vec::new(),
            timers: BTreeMap::new(),
            other: Vec::new(),
            valid: true,
            now: NOW,
            stamp: (NOW, None),
        }
    }

    pub(super) fn start(&mut self, height: u64, count: u8, log: Vec<WalEntry>) {
        self.log.clone_from(&log);
        let (validators, silent, now) = (validators(count), BTreeSet::new(), self.now);
        self.give(Input::Start { height: BlockHeight(height), validators, silent, log, now });
    }

    /// Handles an input and performs the effects, answering requests at once.
    pub(super) fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.engine.handle(input).unwrap() {
                inputs.extend(self.perform(effect));
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Append(entry) => self.log.push(entry),
            Effect::SaveSigner(record) => self.record = record,
            Effect::Broadcast(message) => self.sent.push(message),
            Effect::Schedule { timer, after } => drop(self.timers.insert(timer, after)),
            Effect::Cancel(timer) => drop(self.timers.remove(&timer)),
            Effect::CancelAll => self.timers.retain(|timer, _| timer.kind == TimerKind::Listen),
            Effect::Propose { height, round, .. } => {
                return Some(Input::Proposed { height, round, value: block(height, round) });
            }
            Effect::Validate(candidate) => {
                let (height, value) = (candidate.height, candidate.value);
                let proposer = self.stamp.1.unwrap_or(candidate.proposer);
                let stamp = self.valid.then_some(BlockStamp { proposer, time: self.stamp.0 });
                return Some(Input::Validated { height, value, stamp });
            }
            Effect::Decided(certificate) => self.decided.push(certificate),
            other => self.other.push(other),
        }
        None
    }

    pub(super) fn receive(&mut self, message: Message) {
        self.give(Input::Message { from: node(99), message, at: self.now });
    }

    pub(super) fn errors(&mut self) -> Vec<crate::bft::MessageError> {
        let others = std::mem::take(&mut self.other);
        let errors = others.into_iter().filter_map(|effect| match effect {
            Effect::Refused { reason, .. } => Some(reason),
            _ => None,
        });
        errors.collect()
    }

    /// Fires the timer of this kind.
    pub(super) fn fire(&mut self, kind: crate::bft::TimerKind) {
        let timer = *self.timers.keys().find(|timer| timer.kind == kind).expect("the timer runs");
        self.timers.remove(&timer);
        self.give(Input::Elapsed(timer));
    }
}

/// Delivers messages until none are left.
pub(super) fn deliver(nodes: &mut [TestNode]) {
    loop {
        let sent: Vec<_> = nodes.iter_mut().flat_map(|node| std::mem::take(&mut node.sent)).collect();
        if sent.is_empty() {
            return;
        }
        for message in sent {
            for node in nodes.iter_mut() {
                node.receive(message.clone());
            }
        }
    }
}

/// The proposer of a round.
pub(super) fn proposer(count: u8, height: u64, round: u32) -> u8 {
    let order = ProposerOrder::new(&MESH, BlockHeight(height), (&validators(count), &BTreeSet::new()));
    let members = core::CoreValidatorSet::new(&validators(count), order);
    (1..=count).find(|n| node(*n) == members.proposer(round)).unwrap()
}

pub(super) fn proposal(n: u8, round: u32, valid_round: Option<u32>, value: Hash) -> Message {
    let valid_round = valid_round.map(Round);
    let proposal = Proposal { height: BlockHeight(1), round: Round(round), value, valid_round };
    Message::Proposal(SignedStatement::sign(&key(n), &MESH, proposal).unwrap())
}
