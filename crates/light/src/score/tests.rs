//! Explanations of a small chain, and servers that lie about it.

use nervure_primitives::NodeKey;

use super::*;
use crate::testing::epoch_proof;
use nervure_ledger::{
    subnet::NeuronInputs,
    testing::{Chain, SUBNET, miner, validator},
};

/// Uids of the three miners: they come after twelve validators.
const MINERS: [Uid; 3] = [Uid(12), Uid(13), Uid(14)];

/// Four validators of which three weigh the first miner, one the second, none the third.
fn weighed() -> Chain {
    let mut chain = Chain::new(4);
    chain.grow(2);
    for index in 0..3 {
        chain.weigh(index, &[(MINERS[0], 9)]);
    }
    chain.weigh(3, &[(MINERS[0], 3), (MINERS[1], 6)]);
    // Epochs end at blocks 1, 6, 11 ...: the first one starts the permits, the third has everything.
    chain.grow(9);
    assert_eq!(chain.tip.header.height, BlockHeight(11));
    chain
}

fn explained(chain: &Chain, key: &NodeKey) -> Result<Score, ScoreError> {
    let node = key.node_id();
    explain(&chain.tip.header, (SUBNET, &node), &epoch_proof(chain, &node))
}

#[test]
fn a_miner_weighed_by_most_earns_and_the_reason_says_so() {
    let chain = weighed();
    let score = explained(&chain, &miner(0)).unwrap();
    let result = score.result.clone().unwrap();
    assert_eq!((score.uid, score.block, score.epoch), (Some(MINERS[0]), BlockHeight(11), 2));
    assert!(result.incentive > I32F32::HALF && !result.as_miner.is_zero());
    assert_eq!(score.opinions.iter().filter(|one| one.contributes > I32F32::ZERO).count(), 4);
    let of_last = score.opinions.iter().find(|one| one.uid == Uid(3)).unwrap();
    assert_eq!((of_last.validator, of_last.ignored), (validator(3).node_id(), None));
    assert!(matches!(score.reasons[..], [Reason::Earned { voters: 4, .. }]), "{:?}", score.reasons);
}

#[test]
fn a_score_of_zero_has_its_reason() {
    let chain = weighed();
    let second = explained(&chain, &miner(1)).unwrap();
    assert!(matches!(second.reasons[0], Reason::BelowClip { share, needed } if share < needed), "{second:?}");
    let third = explained(&chain, &miner(2)).unwrap();
    assert_eq!(third.reasons[0], Reason::NotWeighted { voters: 4 });
    let stranger = explained(&chain, &miner(9)).unwrap();
    assert_eq!((stranger.uid, &stranger.reasons[..]), (None, &[Reason::NotRegistered][..]));
    let judge = explained(&chain, &validator(0)).unwrap();
    assert!(matches!(judge.reasons[0], Reason::Validates { .. }), "{:?}", judge.reasons);
    let mut unweighed = Chain::new(4);
    unweighed.grow(6);
    assert_eq!(explained(&unweighed, &miner(0)).unwrap().reasons[0], Reason::NoWeights);
}

#[test]
fn weights_that_do_not_count_have_a_reason() {
    let mut chain = weighed();
    // Long after the last weights were set, 13.889 tempos of five blocks.
    chain.grow(100);
    let score = explained(&chain, &miner(0)).unwrap();
    let ignored: Vec<_> = score.opinions.iter().filter(|one| one.raw > 0).map(|one| one.ignored).collect();
    assert!(
        ignored.len() == 4 && ignored.iter().all(|one| matches!(one, Some(Ignored::TooOld { .. }))),
        "{ignored:?}"
    );
    assert_eq!(score.reasons[0], Reason::NoVoters);
}

#[test]
fn without_an_epoch_there_is_nothing_to_explain() {
    let chain = Chain::new(4);
    let none = explained(&chain, &miner(0)).unwrap_err();
    assert!(matches!(none, ScoreError::NoEpoch { due: BlockHeight(1), .. }), "{none}");
    let node = miner(0).node_id();
    let mut proof = epoch_proof(&chain, &node);
    proof.subnet = chain.fact(&Key::Subnet(Netuid(7)));
    let nowhere = explain(&chain.tip.header, (Netuid(7), &node), &proof).unwrap_err();
    assert!(matches!(nowhere, ScoreError::NoSubnet { .. }), "{nowhere}");
}

/// A change of the inputs.
type Change = fn(&mut EpochInputs);

#[test]
fn refuses_every_changed_number() {
    let chain = weighed();
    let node = miner(0).node_id();
    let honest = epoch_proof(&chain, &node);
    let check = |proof: &EpochProof| explain(&chain.tip.header, (SUBNET, &node), proof);
    let neuron = |inputs: &mut EpochInputs, change: fn(&mut NeuronInputs)| change(&mut inputs.neurons[3]);
    let changes: [Change; 5] = [
        |inputs| inputs.emission += 1,
        |inputs| inputs.params.kappa -= 1,
        |inputs| inputs.neurons[3].stake += 1,
        |inputs| inputs.neurons[3].weights[0].1 -= 1,
        |inputs| inputs.neurons[12].node = NodeId::from_bytes([1; 32]),
    ];
    for change in changes {
        let mut inputs = EpochInputs::decode(&honest.inputs).unwrap();
        change(&mut inputs);
        assert!(inputs.run().is_ok(), "it is an epoch: nothing but the hash refuses it");
        let lie = EpochProof { inputs: inputs.encode().unwrap(), ..honest.clone() };
        assert!(matches!(check(&lie), Err(ScoreError::Inputs { .. })));
    }
    let mut inputs = EpochInputs::decode(&honest.inputs).unwrap();
    neuron(&mut inputs, |neuron| neuron.permit = false);
    let lie = EpochProof { inputs: inputs.encode().unwrap(), ..honest.clone() };
    assert!(matches!(check(&lie), Err(ScoreError::Inputs { .. })));
    // The records of others, or of another block.
    let other = EpochProof { neuron: epoch_proof(&chain, &miner(1).node_id()).neuron, ..honest.clone() };
    assert!(matches!(check(&other), Err(ScoreError::Neuron(_))));
    let missing = EpochProof { neuron: None, ..honest.clone() };
    assert!(matches!(check(&missing), Err(ScoreError::Missing(_))));
    let absent = EpochProof { neuron: Some(chain.fact(&Key::Neuron(SUBNET, Uid(200)))), ..honest.clone() };
    assert!(matches!(check(&absent), Err(ScoreError::Neuron(_))));
    let subnet = EpochProof { subnet: chain.fact(&Key::Chain), ..honest.clone() };
    assert!(matches!(check(&subnet), Err(ScoreError::Subnet(_))));
    let mut later = weighed();
    later.grow(1);
    let stale = explain(&later.tip.header, (SUBNET, &node), &honest).unwrap_err();
    assert!(matches!(stale, ScoreError::Subnet(_)), "another block's state has another root");
}

/// A ledger whose validators recorded another result than Yuma's.
#[test]
fn refuses_a_record_that_yuma_does_not_give() {
    let chain = weighed();
    let inputs = EpochInputs::decode(&epoch_proof(&chain, &miner(0).node_id()).inputs).unwrap();
    let output = inputs.run().unwrap();
    let record = chain.tip.state.subnets()[&SUBNET].neuron(MINERS[0]).unwrap();
    assert_eq!(compare(record, MINERS[0], &output), Ok(()));
    let mut wrong = record.clone();
    wrong.emission += 1;
    let refused = compare(&wrong, MINERS[0], &output).unwrap_err();
    assert!(matches!(refused, ScoreError::Disagrees { what: "emission", .. }), "{refused}");
}

#[test]
fn a_proof_reads_back_and_a_flipped_bit_is_noticed() {
    let chain = weighed();
    let node = miner(0).node_id();
    let bytes = epoch_proof(&chain, &node).encode().unwrap();
    assert_eq!(EpochProof::decode(&bytes).unwrap(), epoch_proof(&chain, &node));
    for at in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        if let Ok(proof) = EpochProof::decode(&flipped) {
            let checked = explain(&chain.tip.header, (SUBNET, &node), &proof);
            assert!(checked.is_err(), "a flipped bit at byte {at} was not noticed");
        }
    }
}
