//! `kill -9` of validators at every fail point and at random moments: no final block is lost, no validator
//! signs twice, and each one comes back.
//!
//! The work is done by `nervure bench kills`, the soak command, in small here. A failing seed can be given to it.

use serde_json::Value;

use crate::{
    machine,
    mesh::{CommandOutput, nervure},
};

/// Runs the soak command in small.
fn soak(args: &[&str]) -> Value {
    // Without the feature no validator would die at a fail point, and the test would prove nothing.
    const { assert!(nervure_store::fail_point::ENABLED, "built without the feature fail-points") };
    let _share = machine::beside_others();
    let mut command = nervure();
    command.args(["bench", "kills", "--json", "--block-milliseconds", "250"]).args(args);
    let output = CommandOutput::of(command.output().unwrap()).succeeded();
    let seen = output.json();
    assert_eq!(seen["complaints"], serde_json::json!([]), "{output:?}");
    assert!(seen["heights"].as_u64().unwrap() > 20, "{seen}");
    seen
}

#[test]
fn a_validator_dies_at_every_fail_point_and_nothing_is_lost() {
    let seen = soak(&["--kills", "0", "--sweeps", "1", "--seed", "6"]);
    let deaths = seen["at_fail_points"].as_object().unwrap();
    for point in nervure_store::fail_point::Point::ALL {
        assert_eq!(deaths[&format!("{point:?}")], 1, "{seen}");
    }
}

#[test]
fn validators_die_at_random_moments_and_nothing_is_lost() {
    let seen = soak(&["--kills", "24", "--sweeps", "0", "--seed", "7"]);
    assert_eq!(seen["random"], 24);
    assert!(seen["restarts"].as_u64().unwrap() >= 24, "{seen}");
}
