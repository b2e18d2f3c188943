//! A miner with several addresses to bind to, of IPv4 and IPv6, and one with IPv6 alone.

use std::process::Stdio;

use serde_json::Value;

use crate::{
    mesh::{Mesh, Running, eventually, nervure, run},
    space::skipped,
};

/// Starts the first miner of the testnet again, bound to these addresses.
fn miner(mesh: &Mesh, name: &str, bind: &[&str]) -> Running {
    let mut command = nervure();
    command.arg("--dir").arg(mesh.dir().join("nodes/miner-1")).arg("join").arg(mesh.mesh_file());
    command.args(["--role", "miner", "--expert", &format!("builtin:rust,name={name}")]);
    for address in bind {
        command.args(["--bind", address]);
    }
    Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// The texts in a list that begin with this.
fn beginning(list: &Value, with: &str) -> usize {
    let texts = list.as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(Value::as_str);
    texts.filter(|text| text.starts_with(with)).count()
}

fn is_asked(mesh: &Mesh, name: &str) {
    eventually(&format!("{name} is found"), || {
        mesh.experts("text.generate.rust").iter().any(|expert| expert["expert"] == name).then_some(())
    });
    let filter = format!("expert = \"{name}\"");
    let ask = ["ask", "fn ", "-c", "text.generate.rust", "--where", &filter, "--max-tokens", "7"];
    mesh.run(&ask).succeeded();
}

#[test]
fn a_miner_is_reached_over_ipv4_and_ipv6_and_over_ipv6_alone() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        return skipped("this machine has no IPv6");
    }
    let mesh = Mesh::up(&["--validators", "1", "--miners", "1"]);
    let dir = mesh.dir().join("nodes/miner-1");
    mesh.run(&["testnet", "kill", "miner-1"]).succeeded();
    for (name, bind) in [("both", &["127.0.0.1", "::1"][..]), ("sixth", &["::1"])] {
        let _miner = miner(&mesh, name, bind);
        let reach = eventually("the miner runs", || {
            let status = run(&dir, &["status", "--json"]);
            let running = status.code == 0 && status.json()["serving"] == serde_json::json!([name]);
            running.then(|| status.json()["reach"].clone())
        });
        let v4 = usize::from(bind.len() == 2);
        let query = &reach["query"];
        assert_eq!((beginning(query, "127.0.0.1:"), beginning(query, "[::1]:")), (v4, 1), "{reach}");
        let swarm = &reach["addresses"];
        assert_eq!((beginning(swarm, "/ip4/"), beginning(swarm, "/ip6/::1/")), (2 * v4, 2), "{reach}");
        is_asked(&mesh, name);
    }
    // An address that this machine does not have is named in the error.
    let spec = mesh.mesh_file().display().to_string();
    let failed =
        run(&dir, &["join", &spec, "--role", "miner", "--bind", "127.0.0.1", "--bind", "2001:db8::1"]);
    assert!(failed.code != 0 && failed.err.contains("2001:db8::1"), "{failed:?}");
}
