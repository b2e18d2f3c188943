//! The bytes and the words of every transaction, outcome and rejection.
//!
//! The samples of a kind are in its file. Rejections are in a fixture, which `NERVURE_WRITE_FIXTURES=1 cargo test -p
//! nervure-ledger rejection` writes.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{
    collections::BTreeSet,
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
};

use nervure_primitives::{
    Hash,
    cbor::{self, Limits},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    sample::{AMOUNT, BLOCK, NETUID, UID, anchor_key, node, other},
    *,
};

/// Every rejection, as the store keeps it.
fn rejections() -> Vec<Value> {
    let (node, address) = (node(), anchor_key().address());
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
    all.extend(of_validators());
    all.extend(of_proposals());
    all.extend(of_deposits());
    all.extend(of_shared_accounts());
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

/// What is rejected of proposals.
fn of_proposals() -> Vec<Value> {
    vec![
        json!("untitled"),
        json!({"too_many_proposals": {"most": 8}}),
        json!({"action": {"why": "slots cannot be 70000"}}),
        json!({"no_such_proposal": {"proposal": 3}}),
        json!({"voting_over": {"proposal": 3, "ended": BLOCK}}),
        json!({"voted_nodes": {"most": 32}}),
    ]
}

/// What is rejected of those who make blocks.
fn of_validators() -> Vec<Value> {
    let node = node();
    vec![
        json!({"jailed": {"node": node, "until": BLOCK}}),
        json!({"self_stake": {"least": AMOUNT, "staked": AMOUNT}}),
        json!({"tombstoned": {"node": node, "height": BLOCK}}),
        json!({"evidence": {"why": "the same"}}),
        json!({"evidence_too_old": {"oldest": BLOCK}}),
        json!({"not_in_office": {"node": node, "height": BLOCK}}),
        json!({"already_reported": {"node": node}}),
        json!({"same_node": {"node": node}}),
        json!("same_owner"),
        json!("holdings"),
        json!({"nothing_unbonds": {"block": BLOCK}}),
        json!({"stake_bound": {"bound": AMOUNT}}),
    ]
}

/// What is rejected because state has a price.
fn of_deposits() -> Vec<Value> {
    vec![
        json!({"account_too_small": {"least": AMOUNT}}),
        json!({"rest_too_small": {"left": AMOUNT, "least": AMOUNT}}),
        json!({"deposit": {"needed": AMOUNT}}),
        json!({"unstake_too_small": {"least": AMOUNT}}),
        json!({"node_in_use": {"node": node(), "because": {"slot": NETUID}}}),
    ]
}

/// What is rejected of batches and of those who act for another account.
fn of_shared_accounts() -> Vec<Value> {
    vec![
        json!({"batch": {"call": 2, "why": {"balance": {"needed": AMOUNT}}}}),
        json!({"multisig_nonce": {"expected": 4, "given": 2}}),
        json!({"approvals_expired": {"expiry": BLOCK}}),
        json!({"proxy": {"no_proxy": {"proxy": node()}}}),
        json!({"proxy": {"expired": {"expiry": BLOCK}}}),
        json!({"proxy": "scope"}),
        json!({"proxy": {"limit": {"left": AMOUNT}}}),
        json!({"proxy": "grant"}),
        json!({"proxy": "too_many_proxies"}),
        json!({"proxy": {"already_announced": {"id": Hash::from_bytes([5; 32])}}}),
        json!({"proxy": "too_many_announcements"}),
        json!({"proxy": "announcement_too_large"}),
        json!({"proxy": "no_delay"}),
        json!({"proxy": "not_announced"}),
        json!({"proxy": {"not_ready": {"from": BLOCK}}}),
        json!("schedule"),
        json!({"vested_amount": {"least": AMOUNT}}),
        json!("too_many_vestings"),
        json!("nothing_vested"),
    ]
}

/// A value as JSON, which the HTTP API writes, and its canonical bytes. It has to read back from both.
fn encoded<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> (Value, Vec<u8>) {
    let json = serde_json::to_value(value).unwrap();
    assert_eq!(&serde_json::from_value::<T>(json.clone()).unwrap(), value);
    let bytes = cbor::encode(value).unwrap();
    assert_eq!(&cbor::decode::<T>(&bytes, Limits::new(bytes.len())).unwrap(), value);
    (json, bytes)
}

/// The name of a variant.
fn name(json: &Value) -> String {
    json.as_str().or_else(|| Some(json.as_object()?.keys().next()?)).unwrap().to_owned()
}

/// The names of all variants of an enum, from what its decoder expects.
fn variants<T: DeserializeOwned + Debug>() -> BTreeSet<String> {
    let error = serde_json::from_value::<T>(json!("no such variant")).unwrap_err().to_string();
    error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_samples_have_every_transaction_outcome_and_rejection() {
    let calls = samples().iter().map(|sample| name(&encoded(&sample.call).0)).collect();
    let outcomes = samples().iter().map(|sample| name(&encoded(&sample.outcome).0)).collect();
    let rejections = rejections().iter().map(name).collect();
    assert_eq!(variants::<Call>(), calls);
    assert_eq!(variants::<Outcome>(), outcomes);
    assert_eq!(variants::<Rejection>(), rejections);
    let of_proxies = of_shared_accounts().iter().filter_map(|one| one.get("proxy").map(name)).collect();
    assert_eq!(variants::<ProxyRejection>(), of_proxies);
}

/// Whether `bytes` have the hash `frozen`; says what to write where they do not.
fn is_frozen(what: &str, bytes: &[u8], frozen: &str) -> bool {
    let now = Hash::of("nervure/test/sample", &[bytes]).to_string();
    if now != frozen {
        eprintln!("{what}: {now}, of the bytes {}", hex(bytes));
    }
    now == frozen
}

#[test]
fn every_transaction_and_outcome_keeps_its_bytes() {
    let mut all = true;
    for sample in samples() {
        let (call, outcome) = (encoded(&sample.call), encoded(&sample.outcome));
        all &= is_frozen(&format!("call_hash of {}", name(&call.0)), &call.1, sample.call_hash);
        all &= is_frozen(&format!("outcome_hash of {}", name(&outcome.0)), &outcome.1, sample.outcome_hash);
    }
    assert!(all, "bytes on the wire are not those that the samples keep");
}

#[test]
fn every_rejection_keeps_its_bytes() {
    let line = |json: &Value| {
        let rejection: Rejection = serde_json::from_value(json.clone()).unwrap();
        format!("{} {}\n", name(json), hex(&encoded(&rejection).1))
    };
    let text: String = rejections().iter().map(line).collect();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/rejections.hex");
    if std::env::var_os("NERVURE_WRITE_FIXTURES").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap());
}

#[test]
fn every_outcome_is_a_sentence_before_and_after_its_block() {
    let (node, other, address) =
        (node().to_string(), other().to_string(), anchor_key().address().to_string());
    let short =
        |text: String| text.replace(&node, "NODE").replace(&other, "OTHER").replace(&address, "ADDRESS");
    for sample in samples() {
        let Description { future, past } = sample.outcome.description();
        assert_eq!([short(future), short(past)], sample.sentences);
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
        for AnySample { call, .. } in samples() {
            assert!(call.hint(&rejection).len() > 10, "{call:?}: {rejection}");
        }
    }
}

#[test]
fn a_kind_that_knows_more_than_the_rejection_names_its_own_option() {
    let price = Rejection::from(SubnetRejection::Price { price: AMOUNT });
    let hints = |rejection: &Rejection| -> Vec<&str> {
        let all = samples();
        let own =
            all.iter().map(|sample| sample.call.hint(rejection)).filter(|hint| *hint != rejection.hint());
        own.collect()
    };
    assert_eq!(
        hints(&price),
        [
            "raise --max-lock, or wait: the lock falls with every block",
            "raise --max-price, or wait: the price falls with every block",
        ]
    );
    assert_eq!(
        hints(&WeightsRejection::Duplicate.into()),
        ["name each subnet once: nervure vote NETUID=WEIGHT..."]
    );
    assert!(hints(&Rejection::from(SubnetRejection::Name)).is_empty());
}

#[test]
fn node_keys_sign_weights_votes_anchor_keys_and_reports_and_owner_keys_everything_else() {
    let by_node: Vec<String> = samples()
        .iter()
        .filter(|sample| sample.call.signer() == SignerKey::Node)
        .map(|sample| name(&encoded(&sample.call).0))
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

/// The Rust files below `dir`, where it exists, without this one.
fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && !path.ends_with("transaction/tests.rs")
        {
            into.push(path);
        }
    }
}
