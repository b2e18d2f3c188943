//! Machines of their own for a few processes, on one wire that can be cut: network namespaces, a virtual cable from each
//! to a switch, and two bridges in it. Nothing of it is to be seen from outside, and it ends with the processes in it.

use std::{
    io::Write,
    process::{Child, Command, Stdio},
};

use crate::mesh::eventually;

/// A namespace, for as long as a process sleeps in it.
struct Space(Child);

impl Space {
    fn new() -> Option<Self> {
        let mut sleep = Command::new("unshare");
        sleep
            .args(["--net", "sleep", "900"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut space = Self(sleep.spawn().ok()?);
        let net = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let pid = space.0.id().to_string();
        eventually("a namespace", || {
            let ended = space.0.try_wait().ok()?.is_some();
            let separate = net(&pid).is_some_and(|one| Some(one) != net("self"));
            (ended || separate).then_some(!ended)
        })
        .then_some(space)
    }

    /// `program`, to be run in there.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.0.id().to_string(), "--net", program]);
        command
    }

    fn ip(&self, args: &str) -> Option<()> {
        let output = self.command("ip").args(args.split(' ')).output().ok()?;
        output.status.success().then_some(())
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The machines and their wire.
pub struct Cage {
    switch: Space,
    machines: Vec<Space>,
}

impl Cage {
    /// So many machines, all connected. None where this user or this system may not do that, which is said.
    pub fn new(machines: usize) -> Option<Self> {
        let cage = Self::build(machines);
        if cage.is_none() {
            // Not by `eprintln`, which a test that passes does not show.
            let why = "SKIPPED: no network namespaces here (they take root, unshare, nsenter and ip)";
            let _ = writeln!(std::io::stderr(), "{why}");
        }
        cage
    }

    fn build(machines: usize) -> Option<Self> {
        let cage = Self {
            switch: Space::new()?,
            machines: (0..machines).map(|_| Space::new()).collect::<Option<_>>()?,
        };
        for side in ["side0", "side1"] {
            cage.switch.ip(&format!("link add {side} type bridge"))?;
            cage.switch.ip(&format!("link set {side} up"))?;
        }
        for (number, machine) in cage.machines.iter().enumerate() {
            let (pid, address) = (machine.0.id(), Self::address(number));
            cage.switch.ip(&format!("link add port{number} type veth peer name eth0 netns {pid}"))?;
            cage.switch.ip(&format!("link set port{number} master side0 up"))?;
            machine.ip("link set lo up")?;
            machine.ip(&format!("address add {address}/24 dev eth0"))?;
            machine.ip("link set eth0 up")?;
        }
        Some(cage)
    }

    /// The address of a machine on the wire.
    pub fn address(number: usize) -> String {
        format!("10.99.0.{}", number + 1)
    }

    /// `program`, to be run on a machine.
    pub fn command(&self, number: usize, program: &str) -> Command {
        self.machines[number].command(program)
    }

    /// Cuts the wire between these machines and all others, or mends it when there are none.
    pub fn cut_off(&self, apart: &[usize]) {
        for number in 0..self.machines.len() {
            let side = usize::from(apart.contains(&number));
            self.switch.ip(&format!("link set port{number} master side{side}")).unwrap();
        }
    }
}
