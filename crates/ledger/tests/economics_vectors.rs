//! Every economics vector, judged case by case; a file with an unknown function fails.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::path::Path;

use nervure_ledger::economics::{
    burn::{BurnRule, decay_factor},
    emission::{block_reward, blocks_of_era, halving_threshold},
    lock::{LastLock, LockRule},
    prune::{self, SubnetRank},
    schedule::blocks_until_epoch,
};
use serde_json::Value;

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} in {value}"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} in {value}"))
}

fn rule(input: &Value, multiplier: u64) -> BurnRule {
    BurnRule {
        half_life: number(input, "half_life"),
        multiplier_milli: multiplier * 1_000,
        floor: number(input, "min"),
        ceiling: number(input, "max"),
    }
}

fn emission(case: &Value) {
    let issuance = number(&case["input"], "issuance_rao");
    assert_eq!(block_reward(issuance), number(case, "expected_rao_per_block"), "{case}");
}

fn halving(case: &Value) {
    let k = u32::try_from(number(case, "k")).unwrap();
    let threshold = number(case, "issuance_threshold_rao");
    let reward = number(case, "emission_rao");
    assert_eq!(halving_threshold(k), threshold, "{case}");
    assert_eq!(block_reward(threshold), reward, "{case}");
    if threshold > 0 {
        assert!(block_reward(threshold - 1) > reward, "{case}");
    }
    assert_eq!(blocks_of_era(k), Some(number(case, "blocks_to_emit_this_era")), "{case}");
}

fn long_decay(case: &Value) {
    let input = &case["input"];
    let rule = rule(input, 1);
    let factor = decay_factor(rule.half_life);
    assert_eq!(factor, number(case, "factor_q32"), "{case}");
    let expected = case["expected_after_blocks"].as_object().unwrap();
    let last = expected.keys().map(|key| key.parse::<u64>().unwrap()).max().unwrap();
    let mut price = number(input, "initial_burn");
    for block in 1..=last {
        price = rule.after_block(price, factor);
        if let Some(wanted) = expected.get(&block.to_string()) {
            assert_eq!(price, wanted.as_u64().unwrap(), "block {block} of {case}");
        }
    }
}

fn stated_burn(case: &Value) {
    let input = &case["input"];
    let rule = rule(input, number(input, "mult"));
    let factor = decay_factor(rule.half_life);
    let mut price = number(input, "burn");
    let (ops, expected) = (list(input, "ops"), list(case, "expected"));
    assert_eq!(ops.len(), expected.len());
    for (op, wanted) in ops.iter().zip(expected) {
        price = match op.as_str().unwrap() {
            "register" => rule.after_registration(price),
            "block" => rule.after_block(price, factor),
            other => panic!("unknown operation {other}"),
        };
        if !wanted.is_null() {
            assert_eq!(price, wanted.as_u64().unwrap(), "{case}");
        }
    }
}

fn schedule(case: &Value) {
    let input = &case["input"];
    let blocks =
        blocks_until_epoch(number(input, "last_epoch_block"), number(input, "tempo"), number(input, "block"));
    assert_eq!(blocks, number(case, "expected"), "{case}");
}

fn lock(case: &Value) {
    let input = &case["input"];
    let rule = LockRule {
        floor: number(input, "min_lock_rao"),
        interval: number(input, "effective_interval_blocks"),
    };
    let last = LastLock { amount: number(input, "last_lock_rao"), block: number(input, "last_lock_block") };
    assert_eq!(rule.cost(last, number(input, "current_block")), number(case, "expected_lock_rao"), "{case}");
}

fn subnet_prune(case: &Value) {
    let input = &case["input"];
    let rank = |subnet: &Value| SubnetRank {
        netuid: u16::try_from(number(subnet, "netuid")).unwrap(),
        registered: number(subnet, "registered"),
        emission: number(subnet, "price").into(),
    };
    let subnets: Vec<_> = list(input, "subnets").iter().map(rank).collect();
    let chosen = prune::subnet(&subnets, number(input, "immunity"), number(input, "block"));
    assert_eq!(chosen.map(u64::from), case["expected"].as_u64(), "{case}");
}

fn judge(function: &str) -> fn(&Value) {
    match function {
        "get_block_emission_for_issuance" => emission,
        "halving thresholds" => halving,
        "update_registration_prices_for_networks" => long_decay,
        "update_registration_prices_for_networks / bump_registration_price_after_registration" => stated_burn,
        "blocks_until_next_auto_epoch" => schedule,
        "get_network_lock_cost" => lock,
        "get_network_to_prune" => subnet_prune,
        other => panic!("no judge for {other}"),
    }
}

#[test]
fn every_case_of_every_file_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/economics");
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        let judge = judge(file["function"].as_str().unwrap());
        for case in list(&file, "cases") {
            judge(case);
            cases += 1;
        }
    }
    assert_eq!(cases, 99, "the cases of all files");
}
