//! Validators with our engine.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use nervure_consensus::{
    bft::{Config, Effect, Engine, Input, Message, Signer, SignerRecord, Timeouts},
    checkpoint::ValidatorSet,
};
use nervure_primitives::{BlockHeight, Hash, MeshId, NodeId, NodeKey};

/// Decides `heights` heights among `keys`.
pub(crate) fn run(keys: &[NodeKey], heights: u64) {
    let mesh = MeshId::from_bytes([3; 32]);
    let stakes = keys.iter().map(|key| (key.node_id(), 10));
    let validators = Arc::new(ValidatorSet::from_stakes(stakes).unwrap_or_else(|error| panic!("{error}")));
    let config = Config::new(Timeouts::local(), Duration::ZERO);
    let engine = |key: &NodeKey| Engine::new(config, Signer::new(key.clone(), mesh, SignerRecord::default()));
    let mut engines: Vec<_> = keys.iter().map(engine).collect();
    for height in 1..=heights {
        let mut wire = VecDeque::new();
        let mut decided = 0;
        for engine in &mut engines {
            let (height, validators) = (BlockHeight(height), validators.clone());
            let start = Input::Start { height, validators, silent: Default::default(), log: Vec::new() };
            decided += handle(engine, start, &mut wire);
        }
        while let Some((from, message)) = wire.pop_front() {
            for engine in engines.iter_mut().filter(|engine| engine.node() != from) {
                let message = message.clone();
                decided += handle(engine, Input::Message { from, message }, &mut wire);
            }
        }
        assert_eq!(decided, keys.len(), "every validator decides");
    }
}

/// Handles an input, answers the engine's requests, and returns how many heights were decided.
fn handle(engine: &mut Engine, input: Input, wire: &mut VecDeque<(NodeId, Message)>) -> usize {
    let node = engine.node();
    let (mut inputs, mut decided) = (VecDeque::from([input]), 0);
    while let Some(input) = inputs.pop_front() {
        for effect in engine.handle(input).unwrap_or_else(|error| panic!("{error}")) {
            match effect {
                Effect::Broadcast(message) => wire.push_back((node, message)),
                Effect::Decided(_) => decided += 1,
                Effect::Propose { height, round, .. } => {
                    let value = Hash::of("block", &[&height.0.to_be_bytes()]);
                    inputs.push_back(Input::Proposed { height, round, value });
                }
                Effect::Validate(candidate) => inputs.push_back(Input::Validated {
                    height: candidate.height,
                    value: candidate.value,
                    valid: true,
                }),
                _ => {}
            }
        }
    }
    decided
}
