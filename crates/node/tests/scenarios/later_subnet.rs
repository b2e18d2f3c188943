//! A subnet that is created in a running mesh works like any other: its miners are found, asked, and answer.

use std::process::Stdio;

use crate::mesh::{Mesh, Running, eventually, nervure, run};

#[test]
fn a_miner_of_a_subnet_that_was_founded_later_is_found_and_answers() {
    let mesh = Mesh::up(&["--validators", "1", "--miners", "1"]);
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("miner");
    let node = run(&dir, &["key", "new"]).succeeded().out.trim().to_owned();
    mesh.run(&["key", "register", dir.join("key.pem").to_str().unwrap()]).succeeded();
    mesh.run(&["subnet", "create", "mine", "--node", &node]).succeeded();

    let mut join = nervure();
    join.arg("--dir").arg(&dir).arg("join").arg(mesh.mesh_file());
    join.args(["--role", "miner", "--expert", "builtin:rust,netuid=22,name=late"]);
    let _miner = Running(join.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    eventually("its expert is found", || {
        let found = mesh.experts("text.generate.rust");
        found.iter().any(|expert| expert["expert"] == "late" && expert["netuid"] == 22).then_some(())
    });
    let ask = ["ask", "fn ", "-c", "text.generate.rust", "--subnet", "22", "--max-tokens", "5", "--explain"];
    let output = mesh.run(&ask).succeeded();
    assert!(output.err.contains("late on "), "{output:?}");
}
