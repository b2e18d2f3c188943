//! `nervure doctor` before there is a node, with a running one, and with one whose mesh stands still.

use std::path::Path;

use serde_json::Value;

use crate::mesh::{CommandOutput, Mesh, eventually, run};

fn verdicts(report: &CommandOutput) -> Vec<(String, String)> {
    let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().to_owned();
    let findings = report.json()["findings"].as_array().unwrap().clone();
    findings.iter().map(|one| (text(one, "check"), text(one, "verdict"))).collect()
}

fn verdict(report: &CommandOutput, check: &str) -> String {
    let found = verdicts(report).into_iter().find(|(name, _)| name == check);
    found.map(|(_, verdict)| verdict).unwrap_or_default()
}

fn doctor(dir: &Path, args: &[&str]) -> CommandOutput {
    run(dir, &[&["doctor", "--json"], args].concat())
}

#[test]
fn each_line_has_a_verdict_and_a_failing_one_a_next_step() {
    let mesh = Mesh::up(&["--validators", "2", "--miners", "1"]);
    let home = tempfile::tempdir().unwrap();
    let spec = mesh.mesh_file().display().to_string();
    // Before there is a node: a temporary client of the mesh.
    let before = doctor(home.path(), &["--mesh", &spec]);
    assert_eq!(
        (verdict(&before, "mesh").as_str(), verdict(&before, "key").as_str()),
        ("ok", "skip"),
        "{before:?}"
    );
    assert!(verdict(&before, "peers") != "fail", "{before:?}");
    // Without a spec there is nothing to ask.
    let lost = run(home.path(), &["doctor"]);
    assert!(lost.code == 1 && lost.out.contains("FAIL  connection"), "{lost:?}");
    assert!(lost.out.contains("next: "), "{lost:?}");

    let validator = mesh.dir().join("nodes/validator-1");
    let healthy = eventually("the validator is healthy", || {
        let report = doctor(&validator, &[]);
        (verdict(&report, "chain") == "ok" && verdict(&report, "election") == "ok").then_some(report)
    });
    assert_eq!(verdict(&healthy, "role"), "ok", "{healthy:?}");

    // One of two validators is gone: no more blocks. The other one says so.
    mesh.run(&["testnet", "kill", "validator-2"]).succeeded();
    eventually("the doctor and the health check know that the chain stands still", || {
        let report = doctor(&validator, &[]);
        let status = run(&validator, &["status", "--json"]).json();
        let still = status["not_ready"].as_str().is_some_and(|why| why.contains("stands still"));
        (report.code == 1 && verdict(&report, "chain") == "fail" && still).then_some(())
    });
    assert_eq!(crate::mesh::gauge(&validator, "chain_standing_still"), 1);
}
