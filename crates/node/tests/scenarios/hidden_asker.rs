//! Validators ask through gateways, so that miners do not see who asks; without a gateway they ask themselves.

use std::path::PathBuf;

use crate::mesh::{Mesh, eventually, metrics};

fn dir(mesh: &Mesh, name: &str) -> PathBuf {
    mesh.dir().join("nodes").join(name)
}

/// A counter of a node, with its labels as they stand.
fn counter(mesh: &Mesh, node: &str, name: &str) -> u64 {
    let metrics = metrics(&dir(mesh, node));
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or(0)
}

const THROUGH: &str = "nervure_task_questions_through_gateways_total";
const DIRECTLY: &str = "nervure_task_questions_asked_directly_total";
const ANSWERED: &str = "nervure_forwarded_questions_total{outcome=\"answered\"}";

#[test]
fn gateways_ask_validators_questions_until_they_are_gone() {
    let mesh = Mesh::small(&["--expert", "builtin:rust", "--expert", "builtin:rust,quality=50"]);
    let through = |node| counter(&mesh, node, THROUGH);
    eventually("a gateway asks for every validator", || {
        (through("validator-1") > 20 && through("validator-2") > 20).then_some(())
    });
    assert!(counter(&mesh, "gateway-1", ANSWERED) >= 40);
    // Those before the gateway was known.
    let directly = counter(&mesh, "validator-1", DIRECTLY);
    let asked = through("validator-1");
    eventually("further questions take the same way", || (through("validator-1") > asked + 20).then_some(()));
    assert!(counter(&mesh, "validator-1", DIRECTLY) < directly + 10, "{directly}");
    for validator in ["validator-1", "validator-2"] {
        let batches = "nervure_task_batches_accepted_total";
        let opened = "nervure_assignments_accepted_total";
        eventually("assignments are committed to and opened", || {
            (counter(&mesh, validator, batches) > 3 && counter(&mesh, validator, opened) > 3).then_some(())
        });
    }

    mesh.run(&["testnet", "kill", "gateway-1"]).succeeded();
    let directly = counter(&mesh, "validator-1", DIRECTLY);
    eventually("without a gateway a validator asks itself", || {
        (counter(&mesh, "validator-1", DIRECTLY) > directly + 20).then_some(())
    });
}
