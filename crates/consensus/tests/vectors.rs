//! Runs every epoch vector and compares every number that it states, exactly.
//!
//! The vectors of kind `math` test inner functions; the unit tests of the crate run them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{collections::BTreeMap, fs, path::PathBuf};

use nervure_consensus::yuma::case::Case;
use serde_json::{Value, json};

/// All vectors of a kind, by name.
fn vectors(kind: &str) -> BTreeMap<String, Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/yuma");
    let files = fs::read_dir(folder).expect("the vectors are in the repository");
    let parse = |file: fs::DirEntry| {
        let value: Value = serde_json::from_str(&fs::read_to_string(file.path()).unwrap()).unwrap();
        (value["id"].as_str().unwrap().to_owned(), value)
    };
    files.map(|file| parse(file.unwrap())).filter(|(_, value)| value["kind"] == kind).collect()
}

/// The report of a case, as JSON.
fn run(vector: &Value) -> Vec<Value> {
    let report = Case::parse(&vector.to_string()).unwrap().run().unwrap();
    serde_json::to_value(report).unwrap()["steps"].as_array().unwrap().clone()
}

/// Compares a list for all uids (or, for bonds, for the first rows), or an object `{uid: value}`.
fn check(place: &str, got: &Value, want: &Value) {
    match want {
        Value::Object(map) => {
            for (uid, want) in map {
                assert_eq!(&got[uid.parse::<usize>().unwrap()], want, "{place}[{uid}]");
            }
        }
        Value::Array(list) if place.ends_with("bonds_u16") => {
            let rows = got.as_array().unwrap();
            assert_eq!(&rows[..list.len()], &list[..], "{place}");
            assert!(rows[list.len()..].iter().all(|row| *row == json!([])), "{place}: more rows");
        }
        _ => assert_eq!(got, want, "{place}"),
    }
}

const FIELDS: [&str; 9] = [
    "consensus_u16",
    "incentive_u16",
    "dividends_u16",
    "validator_trust_u16",
    "emission",
    "server_emission",
    "validator_emission",
    "new_validator_permit",
    "bonds_u16",
];

#[test]
fn epoch_vectors_match_exactly() {
    let mut compared = 0;
    for (id, vector) in vectors("epoch") {
        let got = run(&vector);
        let steps = vector["steps"].as_array().unwrap();
        assert_eq!(got.len(), steps.len());
        for (index, (step, got)) in steps.iter().zip(&got).enumerate() {
            if step["run_epoch"] == false {
                assert_eq!(got, &json!({}), "{id} step {index} runs no epoch");
            }
            for (source, field) in ["computed", "expect"].into_iter().flat_map(|s| FIELDS.map(|f| (s, f))) {
                if let Some(want) = step[source].get(field) {
                    check(&format!("{id} step {index} {source} {field}"), &got[field], want);
                    compared += 1;
                }
            }
            for cell in step["expect"]["bonds_cells"].as_array().into_iter().flatten() {
                let row: Vec<(u64, u64)> =
                    serde_json::from_value(got["bonds_u16"][cell[0].as_u64().unwrap() as usize].clone())
                        .unwrap();
                let bond =
                    row.iter().find(|(uid, _)| Some(*uid) == cell[1].as_u64()).map_or(0, |(_, bond)| *bond);
                assert_eq!(Some(bond), cell[2].as_u64(), "{id} step {index} bond {cell}");
            }
        }
    }
    assert!(compared > 6_000, "only {compared} fields were compared");
}

/// `got`, of 65,535, is within `tolerance` of the real number `want`.
fn close(place: &str, got: &Value, want: &Value, tolerance: f64) {
    let (got, want) = (got.as_f64().unwrap_or(0.0) / 65_535.0, want.as_f64().unwrap());
    // A u16 proportion is rounded down: it may be one step short.
    assert!((got - want).abs() <= tolerance + 1.0 / 65_535.0, "{place}: {got} is not {want}");
}

#[test]
fn fractions_stated_upstream_match() {
    let mut compared = 0;
    for (id, vector) in vectors("epoch") {
        let got = run(&vector);
        for (index, (step, got)) in vector["steps"].as_array().unwrap().iter().zip(&got).enumerate() {
            let expect = &step["expect"];
            let tolerance = expect["_tol"].as_f64().unwrap_or(0.0);
            let mut all = |name: &str, list: &Value, want: &Value| {
                for (at, want) in want.as_array().into_iter().flatten().enumerate() {
                    close(&format!("{id} step {index} {name}[{at}]"), &list[at], want, tolerance);
                    compared += 1;
                }
            };
            all("dividends", &got["dividends_u16"], &expect["dividends"]);
            all("f_dividends", &got["dividends_u16"], &expect["f_dividends"]);
            all("f_consensus", &got["consensus_u16"], &expect["f_consensus"]);
            all("f_validator_trust", &got["validator_trust_u16"], &expect["f_validator_trust"]);
            let offset = expect["_col_offset"].as_u64().unwrap_or(0);
            for (row, want) in expect["bonds_matrix"].as_array().into_iter().flatten().enumerate() {
                let cells: BTreeMap<u64, Value> =
                    serde_json::from_value::<Vec<(u64, Value)>>(got["bonds_u16"][row].clone())
                        .unwrap()
                        .into_iter()
                        .collect();
                let columns = want.as_array().unwrap().len() as u64;
                let list =
                    (0..columns).map(|at| cells.get(&(at + offset)).cloned().unwrap_or(json!(0))).collect();
                all(&format!("bonds row {row}"), &Value::Array(list), want);
            }
            for (uid, want) in expect["f_emission_share"].as_array().into_iter().flatten().enumerate() {
                let share = got["emission"][uid].as_f64().unwrap() / vector["emission"].as_f64().unwrap();
                assert!(
                    (share - want.as_f64().unwrap()).abs() <= tolerance + 1e-9,
                    "{id} emission share of {uid}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 300, "only {compared} fractions were compared");
}

/// The compact graphs of 512 uids, written out.
#[test]
fn uniform_graphs_match_exactly() {
    let vectors = vectors("epoch_uniform");
    assert!(!vectors.is_empty());
    for (id, vector) in vectors {
        let list = |name: &str| -> Vec<u64> { serde_json::from_value(vector[name].clone()).unwrap() };
        let (validators, servers) = (list("validators"), list("servers"));
        let n = vector["n"].as_u64().unwrap();
        let weight = &vector["weight_u16_each"];
        let row: Vec<Value> = {
            let mut servers = servers.clone();
            servers.sort_unstable();
            servers.iter().map(|uid| json!([uid, weight])).collect()
        };
        let mut weights: BTreeMap<String, Value> =
            validators.iter().map(|uid| (uid.to_string(), json!(row))).collect();
        if vector["server_self_weight"] == true {
            weights.extend(servers.iter().map(|uid| (uid.to_string(), json!([[uid, weight]]))));
        }
        let updated: BTreeMap<&String, &Value> = weights.keys().map(|uid| (uid, &vector["block"])).collect();
        let stake: Vec<&Value> = (0..n)
            .map(|uid| if validators.contains(&uid) { &vector["stake_per_validator"] } else { &Value::Null })
            .collect();
        let stake: Vec<u64> = stake.iter().map(|value| value.as_u64().unwrap_or(0)).collect();
        let registered = vec![vector["registered_block"].clone(); n as usize];
        let mut steps = vec![
            json!({}),
            json!({"set": {"block": vector["block"], "weights": weights, "last_update": updated}}),
        ];
        steps.resize(1 + vector["epochs"].as_u64().unwrap() as usize, json!({}));
        let case = json!({
            "n": n, "emission": vector["emission"], "params": vector["params"], "steps": steps,
            "initial": {"stake": stake, "registered": registered},
        });
        let last = run(&case).pop().unwrap();
        let expect = &vector["expect"];
        for (group, name) in [(&validators, "validators"), (&servers, "servers")] {
            for uid in group.iter().map(|uid| *uid as usize) {
                for field in ["consensus_u16", "incentive_u16", "dividends_u16", "emission"] {
                    assert_eq!(last[field][uid], expect[name][field], "{id} {field} of {name}");
                }
            }
        }
        let bond = &expect["validators"]["bond_to_any_server_u16"];
        let bonds: Vec<Value> = row.iter().map(|cell| json!([cell[0], bond])).collect();
        for uid in &validators {
            assert_eq!(last["bonds_u16"][*uid as usize], json!(bonds), "{id} bonds of {uid}");
        }
        for uid in &servers {
            assert_eq!(last["bonds_u16"][*uid as usize], json!([]), "{id} bonds of {uid}");
        }
    }
}

/// The two vectors whose upstream tests state inequalities.
#[test]
fn relations_stated_upstream_hold() {
    let bond = |step: &Value, uid: u64| {
        let row: Vec<(u64, u64)> = serde_json::from_value(step["bonds_u16"][0].clone()).unwrap();
        row.iter().find(|cell| cell.0 == uid).map_or(0, |cell| cell.1)
    };
    let vectors = vectors("epoch");
    let steps = run(&vectors["seq_deregistered_miner_bonds"]);
    let (then, now) = (&steps[1], &steps[3]);
    assert!(bond(now, 2) >= bond(then, 2) && bond(now, 3) <= bond(then, 3) && bond(then, 3) > 0);

    let owner = &run(&vectors["epoch_owner_self_weight"])[0]["server_emission"];
    assert!(owner[0].as_u64() > Some(0) && owner[0] == owner[1]);
}
