//! A miner crashes: no query fails, and its record expires.

use crate::mesh::{Mesh, eventually};

#[test]
fn a_killed_miner_fails_no_query_and_its_record_expires() {
    let mesh = Mesh::up(&["--validators", "2", "--record-expiry", "8"]);
    let ask = ["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "2"];
    mesh.run(&ask).succeeded();
    let killed = mesh.node("miner-1")["node"].clone();
    mesh.run(&["testnet", "kill", "miner-1"]).succeeded();
    // While its record stands, and after: both rust experts are asked first now and then.
    for _ in 0..8 {
        mesh.run(&ask).succeeded();
    }
    eventually("the killed miner's record is gone", || {
        let found = mesh.experts("text.generate.rust");
        (found.len() == 1 && found[0]["node"] != killed).then_some(())
    });
    mesh.run(&["testnet", "start", "miner-1"]).succeeded();
    eventually("it is back", || (mesh.experts("text.generate.rust").len() == 2).then_some(()));
}

#[test]
fn a_miner_that_stops_is_withdrawn_before_its_record_expires() {
    // With this expiry only a withdrawal can remove it within the test's timeout.
    let mesh = Mesh::small(&["--record-expiry", "3600"]);
    assert_eq!(mesh.experts("text").len(), 2);
    let pid = mesh.node("miner-1")["pid"].as_u64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    eventually("its expert is withdrawn", || (mesh.experts("text").len() == 1).then_some(()));
}

#[test]
fn a_miner_that_was_killed_and_came_back_is_asked_where_it_is_now() {
    let mesh = Mesh::up(&["--validators", "1", "--miners", "1"]);
    // The deadline is shorter than the idle timeout of a connection that no longer has a peer.
    let ask = ["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "2", "--deadline", "15"];
    mesh.run(&ask).succeeded();
    mesh.run(&["testnet", "kill", "miner-1"]).succeeded();
    mesh.run(&["testnet", "start", "miner-1"]).succeeded();
    eventually("its new record is heard", || (mesh.run(&ask).code == 0).then_some(()));
}
