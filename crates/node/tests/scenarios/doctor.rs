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
    let report = run(dir, &[&["doctor", "--json"], args].concat());
    assert!(report.out.starts_with('{'), "no report: {report:?}");
    report
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

#[test]
fn the_ways_to_a_peer_are_checked_from_both_sides_and_the_failing_hop_is_named() {
    let mesh = Mesh::up(&["--validators", "2", "--miners", "1"]);
    let validator = mesh.dir().join("nodes/validator-1");
    let miner = mesh.node("miner-1")["node"].as_str().unwrap().to_owned();
    let hops = ["you -> mesh", "mesh -> peer", "you -> peer", "peer -> you", "query port", "peer says"];
    let good = eventually("all hops work", || {
        let report = doctor(&validator, &[&miner]);
        hops.iter().all(|hop| verdict(&report, hop) == "ok").then_some(report)
    });
    assert_eq!(good.code, 0, "{good:?}");
    // The peer was asked through a node that both know.
    let details = &good.json()["details"];
    assert!(details["rendezvous"].as_array().unwrap().iter().any(|one| one["reaches"] == true), "{details}");
    assert_eq!(details["report"]["sees"], "direct", "{details}");
    // A client that is there for one command. It has to see a block first.
    let (home, spec) = (tempfile::tempdir().unwrap(), mesh.mesh_file().display().to_string());
    eventually("a client has an answer, too", || {
        let report = run(home.path(), &["doctor", "--json", "--mesh", &spec, &miner]);
        (report.code == 0 && verdict(&report, "you -> peer") == "ok").then_some(())
    });

    mesh.run(&["testnet", "kill", "miner-1"]).succeeded();
    let dead = eventually("no node reaches it", || {
        let report = doctor(&validator, &[&miner]);
        (verdict(&report, "mesh -> peer") == "fail").then_some(report)
    });
    assert_eq!((dead.code, verdict(&dead, "you -> peer").as_str()), (1, "fail"), "{dead:?}");
    eventually("the failing hop is named", || {
        let text = run(&validator, &["doctor", &miner]);
        let hop = text.out.lines().position(|line| line.starts_with("FAIL  mesh -> peer"))?;
        text.out.lines().nth(hop + 1)?.contains("this is the failing hop").then_some(())
    });
    let nonsense = run(&validator, &["doctor", "nonsense"]);
    assert!(nonsense.code == 2 && nonsense.err.contains("nonsense"), "{nonsense:?}");
}
