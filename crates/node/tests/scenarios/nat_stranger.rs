//! A stranger with nothing but the program and an invite, behind a home router, serves a model and earns. A user behind another router asks, and a visitor behind a third one verifies.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tempfile::TempDir;

use crate::{
    machine,
    mesh::{CommandOutput, Mesh, Running, eventually},
    nat::public,
    nat_network::{Nat, NatNetwork},
};

/// The swarm's port of every node.
const PORT: &str = "4001";

/// The founder's nodes, each at an open site: two validators and a gateway with a faucet.
const FOUNDERS: [&str; 3] = ["validator-1", "validator-2", "gateway-1"];

/// The others, each behind a home router of its own.
const STRANGERS: [&str; 3] = ["stranger", "user", "visitor"];

/// The subnet of text APIs.
const TEXT_API: &str = "18";

/// What the faucet pays, in tokens.
const FAUCET_AMOUNT: &str = "3000";

/// A public mesh, and sites behind NATs.
struct World {
    network: NatNetwork,
    home: TempDir,
    spec: PathBuf,
    nodes: Vec<(&'static str, Running)>,
}

/// The owner key of a stranger, and its node.
struct Funded {
    owner: String,
    node: String,
}

impl World {
    /// With the founder's nodes running. None where there are no NATs.
    fn founded() -> Option<Self> {
        let sites = [[Nat::Open; FOUNDERS.len()], [Nat::PortRestricted; STRANGERS.len()]].concat();
        let network = NatNetwork::new(&sites)?;
        // A testnet writes keys and the spec.
        let testnet = Mesh::whole(&["--validators", "2", "--miners", "1", "--gateways", "1"]);
        testnet.run(&["testnet", "down"]).succeeded();
        let home = tempfile::tempdir().unwrap();
        let spec = home.path().join("mesh.toml");
        fs::write(&spec, lasting(&public(&fs::read_to_string(testnet.mesh_file()).unwrap()))).unwrap();
        fs::copy(testnet.dir().join("owner.pem"), home.path().join("owner.pem")).unwrap();
        for name in FOUNDERS {
            fs::create_dir(home.path().join(name)).unwrap();
            let key = testnet.dir().join("nodes").join(name).join("key.pem");
            fs::copy(key, home.path().join(name).join("key.pem")).unwrap();
        }
        let mut world = Self { network, home, spec, nodes: Vec::new() };
        let (spec, faucet) = (world.spec.display().to_string(), world.file("owner.pem"));
        for name in &FOUNDERS[..2] {
            world.start(name, &[&spec, "--role", "validator", "--relay-server"]);
        }
        let faucet = ["--faucet", &faucet, "--faucet-amount", FAUCET_AMOUNT, "--faucet-bits", "6"];
        world.start(FOUNDERS[2], &[&[spec.as_str(), "--role", "gateway"], &faucet[..]].concat());
        world.makes_blocks(FOUNDERS[2]);
        Some(world)
    }

    fn file(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn program(&self, name: &str) -> Command {
        let site = FOUNDERS.iter().chain(&STRANGERS).position(|one| *one == name).unwrap();
        let mut command = self.network.command(site, env!("CARGO_BIN_EXE_nervure"));
        command.stdin(Stdio::null()).arg("--dir").arg(self.dir(name));
        command
    }

    fn run(&self, name: &str, args: &[&str]) -> CommandOutput {
        CommandOutput::of(self.program(name).args(args).output().unwrap())
    }

    fn start(&mut self, name: &'static str, join: &[&str]) {
        let log = fs::File::create(self.dir(name).with_extension("log")).unwrap();
        let mut command = self.program(name);
        command.arg("join").args(join).args(["--p2p-port", PORT]);
        self.nodes.push((name, Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())));
    }

    /// Asks a node to stop, and waits until it has ended well.
    fn stop(&mut self, name: &str) {
        let index = self.nodes.iter().position(|(one, _)| *one == name).unwrap();
        let (_, mut running) = self.nodes.remove(index);
        let pid = rustix::process::Pid::from_raw(i32::try_from(running.0.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(running.0.wait().unwrap().success(), "{name} ended badly");
    }

    fn height(&self, name: &str) -> Option<u64> {
        let status = self.run(name, &["status", "--json"]);
        if status.code == 0 { status.json()["chain"]["height"].as_u64() } else { None }
    }

    /// Waits until a node has three more blocks.
    fn makes_blocks(&self, name: &str) {
        let first = eventually(&format!("{name} runs"), || self.height(name));
        eventually(&format!("{name} has more blocks"), || {
            self.height(name).filter(|height| *height > first + 2)
        });
    }

    /// A link to the mesh, from the node with the faucet.
    fn invite(&self) -> String {
        let gateway = FOUNDERS[2];
        let id = self.run(gateway, &["key", "show", &self.file("gateway-1/key.pem")]).succeeded().out;
        let ip = NatNetwork::address(2);
        let seed = format!("/ip4/{ip}/udp/{PORT}/quic-v1/p2p/{}", id.trim());
        let owner = self.file("owner.pem");
        let made = self.run(gateway, &["invite", "--seed", &seed, "--key", &owner]).succeeded();
        made.out.trim().to_owned()
    }

    /// A stranger's owner key gets tokens from the faucet and registers its running node, through that node alone. The node
    /// has no role yet: one with a role waits for its registration before it answers commands.
    fn funds_and_registers(&self, name: &str) -> Funded {
        eventually(&format!("{name} follows the chain"), || self.height(name).filter(|height| *height > 1));
        let owner = self.file(&format!("{name}-owner.pem"));
        self.run(name, &["key", "new", "--owner", "--out", &owner]).succeeded();
        eventually("the faucet pays", || {
            let paid = self.run(name, &["faucet", "--key", &owner]);
            (paid.code == 0).then_some(())
        });
        eventually("the tokens are there", || {
            let shown = self.run(name, &["wallet", "show", "--key", &owner, "--json"]);
            (shown.code == 0 && shown.json()["balance"].as_u64()? > 0).then_some(())
        });
        let node_key = self.file(&format!("{name}/key.pem"));
        self.run(name, &["key", "register", &node_key, "--key", &owner]).succeeded();
        let node = self.run(name, &["key", "show", &node_key]).succeeded().out.trim().to_owned();
        Funded { owner, node }
    }

    /// An OpenAI-compatible server on a stranger's machine, and its URL.
    fn model_server(&self, name: &str) -> (Running, String) {
        let mut child = self.program(name).arg("mock-server").stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
        let url = said.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        (Running(child), url)
    }
}

/// The spec of a mesh whose genesis is now, and which light clients trust for as long as the test takes.
fn lasting(spec: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    spec.replace("trusting_period_seconds = 20", "trusting_period_seconds = 3000")
        .replace("evidence_window = 30", "evidence_window = 3600")
        .replace("unbonding = 40", "unbonding = 3700")
        .replace("genesis_unix_milliseconds = 0", &format!("genesis_unix_milliseconds = {now}"))
}

/// How long a step took. For the reader: a slow machine is no fault.
fn says(step: &str, since: Instant) {
    let _ = writeln!(std::io::stderr(), "{step}: {:.1} s", since.elapsed().as_secs_f32());
}

#[test]
fn a_stranger_behind_a_router_serves_earns_and_is_verified() {
    let _share = machine::alone();
    let Some(mut world) = World::founded() else { return };
    let link = world.invite();
    let started = Instant::now();
    let (_server, url) = world.model_server("stranger");
    let expert = format!("openai:{url},model=mock-100,name=strange,netuid={TEXT_API}");
    world.start("stranger", &[&link]);
    let Funded { owner, node } = world.funds_and_registers("stranger");
    says("registered", started);
    let slot = ["neuron", "register", "--netuid", TEXT_API, "--node", &node, "--key", &owner];
    world.run("stranger", &slot).succeeded();
    world.stop("stranger");
    world.start("stranger", &["--role", "miner", "--expert", &expert]);
    says("has a slot", started);

    world.start("user", &[&link]);
    let ask = ["ask", "--chat", "What is 6 * 7?", "--subnet", TEXT_API, "--where", "expert = \"strange\""];
    eventually("a user behind another router has its answer", || {
        let asked = world.run("user", &ask);
        (asked.code == 0 && asked.out.contains("Answer: 42")).then_some(())
    });
    says("answers a user", started);
    eventually("it earns", || {
        let shown = world.run("stranger", &["subnet", "show", TEXT_API, "--json"]);
        let shown = (shown.code == 0).then(|| shown.json())?;
        let neuron = shown["neurons"].as_array()?.iter().find(|one| one["node"] == *node)?;
        (neuron["incentive"].as_u64()? > 0).then_some(())
    });
    says("earns", started);
    eventually("a visitor with the invite has a certified answer", || {
        let asked = world.run("visitor", &[&ask[..], &["--mesh", &link, "--verify"]].concat());
        (asked.code == 0 && asked.err.contains("verified: ")).then_some(())
    });
    says("verified by a visitor", started);
    assert!(!world.dir("visitor").exists(), "a visitor leaves no files");
}
