//! Network namespaces on one network that can be partitioned: a veth pair from each namespace to a switch namespace with
//! two bridges. Nothing is visible outside, and all of it ends with the processes in it.

use std::process::Command;

use crate::space::{Kind, Space, skipped};

/// The machines and their wire.
pub struct NamespaceNetwork {
    switch: Space,
    machines: Vec<Space>,
}

impl NamespaceNetwork {
    /// Connected namespaces. None, with a message, where this user or this system may not create them.
    pub fn new(machines: usize) -> Option<Self> {
        let network = Self::build(machines);
        if network.is_none() {
            skipped("no network namespaces here (they take root, unshare, nsenter and ip)");
        }
        network
    }

    fn build(machines: usize) -> Option<Self> {
        let network = Self {
            switch: Space::new(Kind::Network)?,
            machines: (0..machines).map(|_| Space::new(Kind::Network)).collect::<Option<_>>()?,
        };
        for side in ["side0", "side1"] {
            ip(&network.switch, &format!("link add {side} type bridge"))?;
            ip(&network.switch, &format!("link set {side} up"))?;
        }
        for (number, machine) in network.machines.iter().enumerate() {
            let (pid, address) = (machine.pid(), Self::address(number));
            ip(&network.switch, &format!("link add port{number} type veth peer name eth0 netns {pid}"))?;
            ip(&network.switch, &format!("link set port{number} master side0 up"))?;
            ip(machine, "link set lo up")?;
            ip(machine, &format!("address add {address}/24 dev eth0"))?;
            ip(machine, "link set eth0 up")?;
        }
        Some(network)
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
            ip(&self.switch, &format!("link set port{number} master side{side}")).unwrap();
        }
    }
}

fn ip(space: &Space, args: &str) -> Option<()> {
    let output = space.command("ip").args(args.split(' ')).output().ok()?;
    output.status.success().then_some(())
}
