//! Validators of one mesh, each a process that a test starts, stops and inspects.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    mesh::{CommandOutput, Mesh, eventually, nervure},
    namespace_network::NamespaceNetwork,
    space::SmallDisk,
};

/// The port of every validator in a network namespace of its own.
const PORT: u16 = 4001;

/// A process, killed when it is dropped.
pub struct NodeProcess(Child);

impl NodeProcess {
    /// Waits until it has ended by itself; its exit code.
    pub fn ended(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Some validators, killed when they are dropped.
pub struct ValidatorGroup {
    lives: Vec<Option<Child>>,
    ports: Vec<u16>,
    spec: PathBuf,
    network: Option<NamespaceNetwork>,
    disks: BTreeMap<usize, SmallDisk>,
    /// The programs of those that do not run the usual one.
    programs: BTreeMap<usize, PathBuf>,
    mesh: Mesh,
}

impl ValidatorGroup {
    /// Validators of a mesh with this block time, none of them started. With a network, each has a network namespace of its
    /// own.
    pub fn new(validators: usize, block_milliseconds: u32, network: Option<NamespaceNetwork>) -> Self {
        let (count, block) = (validators.to_string(), block_milliseconds.to_string());
        // A testnet writes keys and the spec.
        let mesh = Mesh::up(&[
            "--validators",
            &count,
            "--miners",
            "0",
            "--gateways",
            "0",
            "--block-milliseconds",
            &block,
        ]);
        mesh.run(&["testnet", "down"]).succeeded();
        let (text, mut ports) = (fs::read_to_string(mesh.mesh_file()).unwrap(), Vec::new());
        let lines = text.lines().map(|line| match line.trim().strip_prefix("\"/ip4/127.0.0.1/udp/") {
            Some(rest) => {
                let (port, rest) = rest.split_once('/').unwrap();
                let port = if network.is_some() { PORT } else { port.parse().unwrap() };
                let address =
                    network.as_ref().map_or("127.0.0.1".into(), |_| NamespaceNetwork::address(ports.len()));
                ports.push(port);
                format!("\"/ip4/{address}/udp/{port}/{rest}")
            }
            None => line.to_owned(),
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        // The mesh id does not cover addresses, so that this is a spec of the same mesh.
        let spec = mesh.dir().join("group.toml");
        fs::write(&spec, text).unwrap();
        assert_eq!(ports.len(), validators);
        let lives = (0..validators).map(|_| None).collect();
        Self { lives, ports, spec, network, disks: BTreeMap::new(), programs: BTreeMap::new(), mesh }
    }

    /// Starts all, and waits until they have block 3.
    pub fn running(validators: usize, block_milliseconds: u32, network: Option<NamespaceNetwork>) -> Self {
        let mut group = Self::new(validators, block_milliseconds, network);
        (0..validators).for_each(|number| group.start(number));
        group.gets_to(&(0..validators).collect::<Vec<_>>(), 3);
        group
    }

    /// The wire between their machines.
    pub fn network(&self) -> &NamespaceNetwork {
        self.network.as_ref().unwrap()
    }

    /// Puts the directory of one, which does not run, on a small disk. False where that cannot be.
    pub fn on_small_disk(&mut self, number: usize, kibibytes: u64) -> bool {
        let disk = SmallDisk::on(&self.dir(number), kibibytes);
        disk.map(|disk| self.disks.insert(number, disk)).is_some()
    }

    /// The small disk of one.
    pub fn disk(&self, number: usize) -> &SmallDisk {
        &self.disks[&number]
    }

    /// Starts one with another program from now on.
    pub fn use_program(&mut self, number: usize, program: &Path) {
        self.programs.insert(number, program.to_owned());
    }

    /// The spec that they join.
    pub fn spec(&self) -> &Path {
        &self.spec
    }

    /// The directory of one.
    pub fn dir(&self, number: usize) -> PathBuf {
        self.mesh.dir().join("nodes").join(format!("validator-{}", number + 1))
    }

    /// The log of one, over all its runs.
    pub fn log(&self, number: usize) -> String {
        fs::read_to_string(self.dir(number).with_extension("log")).unwrap_or_default()
    }

    fn program(&self, number: usize) -> Command {
        let binary = env!("CARGO_BIN_EXE_nervure");
        match (&self.network, self.disks.get(&number)) {
            (Some(network), _) => network.command(number, binary),
            (None, Some(disk)) => disk.space().command(binary),
            (None, None) => self.programs.get(&number).map_or_else(nervure, |program| {
                let mut command = Command::new(program);
                command.stdin(Stdio::null());
                command
            }),
        }
    }

    /// The command that joins `spec` as validator `number`, from `dir`.
    fn joining(&self, number: usize, dir: &Path, spec: &Path) -> Command {
        let mut command = self.program(number);
        command.arg("--dir").arg(dir).arg("join").arg(spec).args(["--role", "validator"]);
        let log = OpenOptions::new().create(true).append(true).open(dir.with_extension("log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }

    /// One more process as validator `number`, from another directory and at another port.
    pub fn join_as(&self, number: usize, dir: &Path, spec: &Path) -> NodeProcess {
        NodeProcess(self.joining(number, dir, spec).spawn().unwrap())
    }

    /// A process as validator `number` at its own port, from another directory and of another mesh, with more arguments.
    pub fn join_with(&self, number: usize, dir: &Path, spec: &Path, args: &[&str]) -> NodeProcess {
        let mut command = self.joining(number, dir, spec);
        command.args(["--p2p-port", &self.ports[number].to_string()]).args(args);
        NodeProcess(command.spawn().unwrap())
    }

    /// Starts one.
    pub fn start(&mut self, number: usize) {
        self.start_with(number, |_| {});
    }

    /// Starts one with a changed command.
    pub fn start_with(&mut self, number: usize, change: impl FnOnce(&mut Command)) {
        let dir = self.dir(number);
        let mut command = self.joining(number, &dir, &self.spec);
        command.args(["--p2p-port", &self.ports[number].to_string()]);
        if self.network.is_some() {
            command.args(["--bind", &NamespaceNetwork::address(number)]);
        }
        change(&mut command);
        let _ = fs::remove_file(dir.join("node.json"));
        let former = self.lives[number].replace(command.spawn().unwrap());
        assert!(former.is_none(), "it runs already");
    }

    /// Kills one as a crash would.
    pub fn kill(&mut self, number: usize) {
        let mut child = self.lives[number].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks one to stop, and waits.
    pub fn stop(&mut self, number: usize) {
        let mut child = self.lives[number].take().unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Waits until one has ended by itself; its exit code.
    pub fn ended(&mut self, number: usize) -> Option<i32> {
        let mut child = self.lives[number].take().unwrap();
        // A node that runs on must fail the test and not hold it.
        eventually(&format!("validator-{} ends by itself", number + 1), || {
            child.try_wait().unwrap().map(|status| status.code())
        })
    }

    /// Runs a command about a node in `dir`, where validator `number` is.
    pub fn ask_in(&self, number: usize, dir: &Path, args: &[&str]) -> CommandOutput {
        CommandOutput::of(self.program(number).arg("--dir").arg(dir).args(args).output().unwrap())
    }

    /// Runs a command about one.
    pub fn ask(&self, number: usize, args: &[&str]) -> CommandOutput {
        self.ask_in(number, &self.dir(number), args)
    }

    /// Where one is in the chain; null when it does not answer.
    pub fn chain(&self, number: usize) -> Value {
        let output = self.ask(number, &["status", "--json"]);
        if output.code == 0 { output.json()["chain"].clone() } else { Value::Null }
    }

    /// The last block of one.
    pub fn height(&self, number: usize) -> u64 {
        self.chain(number)["height"].as_u64().unwrap_or(0)
    }

    /// Waits until all of `numbers` have block `least`.
    pub fn gets_to(&self, numbers: &[usize], least: u64) {
        for number in numbers {
            eventually(&format!("validator-{} has block {least}", number + 1), || {
                (self.height(*number) >= least).then_some(())
            });
        }
    }

    /// Waits until the status of one contains `words`; the whole status.
    pub fn says(&self, number: usize, words: &str) -> String {
        eventually(&format!("validator-{} says '{words}'", number + 1), || {
            let output = self.ask(number, &["status"]);
            output.out.contains(words).then_some(output.out)
        })
    }

    /// Checks that all of `numbers` have the same blocks, and that none gave up; the last height that was compared.
    pub fn agree(&self, numbers: &[usize]) -> u64 {
        let upto = numbers.iter().map(|number| self.height(*number)).min().unwrap();
        let mut blocks: BTreeMap<u64, Value> = BTreeMap::new();
        for number in numbers {
            assert_eq!(self.chain(*number)["failed"], Value::Null, "{}", self.log(*number));
            for height in 1..=upto {
                let shown =
                    self.ask(*number, &["checkpoint", "show", &height.to_string(), "--json"]).succeeded();
                let block = shown.json()["block"].clone();
                let first = blocks.entry(height).or_insert_with(|| block.clone());
                assert_eq!(*first, block, "block {height} of validator-{}", number + 1);
            }
        }
        upto
    }
}

impl Drop for ValidatorGroup {
    fn drop(&mut self) {
        for child in self.lives.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
