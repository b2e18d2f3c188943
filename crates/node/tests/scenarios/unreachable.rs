//! A miner whose query endpoint is unreachable is asked over the swarm's own connection.

use std::process::Stdio;

use crate::mesh::{Mesh, Running, eventually, nervure};

#[test]
fn a_miner_without_a_reachable_query_port_answers_all_the_same() {
    let mesh = Mesh::up(&["--validators", "1", "--miners", "1"]);
    mesh.run(&["testnet", "kill", "miner-1"]).succeeded();
    let mut command = nervure();
    command.arg("--dir").arg(mesh.dir().join("nodes/miner-1")).arg("join").arg(mesh.mesh_file());
    command.args(["--role", "miner", "--expert", "builtin:rust,name=hidden"]);
    // Nothing listens at the address in its records.
    command.args(["--external", "/ip4/127.0.0.99/udp/1/quic-v1"]);
    let _miner = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    eventually("its record is there", || {
        mesh.experts("text.generate.rust").iter().any(|expert| expert["expert"] == "hidden").then_some(())
    });
    let ask =
        ["ask", "fn ", "-c", "text.generate.rust", "--where", "expert = \"hidden\"", "--max-tokens", "7"];
    let output = mesh.run(&ask).succeeded();
    assert_eq!(output.out.trim_end_matches('\n').len(), 7, "{output:?}");
}
