//! A testnet for one test, and the program as a user calls it. The testnet is stopped when it is dropped.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::machine::{self, Share};

/// How long `eventually` waits. Generous, because machines are slow and shared.
const EVENTUALLY_TIMEOUT: Duration = Duration::from_secs(240);

/// The program, without the `NERVURE_*` variables of the test's environment.
pub fn nervure() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nervure"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("NERVURE_")) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// A process of a test. Killed on drop.
pub struct Running(pub Child);

impl Running {
    /// A node without a role that joins the mesh of `spec`.
    pub fn join(spec: &Path, dir: &Path) -> Self {
        let mut command = nervure();
        command.arg("--dir").arg(dir).arg("join").arg(spec);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The output and the exit code of one run of the program.
#[derive(Debug)]
pub struct CommandOutput {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl CommandOutput {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts that it succeeded.
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// The exit code of a question for which no expert has room.
const BUSY: i32 = 5;

/// Runs the program with `args` in `dir`. A question is asked again while all experts are busy: on a slow machine, validators'
/// tasks have their places for longer than a question waits, those that strangers may have first of all.
pub fn run(dir: &Path, args: &[&str]) -> CommandOutput {
    let once = || CommandOutput::of(nervure().arg("--dir").arg(dir).args(args).output().unwrap());
    match args.first() {
        Some(&"ask") => {
            eventually("an expert has room", || Some(once()).filter(|output| output.code != BUSY))
        }
        _ => once(),
    }
}

/// Waits until `probe` returns a value.
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + EVENTUALLY_TIMEOUT;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The value of a metric without labels, of the node in `dir`.
pub fn gauge(dir: &Path, name: &str) -> u64 {
    let prefix = format!("nervure_{name} ");
    let value = metrics(dir).lines().find_map(|line| line.strip_prefix(&prefix)?.parse().ok());
    value.unwrap_or_else(|| panic!("{name} is no metric"))
}

/// The metrics of the node in `dir`.
pub fn metrics(dir: &Path) -> String {
    http_text(dir, "metrics")
}

/// What the HTTP API of the node in `dir` answers at `path`.
pub fn http_text(dir: &Path, path: &str) -> String {
    let file: Value = serde_json::from_str(&std::fs::read_to_string(dir.join("node.json")).unwrap()).unwrap();
    let url = format!("http://{}/{path}", file["http"].as_str().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(url).send().await.unwrap().text().await.unwrap()
    })
}

/// A running testnet.
pub struct Mesh {
    _home: TempDir,
    dir: PathBuf,
    _share: Share,
}

impl Mesh {
    /// Starts one, detached, with more arguments for `up`. Its miners serve only the built-in models, so that a test pays
    /// for no subnets that it does not need.
    pub fn up(args: &[&str]) -> Self {
        let models = nervure_testnet::EXPERTS.iter().flat_map(|expert| ["--expert", *expert]);
        let built_in: Vec<_> = if args.contains(&"--expert") { Vec::new() } else { models.collect() };
        Self::whole(&[&built_in[..], args].concat())
    }

    /// Starts one with the defaults of `up`: with a mock model server, and miners in every seed subnet.
    pub fn whole(args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mesh = Self { dir: home.path().join("testnet"), _home: home, _share: machine::beside_others() };
        mesh.say(&["testnet", "up", "--detach"], args).succeeded();
        mesh
    }

    /// Starts one, detached, with what `how` adds to the command.
    pub fn with(how: impl FnOnce(&mut Command)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mesh = Self { dir: home.path().join("testnet"), _home: home, _share: machine::beside_others() };
        let mut command = nervure();
        command.arg("--dir").arg(&mesh.dir).args(["testnet", "up", "--detach"]);
        how(&mut command);
        CommandOutput::of(command.output().unwrap()).succeeded();
        mesh
    }

    /// Two validators, two miners (rust and python) and a gateway.
    pub fn small(args: &[&str]) -> Self {
        let all: Vec<_> = ["--validators", "2", "--miners", "2"].iter().chain(args).copied().collect();
        Self::up(&all)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn mesh_file(&self) -> PathBuf {
        self.dir.join("mesh.toml")
    }

    /// The first line of a question's JSON, with the route and every candidate; `more` are arguments of `ask`.
    pub fn route(&self, more: &[&str]) -> Value {
        let ask = ["ask", "fn ", "-c", "text.generate.rust", "--max-tokens", "1", "--explain", "--json"];
        let output = self.run(&[&ask, more].concat());
        serde_json::from_str(output.succeeded().out.lines().next().unwrap()).unwrap()
    }

    /// Runs the program on it.
    pub fn run(&self, args: &[&str]) -> CommandOutput {
        run(&self.dir, args)
    }

    fn say(&self, first: &[&str], then: &[&str]) -> CommandOutput {
        self.run(&first.iter().chain(then).copied().collect::<Vec<_>>())
    }

    /// A node's entry in `testnet status`.
    pub fn node(&self, name: &str) -> Value {
        let status = self.run(&["testnet", "status", "--json"]).succeeded().json();
        status["nodes"].as_array().unwrap().iter().find(|node| node["name"] == name).unwrap().clone()
    }

    /// Where a node's HTTP API listens.
    pub fn http(&self, name: &str) -> SocketAddr {
        self.node(name)["http"].as_str().unwrap().parse().unwrap()
    }

    /// The experts that the mesh finds for `capability`.
    pub fn experts(&self, capability: &str) -> Vec<Value> {
        let found = self.run(&["experts", "find", capability, "--json"]).succeeded().json();
        found["experts"].as_array().unwrap().clone()
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        // Fails when the test has already stopped it.
        let _ = nervure().arg("--dir").arg(&self.dir).args(["testnet", "down"]).output();
    }
}
