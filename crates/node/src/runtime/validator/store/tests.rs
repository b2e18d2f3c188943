use nervure_ledger::{
    chain::Tip,
    spec::{MeshSpec, SubnetSpec},
};
use nervure_primitives::Amount;
use nervure_protocol::testing::{key, record};

use super::*;

const VALIDATOR: u8 = 1;
const MINERS: [u8; 2] = [2, 3];

/// A subnet with a validator and two miners.
fn subnet() -> Subnet {
    let mut spec = MeshSpec::test("scores");
    spec.subnets = vec![SubnetSpec::new(Netuid(1), "a", None)];
    let stake = Amount::from_base_units(spec.economy.min_stake.max(spec.economy.min_self_stake));
    let spec = spec.with_validator(key(VALIDATOR).node_id(), stake);
    let spec = MINERS.into_iter().fold(spec, |spec, miner| spec.with_miner(key(miner).node_id()));
    let (tip, _) = Tip::genesis(&spec).unwrap();
    tip.state.subnets()[&Netuid(1)].clone()
}

/// The only expert of a miner.
fn expert(subnet: &Subnet, miner: u8) -> ScoredExpert {
    let neuron = subnet.neuron(subnet.uid_of(&key(miner).node_id()).unwrap()).unwrap();
    ScoredExpert::of(&record(miner, "a", "text.generate"), BlockHeight(neuron.registered))
}

/// Records task results of a miner.
fn tested(store: &mut ValidatorStore, expert: ScoredExpert, percent: u64, tasks: usize) {
    let result = TaskResult::from(Score::ratio(percent, 100));
    let records = || MINERS.map(|miner| record(miner, "a", "text.generate")).to_vec();
    for _ in 0..tasks {
        assert!(store.record(vec![MinerResult { expert, group: expert, result }], records()));
    }
}

/// What the store publishes of the miners, in hundredths.
fn published(store: &ValidatorStore, subnet: &Subnet) -> [Option<u64>; 2] {
    let scores = store.live_scores((key(VALIDATOR).node_id(), Netuid(1))).scores;
    MINERS.map(|miner| {
        let expert = expert(subnet, miner).expert;
        let score = scores.iter().find(|score| score.expert == expert)?.score();
        Some((u64::from(score.parts()) * 100 + u64::from(u32::MAX / 2)) / u64::from(u32::MAX))
    })
}

/// A validator that copies must not find in live scores what the weights that are still secret will say.
#[test]
fn live_scores_tell_nothing_of_weights_that_are_not_revealed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("1.cbor");
    let own = key(VALIDATOR).node_id();
    let mut subnet = subnet();
    let [old, new] = MINERS.map(|miner| expert(&subnet, miner));
    let mut store = ValidatorStore::open(path.clone(), &subnet, &own);
    tested(&mut store, old, 50, 20);
    assert_eq!(published(&store, &subnet), [Some(50), None], "in its first epoch");

    store.follow_epoch(&subnet, subnet.due);
    subnet.epoch += 1;
    subnet.due += subnet.hyperparameters.tempo;
    store.follow_epoch(&subnet, subnet.began);
    tested(&mut store, old, 100, 40);
    tested(&mut store, new, 100, 8);
    assert_eq!(published(&store, &subnet), [Some(50), None], "measured in this epoch");
    // Weights are made and committed; the others can still commit to theirs.
    store.follow_epoch(&subnet, subnet.due);
    assert!(store.commit(Netuid(1), &subnet).is_some());
    assert_eq!(published(&store, &subnet), [Some(50), None]);

    // A restart changes nothing.
    let mut store = ValidatorStore::open(path, &subnet, &own);
    assert_eq!(published(&store, &subnet), [Some(50), None]);
    subnet.epoch += 1;
    subnet.due += subnet.hyperparameters.tempo;
    store.follow_epoch(&subnet, subnet.began);
    assert_eq!(published(&store, &subnet), [Some(100), Some(100)], "the weights are revealed");
    tested(&mut store, old, 0, 20);
    assert_eq!(published(&store, &subnet), [Some(0), Some(100)], "a fall at once");
}

#[test]
fn a_state_of_an_earlier_version_is_read() {
    #[derive(Serialize)]
    struct Earlier {
        #[serde(with = "serde_bytes")]
        board: Vec<u8>,
        commits: Vec<WeightCommit>,
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("1.cbor");
    let subnet = subnet();
    let own = key(VALIDATOR).node_id();
    let mut store = ValidatorStore::open(path.clone(), &subnet, &own);
    tested(&mut store, expert(&subnet, MINERS[0]), 50, 3);
    let earlier = Earlier { board: store.board.save().unwrap(), commits: Vec::new() };
    write(&path, &cbor::encode(&earlier).unwrap()).unwrap();
    let read = ValidatorStore::open(path, &subnet, &own);
    assert_eq!(read.board, store.board);
}
