//! The common setup of the attacks: a mesh, a few nodes, who is registered, and miners of known quality.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use nervure_primitives::{BlockHeight, MechanismSpec, MeshId, Netuid, NodeId, NodeKey, UnixMillis};
use nervure_protocol::{ExpertId, ExpertRequest, Neurons};
use nervure_subnet::{
    Dice, Registration, ScoredExpert,
    mechanism::{Answer, Corpus, Document, Mechanism, Reply, build},
};

pub(crate) const MESH: MeshId = MeshId::from_bytes([7; 32]);
pub(crate) const NOW: UnixMillis = UnixMillis(1_000_000_000);
pub(crate) const SUBNET: Netuid = Netuid(1);

/// Nodes 1 to 5 are validators, 10 to 29 miners; no other node is registered.
pub(crate) struct Ledger;

impl Neurons for Ledger {
    fn may_validate(&self, node: &NodeId, netuid: Netuid) -> bool {
        netuid == SUBNET && (1..=5).any(|seed| id(seed) == *node)
    }

    fn registered_at(&self, node: &NodeId, netuid: Netuid) -> Option<BlockHeight> {
        let known = (1..=5).chain(10..30).any(|seed| id(seed) == *node);
        (netuid == SUBNET && known).then_some(BlockHeight(1))
    }
}

pub(crate) fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

pub(crate) fn id(seed: u8) -> NodeId {
    key(seed).node_id()
}

pub(crate) fn registration(seed: u8) -> Registration {
    Registration { node: id(seed), block: BlockHeight(1) }
}

/// The only expert of a neuron.
pub(crate) fn expert_of(neuron: &Registration) -> ScoredExpert {
    ScoredExpert { neuron: *neuron, expert: ExpertId::from_bytes(*neuron.node.as_bytes()) }
}

/// The only expert of a node.
pub(crate) fn expert(seed: u8) -> ScoredExpert {
    expert_of(&registration(seed))
}

/// A text in which each byte mostly follows from the last one.
fn text() -> Arc<[u8]> {
    let mut dice = Dice::new(42.into());
    let mut last = b'a';
    let next = |_| {
        last = if dice.below(4) == 0 { b'a' + dice.below(26) as u8 } else { follower(last) };
        last
    };
    (0..60_000).map(next).collect()
}

pub(crate) fn follower(byte: u8) -> u8 {
    b'a' + (byte.wrapping_mul(7).wrapping_add(3)) % 26
}

pub(crate) fn corpus() -> Corpus {
    static TEXT: LazyLock<Arc<[u8]>> = LazyLock::new(text);
    Corpus::new([Document { capability: "text.generate".parse().unwrap(), text: TEXT.clone() }])
}

/// Distributions only: the models of these tests complete nothing.
pub(crate) fn next_byte() -> Box<dyn Mechanism> {
    build(&MechanismSpec::named("next-byte").with("completions", 0)).unwrap()
}

/// The replies of a model that knows the rule of the text as surely as `sure`, each model with an opinion of its own
/// on the rest.
pub(crate) fn model(requests: &[ExpertRequest], sure: f32, taste: u8) -> Vec<Reply> {
    requests
        .iter()
        .map(|question| Reply::new(Answer::Distribution(believed(question, sure, taste)), Duration::ZERO))
        .collect()
}

fn believed(question: &ExpertRequest, sure: f32, taste: u8) -> Vec<f32> {
    let ExpertRequest::Distribution { context } = question else { panic!("another question") };
    let mut masses = vec![0.0; 256];
    let letters: Vec<f32> = (0..26u8).map(|letter| 1.0 + f32::from(letter.wrapping_mul(taste) % 5)).collect();
    let all: f32 = letters.iter().sum();
    for (letter, share) in (b'a'..=b'z').zip(&letters) {
        masses[usize::from(letter)] = (1.0 - sure) * share / all;
    }
    masses[usize::from(follower(*context.last().unwrap()))] += sure;
    masses
}
