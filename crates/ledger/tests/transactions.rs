//! The bytes and the words of every transaction, outcome and rejection.
//!
//! Blocks, the store and the HTTP API carry the bytes, so they are frozen. `NERVURE_WRITE_FIXTURES=1 cargo test -p
//! nervure-ledger --test transactions` writes the file. A line that changes is another ledger: nodes of before and after
//! do not understand each other.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{
    collections::BTreeSet,
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
};

use nervure_anchor::{AnchorKey, ProofOfPossession};
use nervure_consensus::{
    statement::{Equivocation, Round, SignedStatement, Vote, VoteKind},
    yuma::{BondsRule, LiquidAlpha},
};
use nervure_ledger::{
    subnet::Hyperparameter,
    transaction::{
        Call, CommitWeights, Description, JoinValidators, LeaveValidators, Outcome, RegisterAnchorKey,
        RegisterNeuron, RegisterNode, RegisterSubnet, Rejection, ReportEquivocation, RevealWeights,
        SetHyperparameter, SetMechanism, SetTake, SetWeights, SignerKey, Stake, SwapKey, Transfer, Unstake,
        VoteSubnets, consent,
    },
};
use nervure_primitives::{
    Amount, BlockHeight, Hash, MechanismSpec, MeshId, Netuid, NodeId, NodeKey, Uid,
    cbor::{self, Limits},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

const MESH: MeshId = MeshId::from_bytes([7; 32]);
const AMOUNT: Amount = Amount::from_base_units(1_500_000_000);
const BLOCK: BlockHeight = BlockHeight(300);
const NETUID: Netuid = Netuid(3);
const UID: Uid = Uid(5);

fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

fn node() -> NodeId {
    key(1).node_id()
}

fn anchor() -> RegisterAnchorKey {
    let key = AnchorKey::from_secret(&[9; 32]).unwrap();
    RegisterAnchorKey { address: key.address(), possession: ProofOfPossession::prove(&key, &node(), &MESH) }
}

/// Two votes of `node()` at one position.
fn evidence() -> Equivocation {
    let vote = |value| {
        let vote = Vote { height: BLOCK, round: Round(1), kind: VoteKind::Precommit, value };
        SignedStatement::sign(&key(1), &MESH, vote).unwrap()
    };
    Equivocation::votes(vote(None), vote(Some(Hash::of("block", &[])))).unwrap()
}

/// One of every kind.
fn calls() -> Vec<Call> {
    let consent = consent(&key(2), &node(), &MESH).unwrap();
    let weights = vec![(Uid(1), 7), (UID, u16::MAX)];
    let mechanism = MechanismSpec::named("next-byte").with("contexts", 8);
    let netuid = NETUID;
    vec![
        Call::Transfer(Transfer { to: node(), amount: AMOUNT }),
        Call::RegisterNode(RegisterNode { consent: consent.clone() }),
        Call::SwapKey(SwapKey { old: node(), consent }),
        Call::SetTake(SetTake { node: node(), take: 6_553 }),
        Call::Stake(Stake { node: node(), amount: AMOUNT }),
        Call::Unstake(Unstake { node: node(), amount: AMOUNT }),
        Call::RegisterSubnet(RegisterSubnet {
            name: "code".into(),
            node: node(),
            max_lock: AMOUNT,
            mechanism: Some(mechanism.clone()),
        }),
        Call::RegisterNeuron(RegisterNeuron { netuid, node: node(), max_price: Some(AMOUNT) }),
        Call::SetHyperparameter(SetHyperparameter { netuid, to: Hyperparameter::Tempo(120) }),
        Call::SetMechanism(SetMechanism { netuid, to: mechanism }),
        Call::SetWeights(SetWeights { netuid, weights: weights.clone(), version_key: 2 }),
        Call::CommitWeights(CommitWeights { netuid, hash: Hash::of("hash", &[]) }),
        Call::RevealWeights(RevealWeights { netuid, weights, salt: Hash::of("salt", &[]), version_key: 2 }),
        Call::VoteSubnets(VoteSubnets { weights: vec![(NETUID, 4)] }),
        Call::RegisterAnchorKey(anchor()),
        Call::JoinValidators(JoinValidators { node: node() }),
        Call::LeaveValidators(LeaveValidators { node: node() }),
        Call::ReportEquivocation(ReportEquivocation { evidence: evidence().into() }),
    ]
}

/// The outcome of every kind, in the same order, as the HTTP API writes it.
fn outcomes() -> Vec<Value> {
    let (node, other, address) = (node(), key(2).node_id(), anchor().address);
    let neuron = json!({"netuid": NETUID, "uid": UID, "price": AMOUNT, "replaced": other});
    let slashed =
        json!({"node": node, "height": BLOCK, "slashed": AMOUNT, "reward": Amount::from_base_units(5)});
    let liquid = BondsRule::Yuma3Liquid(LiquidAlpha { low: 2_000, high: 3_000, steepness: 7 });
    vec![
        json!({"transferred": {"to": node, "amount": AMOUNT}}),
        json!({"node_registered": {"node": node}}),
        json!({"key_swapped": {"old": node, "new": other}}),
        json!({"take_set": {"node": node, "take": 6_553}}),
        json!({"staked": {"node": node, "amount": AMOUNT, "validates": true}}),
        json!({"unstaked": {"node": node, "amount": AMOUNT, "free": BLOCK}}),
        json!({"subnet_registered": {"netuid": NETUID, "locked": AMOUNT, "dissolved": Netuid(2)}}),
        json!({"neuron_registered": neuron}),
        json!({"hyperparameter_set": {"netuid": NETUID, "to": {"bonds": liquid}}}),
        json!({"mechanism_set": {"netuid": NETUID}}),
        json!({"weights_set": {"netuid": NETUID, "uid": UID}}),
        json!({"weights_committed": {"netuid": NETUID, "uid": UID, "reveal_in": 8}}),
        json!({"weights_revealed": {"netuid": NETUID, "uid": UID}}),
        json!({"voted": {"step": 360, "counts": true, "changes": [{"netuid": NETUID, "now": 5, "next": 6}]}}),
        json!({"anchor_key_registered": {"node": node, "address": address}}),
        json!({"validator_joined": {"node": node, "election": BLOCK}}),
        json!({"validator_left": {"node": node, "last": BLOCK}}),
        json!({"equivocation_reported": slashed}),
    ]
}

/// Every rejection, as the store keeps it.
fn rejections() -> Vec<Value> {
    let (node, address) = (node(), anchor().address);
    let mut all: Vec<Value> = ["nothing", "name", "mechanism", "no_subnet_place", "no_permit", "duplicate"]
        .map(Value::from)
        .to_vec();
    all.extend([
        json!("no_such_commit"),
        json!({"malformed": {"why": "cut"}}),
        json!({"expired": {"expiry": BLOCK}}),
        json!({"nonce": {"expected": 4, "given": 2}}),
        json!({"fee": {"least": AMOUNT}}),
        json!({"expiry_too_far": {"last": BLOCK}}),
        json!({"lane_quota": {"most": 8}}),
        json!({"block_full": {"weight": 4_000, "left": 3_000}}),
        json!({"balance": {"needed": AMOUNT}}),
        json!({"consent": {"why": "cut"}}),
        json!({"consent_for_another": {"owner": node}}),
        json!({"take": {"take": 20_000}}),
        json!({"stake_too_small": {"least": AMOUNT}}),
        json!({"not_staked": {"staked": AMOUNT}}),
        json!({"already_there": {"node": node, "netuid": NETUID}}),
        json!({"price": {"price": AMOUNT}}),
        json!({"too_many_weights": {"given": 9, "most": 7}}),
        json!({"weight_stake": {"least": AMOUNT}}),
        json!({"version": {"least": 3, "given": 2}}),
        json!({"no_such_uid": {"uid": UID}}),
        json!({"too_few_weights": {"least": 3}}),
        json!({"already_committed": {"epoch": 8}}),
        json!({"too_many_registrations": {"netuid": NETUID, "most": 8, "from": BLOCK}}),
        json!({"reveal_time": {"reveal_in": 8, "now": 9}}),
        json!({"hyperparameter": {"place": "tempo", "least": 5, "most": 50_400, "given": 2}}),
    ]);
    all.extend([
        json!({"jailed": {"node": node, "until": BLOCK}}),
        json!({"self_stake": {"least": AMOUNT, "staked": AMOUNT}}),
        json!({"tombstoned": {"node": node, "height": BLOCK}}),
        json!({"evidence": {"why": "the same"}}),
        json!({"evidence_too_old": {"oldest": BLOCK}}),
        json!({"not_in_office": {"node": node, "height": BLOCK}}),
        json!({"already_reported": {"node": node}}),
    ]);
    let of_node =
        ["no_such_node", "not_owner", "key_taken", "already_validator", "not_validator", "stake_lost"];
    all.extend(of_node.map(|name| json!({name: {"node": node}})));
    let of_subnet = [
        "no_such_subnet",
        "no_slot",
        "not_there",
        "commit_first",
        "no_commits",
        "closed",
        "not_subnet_owner",
    ];
    all.extend(of_subnet.map(|name| json!({name: {"netuid": NETUID}})));
    let too_soon = [
        "take_too_soon",
        "weights_too_soon",
        "hyperparameter_too_soon",
        "vote_too_soon",
        "anchor_key_too_soon",
    ];
    all.extend(too_soon.map(|name| json!({name: {"from": BLOCK}})));
    all.extend(["anchor_key_taken", "anchor_key_proof"].map(|name| json!({name: {"address": address}})));
    all
}

/// Its line: the name and the canonical bytes. It has to read back from both.
fn line<T: Serialize + DeserializeOwned + PartialEq + Debug>(json: &Value) -> String {
    let value: T = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&value).unwrap(), json);
    let bytes = cbor::encode(&value).unwrap();
    assert_eq!(cbor::decode::<T>(&bytes, Limits::new(bytes.len())).unwrap(), value);
    let name = json.as_str().or_else(|| json.as_object()?.keys().next().map(String::as_str)).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name} {hex}\n")
}

/// The names of all variants of an enum, from what its decoder expects.
fn variants<T: DeserializeOwned + Debug>() -> BTreeSet<String> {
    let error = serde_json::from_value::<T>(json!("no such variant")).unwrap_err().to_string();
    error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

/// The names of samples.
fn names(samples: &[Value]) -> BTreeSet<String> {
    let name =
        |json: &Value| json.as_str().or_else(|| Some(json.as_object()?.keys().next()?)).map(str::to_owned);
    samples.iter().filter_map(name).collect()
}

#[test]
fn the_samples_have_every_transaction_outcome_and_rejection() {
    let calls: Vec<Value> = calls().iter().map(|call| serde_json::to_value(call).unwrap()).collect();
    assert_eq!(names(&calls), variants::<Call>());
    assert_eq!(names(&outcomes()), variants::<Outcome>());
    assert_eq!(names(&rejections()), variants::<Rejection>());
    assert_eq!((outcomes().len(), SENTENCES.len()), (calls.len(), calls.len()));
}

#[test]
fn every_transaction_outcome_and_rejection_keeps_its_bytes() {
    let mut text = String::new();
    text.extend(calls().iter().map(|call| line::<Call>(&serde_json::to_value(call).unwrap())));
    text.extend(outcomes().iter().map(line::<Outcome>));
    text.extend(rejections().iter().map(line::<Rejection>));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/transactions.hex");
    if std::env::var_os("NERVURE_WRITE_FIXTURES").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap());
}

/// The outcome of every kind, in the order of [`outcomes`], before and after its block. `NODE`, `OTHER` and `ADDRESS`
/// stand for ids.
const SENTENCES: [[&str; 2]; 18] = [
    ["pays 1.5 tokens to NODE", "paid 1.5 tokens to NODE"],
    ["registers NODE under your owner account", "NODE is registered under your owner account"],
    ["replaces the key NODE of a node with OTHER, permanently", "node NODE has the key OTHER"],
    [
        "lets the owner of NODE keep 10.00 % of its stakers' dividends",
        "the owner of NODE keeps 10.00 % of its stakers' dividends",
    ],
    ["stakes 1.5 tokens on NODE", "staked 1.5 tokens on NODE"],
    [
        "removes a stake of 1.5 tokens from NODE; they can be spent from block 300 on",
        "removed a stake of 1.5 tokens from NODE; they can be spent from block 300 on",
    ],
    [
        "creates subnet 3 and locks 1.5 tokens; subnet 2 is dissolved",
        "subnet 3 is created, 1.5 tokens are locked; subnet 2 is dissolved",
    ],
    [
        "takes slot 5 of subnet 3 and burns 1.5 tokens; OTHER loses it",
        "slot 5 of subnet 3 is taken, 1.5 tokens are burned; OTHER loses it",
    ],
    [
        "sets bonds = yuma3_liquid (low 2000, high 3000, steepness 7) in subnet 3",
        "bonds = yuma3_liquid (low 2000, high 3000, steepness 7) in subnet 3",
    ],
    ["sets the mechanism of subnet 3", "validators set tasks in subnet 3 by the new mechanism"],
    ["sets weights in subnet 3", "the weights in subnet 3 count from now on"],
    [
        "commits weights in subnet 3, to be revealed in epoch 8 and no other",
        "weights in subnet 3 are committed, to be revealed in epoch 8",
    ],
    ["reveals weights in subnet 3", "the weights in subnet 3 count from now on"],
    [
        "votes on how the emission is shared among subnets; with all votes as they are, at block 360: subnet 3 0.000 % (now 0.000 %)",
        "the vote counts from block 360 on",
    ],
    [
        "registers ADDRESS as the anchor key of NODE, from the next election on",
        "NODE signs checkpoints with the anchor key ADDRESS from the next election on",
    ],
    [
        "joins NODE to the validators; if it is elected at block 300 or later, it has to run as a validator and sign \
         every block",
        "NODE has joined the validators; if it is elected at block 300 or later, it has to run as a validator and sign \
         every block",
    ],
    [
        "removes NODE from the validators; keep it running until block 300, the next election",
        "NODE has left the validators; keep it running until block 300, the next election",
    ],
    [
        "proves that NODE equivocated at block 300 and slashes 1.5 tokens of the stakes on it, of which 0.000000005 go to \
         the reporting node's owner; it never makes blocks again",
        "NODE equivocated at block 300 and lost 1.5 tokens of the stakes on it, of which 0.000000005 go to the reporting \
         node's owner; it never makes blocks again",
    ],
];

#[test]
fn every_outcome_is_a_sentence_before_and_after_its_block() {
    let (node, other, address) =
        (node().to_string(), key(2).node_id().to_string(), anchor().address.to_string());
    let short =
        |text: String| text.replace(&node, "NODE").replace(&other, "OTHER").replace(&address, "ADDRESS");
    for (outcome, expected) in outcomes().into_iter().zip(SENTENCES) {
        let Description { future, past } = serde_json::from_value::<Outcome>(outcome).unwrap().description();
        assert_eq!([short(future), short(past)], expected);
    }
}

#[test]
fn a_stake_without_voting_power_says_so_before_it_is_signed() {
    let outcome = json!({"staked": {"node": node(), "amount": AMOUNT, "validates": false}});
    let Description { future, .. } = serde_json::from_value::<Outcome>(outcome).unwrap().description();
    assert!(
        future.ends_with("which has not joined the validators: the stake gives no voting power"),
        "{future}"
    );
}

#[test]
fn every_rejection_names_a_next_step() {
    for rejection in rejections() {
        let rejection: Rejection = serde_json::from_value(rejection).unwrap();
        assert!(rejection.hint().len() > 10, "{rejection}");
        for call in calls() {
            assert!(call.hint(&rejection).len() > 10, "{call:?}: {rejection}");
        }
    }
}

#[test]
fn a_kind_that_knows_more_than_the_rejection_names_its_own_option() {
    let price = Rejection::Price { price: AMOUNT };
    let hints = |rejection: &Rejection| -> Vec<&str> {
        let all = calls();
        let own = all.iter().map(|call| call.hint(rejection)).filter(|hint| *hint != rejection.hint());
        own.collect()
    };
    assert_eq!(
        hints(&price),
        [
            "raise --max-lock, or wait: the lock falls with every block",
            "raise --max-price, or wait: the price falls with every block",
        ]
    );
    assert_eq!(hints(&Rejection::Duplicate), ["name each subnet once: nervure vote NETUID=WEIGHT..."]);
    assert!(hints(&Rejection::Name).is_empty());
}

#[test]
fn node_keys_sign_weights_votes_anchor_keys_and_reports_and_owner_keys_everything_else() {
    let by_node: Vec<String> = calls()
        .iter()
        .filter(|call| call.signer() == SignerKey::Node)
        .filter_map(|call| serde_json::to_value(call).ok()?.as_object()?.keys().next().cloned())
        .collect();
    assert_eq!(
        by_node,
        [
            "set_weights",
            "commit_weights",
            "reveal_weights",
            "vote_subnets",
            "register_anchor_key",
            "report_equivocation"
        ]
    );
}

/// A kind is known by name to its own file, to the list of kinds, and to the command that sends it: three examples.
#[test]
fn a_kind_is_named_in_three_source_files() {
    let crates = PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let mut files = Vec::new();
    for entry in fs::read_dir(&crates).unwrap() {
        sources(&entry.unwrap().path().join("src"), &mut files);
    }
    for kind in ["SetTake", "RegisterAnchorKey", "SetMechanism"] {
        let is_named = |text: &str| text.split(|c: char| !c.is_alphanumeric()).any(|word| word == kind);
        let naming: Vec<_> =
            files.iter().filter(|file| is_named(&fs::read_to_string(file).unwrap())).collect();
        assert_eq!(naming.len(), 3, "{kind} is named in {naming:?}");
    }
}

/// The Rust files below `dir`, where it exists.
fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}
