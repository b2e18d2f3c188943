//! Who reaches whom through NATs: a gateway and a miner behind each kind, a question from every gateway to every miner, the
//! road that it took and the time to the first byte. `scripts/nat-matrix` prints the table.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    machine,
    mesh::{CommandOutput, Mesh, Running, eventually},
    nat_network::{Nat, NatNetwork},
};

/// Validators, each at an open site; all relay.
const VALIDATORS: usize = 2;

/// The swarm's port of every node.
const PORT: &str = "4001";

/// The query port of every miner.
const QUERY_PORT: &str = "4002";

/// How long a miner is asked that does not answer: a little more than the longest pause of one that failed.
const PAUSE_TIMEOUT: Duration = Duration::from_secs(70);

/// How many times a question is asked again that seems to have gone through a relay and could have gone directly.
const DIRECT_TRIES: usize = 5;

/// Pairs for which the attempt to punch a hole may have failed while the mesh formed, on a busy machine. A relayed connection
/// stays for ten minutes, and nothing is punched beside it a second time, so the gateway starts again.
const MAX_UNPUNCHED: usize = 4;

/// Names another program, to compare it.
const PROGRAM: &str = "NERVURE_NAT_PROGRAM";

/// The road of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Road {
    /// To the miner's query endpoint.
    QueryPort,
    /// On a connection of the swarm from machine to machine.
    Direct,
    /// Through a relay.
    Relayed,
    /// No answer.
    None,
}

/// How a question went, and the same one again.
struct Cell {
    first: Asked,
    again: Asked,
}

/// The program's answer to one question.
struct Asked {
    /// The road that it took; none when there was no answer.
    road: Road,
    /// Time to the first byte, with the start of the program.
    first_byte: Duration,
    /// What the program said when there was no answer.
    complaint: String,
    /// How many times it was asked.
    times: u32,
}

/// A public mesh behind NATs.
struct World {
    /// Behind each there is a gateway and a miner.
    kinds: Vec<Nat>,
    network: NatNetwork,
    spec: PathBuf,
    home: TempDir,
    /// Site by the name of the node on it.
    sites: BTreeMap<String, usize>,
    nodes: BTreeMap<String, Running>,
}

impl World {
    /// Not started. None where there are no NATs.
    fn new(kinds: &[Nat]) -> Option<Self> {
        let sites = [&[Nat::Open; VALIDATORS][..], kinds, kinds].concat();
        let network = NatNetwork::new(&sites)?;
        let count = kinds.len().to_string();
        // A testnet writes keys and the spec.
        let testnet = Mesh::up(&["--validators", "2", "--miners", &count, "--gateways", &count]);
        testnet.run(&["testnet", "down"]).succeeded();
        let home = tempfile::tempdir().unwrap();
        let spec = home.path().join("mesh.toml");
        fs::write(&spec, public(&fs::read_to_string(testnet.mesh_file()).unwrap())).unwrap();
        let of = |role: &str, count: usize| (1..=count).map(|n| format!("{role}-{n}")).collect::<Vec<_>>();
        let names =
            [of("validator", VALIDATORS), of("miner", kinds.len()), of("gateway", kinds.len())].concat();
        for name in &names {
            fs::create_dir(home.path().join(name)).unwrap();
            let key = testnet.dir().join("nodes").join(name).join("key.pem");
            fs::copy(key, home.path().join(name).join("key.pem")).unwrap();
        }
        let sites = names.into_iter().enumerate().map(|(site, name)| (name, site)).collect();
        Some(Self { kinds: kinds.to_vec(), network, spec, home, sites, nodes: BTreeMap::new() })
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn program(&self, name: &str) -> Command {
        let program = std::env::var(PROGRAM).unwrap_or_else(|_| env!("CARGO_BIN_EXE_nervure").into());
        let mut command = self.network.command(self.sites[name], &program);
        command.env_remove(PROGRAM).stdin(Stdio::null()).arg("--dir").arg(self.dir(name));
        command
    }

    fn start(&mut self, name: &str, args: &[&str]) {
        // Frees its ports.
        drop(self.nodes.remove(name));
        let mut command = self.program(name);
        command.arg("join").arg(&self.spec).args(["--p2p-port", PORT]).args(args);
        let log = fs::File::create(self.dir(name).join("log")).unwrap();
        let node = Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        self.nodes.insert(name.to_owned(), node);
    }

    fn start_all(&mut self) {
        for number in 1..=VALIDATORS {
            self.start(&format!("validator-{number}"), &["--role", "validator", "--relay-server"]);
        }
        for (number, kind) in self.kinds.clone().into_iter().enumerate() {
            let expert = format!("builtin:rust,name={}", kind.slug());
            let args = ["--role", "miner", "--query-port", QUERY_PORT, "--expert", &expert];
            self.start(&format!("miner-{}", number + 1), &args);
            self.start(&format!("gateway-{}", number + 1), &["--role", "gateway"]);
        }
    }

    fn run(&self, name: &str, args: &[&str]) -> CommandOutput {
        CommandOutput::of(self.program(name).args(args).output().unwrap())
    }

    /// Waits until every gateway knows every miner, and those behind NATs have had time to find relays.
    fn forms(&self) {
        for number in 1..=self.kinds.len() {
            self.knows_all(&format!("gateway-{number}"));
        }
        let has_relays = |number: usize| {
            let status = self.run(&format!("miner-{number}"), &["status", "--json"]);
            status.code == 0 && !status.json()["reach"]["relays"].as_array().is_none_or(Vec::is_empty)
        };
        // Not an assertion: a program without relays of its own has a table too.
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until && !(2..=self.kinds.len()).all(has_relays) {
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The streams of the swarm that a node has opened for questions, by road; none where it does not count them.
    fn streams(&self, name: &str) -> [Option<u64>; 2] {
        let file: Value =
            serde_json::from_str(&fs::read_to_string(self.dir(name).join("node.json")).unwrap()).unwrap();
        let (host, port) = file["http"].as_str().unwrap().rsplit_once(':').unwrap();
        let script = format!(
            "exec 3<>/dev/tcp/{host}/{port}; printf 'GET /metrics HTTP/1.0\\r\\nHost: {host}\\r\\n\\r\\n' >&3; cat <&3"
        );
        let output = self.network.command(self.sites[name], "bash").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        ["direct", "relayed"].map(|road| {
            let prefix = format!("nervure_query_streams_total{{road=\"{road}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&prefix)?.trim().parse().ok())
        })
    }

    /// One question to one miner.
    fn ask(&self, gateway: &str, miner: Nat) -> Asked {
        let before = self.streams(gateway);
        let filter = format!("expert = \"{}\"", miner.slug());
        let mut command = self.program(gateway);
        command.args(["ask", "fn ", "-c", "text.generate.rust", "--where", &filter]);
        command.args(["--max-tokens", "3", "--deadline", "20", "--json"]);
        let (first_byte, complaint) =
            first_byte(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let after = self.streams(gateway);
        let road = match (complaint.is_empty(), before[0] == after[0], before[1] == after[1]) {
            (false, ..) => Road::None,
            (true, _, false) => Road::Relayed,
            (true, false, true) => Road::Direct,
            (true, true, true) => Road::QueryPort,
        };
        Asked { road, first_byte, complaint, times: 1 }
    }

    /// The same until there is an answer. A gateway pauses a miner that it could not reach while the mesh formed, also for
    /// the questions that validators put through it, and says that it is busy until the pause ends.
    fn ask_until_answered(&self, gateway: &str, miner: Nat) -> Asked {
        // Another program may reach some never.
        let patience = if std::env::var_os(PROGRAM).is_none() { PAUSE_TIMEOUT } else { Duration::ZERO };
        let until = Instant::now() + patience;
        let mut asked = self.ask(gateway, miner);
        while asked.road == Road::None && Instant::now() < until {
            let _ = writeln!(std::io::stderr(), "{gateway} asks {miner}: {}", asked.complaint);
            std::thread::sleep(Duration::from_millis(500));
            asked = Asked { times: asked.times + 1, ..self.ask(gateway, miner) };
        }
        asked
    }

    /// The same until it went directly, where it can. The road is read from a count of the gateway's streams, and one that
    /// the gateway opened for a validator meanwhile looks like a relayed one of this question.
    fn ask_on_best_road(&self, gateway: &str, (asker, miner): (Nat, Nat)) -> Asked {
        let mut asked = self.ask_until_answered(gateway, miner);
        for _ in 0..DIRECT_TRIES {
            if asked.road != Road::Relayed || !can_be_direct(asker, miner) {
                break;
            }
            std::thread::sleep(Duration::from_millis(500));
            asked = self.ask_until_answered(gateway, miner);
        }
        asked
    }

    fn knows_all(&self, gateway: &str) {
        eventually(&format!("{gateway} knows all miners"), || {
            let found = self.run(gateway, &["experts", "find", "text.generate.rust", "--json"]);
            let experts = (found.code == 0).then(|| found.json()["experts"].as_array().map(Vec::len))??;
            (experts == self.kinds.len()).then_some(())
        });
    }

    /// Starts gateways again that could have reached a miner directly and did not, and asks those miners again.
    fn ask_again_after_a_start(&mut self, rows: &mut [Vec<Cell>]) {
        let relayed = |(asker, miner): &(usize, usize)| {
            can_be_direct(Nat::ALL[*asker], Nat::ALL[*miner])
                && rows[*asker][*miner].again.road == Road::Relayed
        };
        let pairs = (0..rows.len()).flat_map(|asker| (0..rows.len()).map(move |miner| (asker, miner)));
        let unpunched: Vec<_> = pairs.filter(relayed).take(MAX_UNPUNCHED).collect();
        for (asker, miner) in unpunched {
            let gateway = format!("gateway-{}", asker + 1);
            self.start(&gateway, &["--role", "gateway"]);
            self.knows_all(&gateway);
            rows[asker][miner].again = self.ask_on_best_road(&gateway, (Nat::ALL[asker], Nat::ALL[miner]));
        }
    }

    /// Every gateway asks every miner, twice.
    fn ask_all(&self) -> Vec<Vec<Cell>> {
        let row = |number: usize| {
            let gateway = format!("gateway-{number}");
            let asker = Nat::ALL[number - 1];
            let cell = |miner| Cell {
                first: self.ask_until_answered(&gateway, miner),
                again: self.ask_on_best_road(&gateway, (asker, miner)),
            };
            Nat::ALL.into_iter().map(cell).collect()
        };
        (1..=Nat::ALL.len()).map(row).collect()
    }
}

/// Waits for the first piece of an answer and for the end. What the program says counts when there was no piece.
fn first_byte(mut child: Child) -> (Duration, String) {
    let started = Instant::now();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let answered = lines.any(|line| line.contains("\"type\":\"text\""));
    let first_byte = started.elapsed();
    lines.for_each(drop);
    let output = child.wait_with_output().unwrap();
    let complaint = match answered {
        true => String::new(),
        false => format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)),
    };
    (first_byte, complaint)
}

/// The spec of a testnet as that of a public mesh, whose bootstrap nodes are the validators at their sites.
pub fn public(text: &str) -> String {
    let mut sites = 0..;
    let lines = text.lines().map(|line| match line.trim() {
        "scope = \"local\"" => "scope = \"public\"".to_owned(),
        "trusting_period_seconds = 0" => "trusting_period_seconds = 20".to_owned(),
        address if address.starts_with("\"/ip4/127.0.0.1/udp/") => {
            let (_, id) = address.split_once("/p2p/").unwrap();
            let ip = NatNetwork::address(sites.next().unwrap());
            format!("\"/ip4/{ip}/udp/{PORT}/quic-v1/p2p/{id}\n\"/ip4/{ip}/tcp/{PORT}/p2p/{id}")
        }
        other => other.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The word for a road: a direct connection to a node behind a NAT was punched.
fn word(asker: Nat, miner: Nat, road: Road) -> &'static str {
    match road {
        Road::QueryPort => "query port",
        Road::Direct if is_open(asker) || is_open(miner) => "direct",
        Road::Direct => "punched",
        Road::Relayed => "relayed",
        Road::None => "fails",
    }
}

/// The table: rows ask, columns answer.
fn table(rows: &[Vec<Cell>]) -> String {
    let mut text = String::from("| asker \\ miner |");
    Nat::ALL.iter().for_each(|kind| text += &format!(" {kind} |"));
    text += "\n|";
    text += &" --- |".repeat(Nat::ALL.len() + 1);
    for (asker, row) in Nat::ALL.into_iter().zip(rows) {
        text += &format!("\n| **{asker}** |");
        for (miner, cell) in Nat::ALL.into_iter().zip(row) {
            let shown = |asked: &Asked| (word(asker, miner, asked.road), asked.first_byte.as_millis());
            let (first, again) = (shown(&cell.first), shown(&cell.again));
            text += &match first.0 == again.0 {
                true => format!(" {} {} / {} ms", first.0, first.1, again.1),
                false => format!(" {} {} / {} {} ms", first.0, first.1, again.0, again.1),
            };
            text += &match cell.first.times {
                1 => " |".to_owned(),
                times => format!(" (asked {times} times) |"),
            };
        }
    }
    text + "\n"
}

/// Whether everyone may send to a machine there.
fn is_open(kind: Nat) -> bool {
    matches!(kind, Nat::Open | Nat::FullCone)
}

/// Whether a hole can be punched between these: one side keeps its mapping for all peers, and the other one's packets come
/// from where they are expected. Without UDP there is none.
fn can_be_direct(asker: Nat, miner: Nat) -> bool {
    let has_udp = asker != Nat::NoUdp && miner != Nat::NoUdp;
    let is_cone = |kind| kind != Nat::Symmetric;
    asker == Nat::Open || miner == Nat::Open || (has_udp && is_cone(asker) && is_cone(miner))
}

#[test]
fn every_gateway_reaches_every_miner_through_nats() {
    let _share = machine::alone();
    let Some(mut world) = World::new(&Nat::ALL) else { return };
    world.start_all();
    world.forms();
    let mut rows = world.ask_all();
    if std::env::var_os(PROGRAM).is_none() {
        world.ask_again_after_a_start(&mut rows);
    }
    let table = table(&rows);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nat-matrix.md");
    fs::write(&file, &table).unwrap();
    let _ = writeln!(std::io::stderr(), "{}:\n{table}", file.display());
    if std::env::var_os(PROGRAM).is_some() {
        return;
    }
    for (asker, row) in Nat::ALL.into_iter().zip(&rows) {
        for (miner, cell) in Nat::ALL.into_iter().zip(row) {
            for Asked { road, complaint, .. } in [&cell.first, &cell.again] {
                assert_ne!(*road, Road::None, "{asker} asks {miner}: {complaint}\n{table}");
            }
            assert!(
                !can_be_direct(asker, miner) || cell.again.road != Road::Relayed,
                "{asker} asks {miner}\n{table}"
            );
        }
    }
}

/// Without following its address, a node waits for its connections to time out, and tells others nothing until then.
#[test]
fn a_miner_that_moves_is_asked_at_its_new_address() {
    let Some(mut world) = World::new(&[Nat::Open]) else { return };
    world.start_all();
    world.forms();
    let (miner, site) = ("miner-1", world.sites["miner-1"]);
    let queries = |world: &World| {
        let status = world.run(miner, &["status", "--json"]);
        (status.code == 0).then(|| status.json()["reach"]["query"].clone())
    };
    let at = |address: String| serde_json::json!([format!("{address}:{QUERY_PORT}")]);
    eventually("it names its address", || (queries(&world)? == at(NatNetwork::address(site))).then_some(()));
    eventually("it is asked there", || {
        (world.ask("gateway-1", Nat::Open).road == Road::QueryPort).then_some(())
    });
    world.network.move_machine(site);
    eventually("it names its new address", || {
        (queries(&world)? == at(NatNetwork::next_address(site))).then_some(())
    });
    eventually("it is asked at its new address", || {
        (world.ask("gateway-1", Nat::Open).road == Road::QueryPort).then_some(())
    });
    let log = fs::read_to_string(world.dir(miner).join("log")).unwrap();
    assert!(log.contains("its peers are dialled again") && log.contains("its records are renewed"), "{log}");
}
