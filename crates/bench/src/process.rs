//! A server process: started with this program, stopped on drop.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use clap::ValueEnum;
use nervure_primitives::NodeId;
use nervure_testnet::ProcessRef;
use serde::{Deserialize, Serialize};

use crate::server::ServerKind;

/// The line that a server process prints when it listens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ServerHello {
    pub node: NodeId,
    pub address: SocketAddr,
}

/// A server process.
pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) hello: ServerHello,
}

impl ServerProcess {
    /// Starts this program as a server of `kind`.
    pub(crate) fn start(kind: ServerKind) -> anyhow::Result<Self> {
        let name = kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "serve", &name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start a server process")?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let hello =
            serde_json::from_str(&line).with_context(|| format!("the {name} server said '{line}'"))?;
        Ok(Self { child, hello })
    }

    /// CPU time of the server and of this process together, if the system has `/proc`.
    pub(crate) fn cpu_with_own(&self) -> Option<Duration> {
        Some(cpu(self.child.id())? + cpu(std::process::id())?)
    }

    /// Resident memory of the server, if the system has `/proc`.
    pub(crate) fn rss_bytes(&self) -> Option<u64> {
        ProcessRef::of(self.child.id()).rss_bytes()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends with its standard input; a hanging one is killed. Both calls fail only when it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// User and system time of a process, from `/proc/PID/stat`. Source: proc(5); Linux counts 100 ticks a second.
fn cpu(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_millis((user + system) * 10))
}
