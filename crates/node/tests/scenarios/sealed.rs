//! A sealed miner: a stranger that reads gossip, directory, DHT, ledger and a gateway's API finds no address of it, and a
//! gateway's users get its answers. The same miner without the seal is found in all but the ledger.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::Stdio,
};

use nervure_primitives::{NodeId, cbor};
use nervure_testnet::NodeFile;

use crate::{
    mesh::{Mesh, Running, eventually, nervure, run},
    sniffer::{Sniffed, has, sniff},
};

/// The expert of the miner.
const EXPERT: &str = "hidden";

/// A mesh whose first miner was started again, with more arguments; and the miner.
struct Setup {
    mesh: Mesh,
    _miner: Running,
    dir: PathBuf,
    id: NodeId,
}

impl Setup {
    fn new(more: &[&str]) -> Self {
        let mesh = Mesh::small(&["--record-expiry", "10"]);
        mesh.run(&["testnet", "kill", "miner-1"]).succeeded();
        let dir = mesh.dir().join("nodes/miner-1");
        let mut command = nervure();
        command.arg("--dir").arg(&dir).arg("join").arg(mesh.mesh_file());
        command.args(["--role", "miner", "--expert", "builtin:rust,name=hidden"]).args(more);
        let _miner = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let id = mesh.node("miner-1")["node"].as_str().unwrap().parse().unwrap();
        eventually("its record is there", || {
            mesh.experts("text.generate.rust").iter().any(|expert| expert["expert"] == EXPERT).then_some(())
        });
        Self { mesh, _miner, dir, id }
    }

    /// Where others see the connections of the miner come from.
    fn seen(&self) -> Vec<SocketAddr> {
        eventually("its contacts see it", || {
            let status = run(&self.dir, &["status", "--json"]);
            let seen = (status.code == 0).then(|| status.json()["reach"]["observed"].clone())?;
            let seen: Vec<_> = seen.as_array()?.iter().filter_map(|one| socket(one.as_str()?)).collect();
            // Two validators and a gateway.
            (seen.len() >= 3).then_some(seen)
        })
    }
}

/// IP and port of a multiaddress.
fn socket(address: &str) -> Option<SocketAddr> {
    let mut parts = address.split('/').skip(2);
    let ip: IpAddr = parts.next()?.parse().ok()?;
    Some(SocketAddr::new(ip, parts.nth(1)?.parse().ok()?))
}

/// The ways in which an address is written: as text, as a multiaddress, and in a record.
fn forms(address: SocketAddr) -> Vec<Vec<u8>> {
    let (SocketAddr::V4(v4), port) = (address, address.port()) else { panic!("{address}") };
    let (ip, [high, low]) = (v4.ip().octets(), port.to_be_bytes());
    let binary = |transport: &[u8]| [&[4][..], &ip, transport, &[high, low]].concat();
    vec![
        address.to_string().into_bytes(),
        format!("/ip4/{}/udp/{port}/quic", v4.ip()).into_bytes(),
        format!("/ip4/{}/tcp/{port}\"", v4.ip()).into_bytes(),
        binary(&[0x91, 0x02]),
        binary(&[0x06]),
        cbor::encode(&address).unwrap(),
    ]
}

/// The sources in which one of `addresses` is named.
fn named(sniffed: &Sniffed, addresses: &[SocketAddr]) -> Vec<&'static str> {
    let forms: Vec<_> = addresses.iter().flat_map(|address| forms(*address)).collect();
    let sources = [
        ("gossip", &sniffed.gossip),
        ("directory", &sniffed.directory),
        ("dht", &sniffed.dht),
        ("ledger", &sniffed.ledger),
        ("http", &sniffed.http),
    ];
    let names = |texts: &Vec<Vec<u8>>| texts.iter().any(|text| forms.iter().any(|form| has(text, form)));
    sources.into_iter().filter(|(_, texts)| names(texts)).map(|(source, _)| source).collect()
}

#[test]
fn a_stranger_that_reads_everything_finds_no_address_of_a_sealed_miner() {
    let setup = Setup::new(&["--sealed"]);
    let seen = setup.seen();
    let sniffed = sniff(&setup.mesh, setup.id, EXPERT);
    println!("sniffed: {} messages, {} pages", sniffed.gossip.len(), sniffed.directory.len());
    assert_eq!(named(&sniffed, &seen), Vec::<&str>::new(), "{seen:?}");
    let records = || sniffed.gossiped.iter().chain(&sniffed.listed);
    assert!(records().count() >= 3 && records().all(|record| record.addresses.is_empty()));
    let peer = setup.id.peer_id().to_bytes();
    assert!(sniffed.dht.iter().all(|answer| !answer.is_empty() && !has(answer, &peer)), "it is in the DHT");

    let ask =
        ["ask", "fn ", "-c", "text.generate.rust", "--where", "expert = \"hidden\"", "--max-tokens", "7"];
    let answered = setup.mesh.run(&ask).succeeded();
    assert_eq!(answered.out.trim_end_matches('\n').len(), 7, "a gateway asks it: {answered:?}");
    let home = tempfile::tempdir().unwrap();
    let spec = setup.mesh.mesh_file().display().to_string();
    let refused = run(home.path(), &[&ask[..], &["--mesh", &spec]].concat());
    assert!(refused.code != 0, "a visitor does not reach it: {refused:?}");
}

#[test]
fn without_the_seal_its_address_is_in_gossip_directory_and_dht() {
    let setup = Setup::new(&[]);
    let file = NodeFile::read(&setup.dir).unwrap().unwrap();
    let asked_at = file.query.unwrap();
    let swarm: Vec<_> = file.p2p.iter().filter_map(|address| socket(address)).collect();
    let sniffed = sniff(&setup.mesh, setup.id, EXPERT);
    assert_eq!(named(&sniffed, &[asked_at]), ["gossip", "directory"]);
    assert!(named(&sniffed, &swarm).contains(&"dht"));
    assert!(sniffed.dht.iter().any(|answer| has(answer, &setup.id.peer_id().to_bytes())));
}

#[test]
fn a_sealed_miner_with_a_setting_that_tells_its_address_does_not_start() {
    let mesh = Mesh::up(&["--validators", "1", "--miners", "1"]);
    mesh.run(&["testnet", "kill", "miner-1"]).succeeded();
    let mut command = nervure();
    command.arg("--dir").arg(mesh.dir().join("nodes/miner-1")).arg("join").arg(mesh.mesh_file());
    command.args(["--role", "miner", "--expert", "builtin:rust", "--sealed", "--mdns"]);
    let output = crate::mesh::CommandOutput::of(command.output().unwrap());
    assert!(output.code != 0 && output.err.contains("cannot be sealed"), "{output:?}");
    assert!(output.err.contains("without --sealed"), "it says what to do: {output:?}");
}
