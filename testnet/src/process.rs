//! References to processes that a reused pid does not satisfy.
//!
//! A [`ProcessRef`] is a pid and the start time of the process, which the kernel gives in `/proc/PID/stat`. Without
//! `/proc` the start time is 0, and only the pid counts. A zombie counts as dead: it no longer answers, and in a
//! container whose first process does not reap its children it would otherwise live forever.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::{Deserialize, Serialize};

/// A process: its pid and its start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRef {
    /// Its pid.
    pub pid: u32,
    /// When it started, in the kernel's clock ticks since boot; 0 if it is not known.
    pub started: u64,
}

impl ProcessRef {
    /// The process that has `pid` now.
    pub fn of(pid: u32) -> Self {
        Self { pid, started: stat(pid).map_or(0, |stat| stat.started) }
    }

    /// This process.
    pub fn own() -> Self {
        Self::of(std::process::id())
    }

    /// Whether this process still runs.
    pub fn is_alive(&self) -> bool {
        match stat(self.pid) {
            Some(stat) => !stat.dead && (self.started == 0 || stat.started == self.started),
            None if has_proc() => false,
            None => self.rustix_pid().is_some_and(|pid| test_kill_process(pid).is_ok()),
        }
    }

    /// Asks it to stop (SIGTERM); returns whether it was running.
    pub fn terminate(&self) -> bool {
        self.signal(Signal::TERM)
    }

    /// Kills it (SIGKILL); returns whether it was running.
    pub fn kill(&self) -> bool {
        self.signal(Signal::KILL)
    }

    /// Its resident memory in bytes, if the system has `/proc`.
    pub fn rss_bytes(&self) -> Option<u64> {
        if !self.is_alive() {
            return None;
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        parse_rss(&status)
    }

    fn signal(&self, signal: Signal) -> bool {
        self.is_alive() && self.rustix_pid().is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Never 0 or negative: those would name a whole group of processes.
    fn rustix_pid(&self) -> Option<Pid> {
        i32::try_from(self.pid).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw)
    }
}

/// The fields of `/proc/PID/stat` that are used.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    dead: bool,
    started: u64,
}

fn has_proc() -> bool {
    Path::new("/proc/self/stat").exists()
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The command in the second field may hold spaces and parentheses, so fields are counted from
/// the last one; see proc_pid_stat(5): state is field 3, starttime field 22.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, after_command) = text.rsplit_once(')')?;
    let mut fields = after_command.split_ascii_whitespace();
    let dead = matches!(fields.next()?, "Z" | "X" | "x");
    Some(Stat { dead, started: fields.nth(18)?.parse().ok()? })
}

fn parse_rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_stat_line_with_parentheses_in_the_command() {
        let fields = "S 1 2 3 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 987654 1 2";
        let stat = parse_stat(&format!("42 (a) Z (b)) {fields}")).unwrap();
        assert_eq!(stat, Stat { dead: false, started: 987_654 });
        assert!(parse_stat("42 (x) S 1").is_none());
        assert!(parse_stat("").is_none());
    }

    #[test]
    fn rss_is_in_bytes() {
        assert_eq!(parse_rss("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2 * 1024 * 1024));
        assert_eq!(parse_rss("Name:\tx\n"), None);
    }

    #[test]
    fn finds_this_process_and_its_memory() {
        let own = ProcessRef::own();
        assert!(own.is_alive());
        if has_proc() {
            assert!(own.started > 0);
            assert!(own.rss_bytes().unwrap() > 0);
        }
    }

    #[test]
    fn does_not_accept_a_reused_pid() {
        let own = ProcessRef::own();
        if has_proc() {
            let former = ProcessRef { started: own.started - 1, ..own };
            assert!(!former.is_alive(), "the pid lives, but it is not that process");
            assert!(!former.terminate(), "or this test would have ended here");
        }
    }

    #[test]
    fn counts_a_killed_child_as_dead_before_it_is_reaped() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = ProcessRef::of(child.id());
        assert!(process.is_alive());
        assert!(process.kill());
        while process.is_alive() {
            std::thread::yield_now();
        }
        assert!(!process.terminate());
        child.wait().unwrap();
    }

    #[test]
    fn never_signals_a_process_group() {
        assert!(ProcessRef { pid: 0, started: 0 }.rustix_pid().is_none());
        assert!(ProcessRef { pid: u32::MAX, started: 0 }.rustix_pid().is_none());
    }
}
