//! What this machine gives a node: disk, file descriptors, ports, network interface, keys.

use std::{fs, net::Ipv4Addr, path::Path};

use nervure_primitives::key_file;
use rustix::{
    fs::statvfs,
    process::{Resource, getrlimit},
};

use super::{
    Patient,
    report::{Finding, Report},
};
use crate::{
    cli::key::{self, KEY_FILE},
    config::{self, Preset},
    runtime::ports,
};

/// Free space below which a node soon stops, and below which it may within weeks, in bytes.
const LEAST_SPACE: u64 = 1 << 30;
const AMPLE_SPACE: u64 = 10 << 30;

/// Open files: 256 connections, the files of the chain, and the connections of the HTTP API.
const LEAST_FILES: u64 = 1_024;

/// The smallest packet that QUIC needs, with the headers of IPv6 and UDP.
const LEAST_MTU: u32 = 1_280;

/// Checks the machine.
pub(super) fn check(patient: &Patient, report: &mut Report) {
    report.push(disk(&patient.dir));
    report.push(files());
    report.push(mtu());
    report.push(ports_of(patient));
    report.push(key_of(&patient.dir));
}

fn disk(dir: &Path) -> Finding {
    // The directory may not be there yet.
    let Some(existing) = dir.ancestors().find(|dir| dir.is_dir()) else {
        return Finding::skip("disk", "the directory is not known");
    };
    let Ok(found) = statvfs(existing) else { return Finding::skip("disk", "the system does not say") };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let says = format!("{} MiB free in {}", free >> 20, existing.display());
    let next = "free some space, keep a shorter history (--history BLOCKS), or move the directory (--dir)";
    match free {
        _ if free < LEAST_SPACE => Finding::bad("disk", says, next),
        _ if free < AMPLE_SPACE => Finding::warn("disk", says, next),
        _ => Finding::ok("disk", says),
    }
}

fn files() -> Finding {
    // None is no limit.
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    match limit < LEAST_FILES {
        true => Finding::bad(
            "files",
            format!("a process may open {limit} files, and a node needs {LEAST_FILES}"),
            "raise the limit: ulimit -n 65536, or LimitNOFILE=65536 in the unit",
        ),
        false => Finding::ok("files", format!("a process may open {limit} files")),
    }
}

/// The MTU of the interface with the default route. A tunnel on the way may have a smaller one, which QUIC finds out.
fn mtu() -> Finding {
    let Some(interface) = fs::read_to_string("/proc/net/route").ok().as_deref().and_then(default_interface)
    else {
        return Finding::skip("mtu", "the interface with the default route is not known");
    };
    let path = format!("/sys/class/net/{interface}/mtu");
    let Some(mtu) = fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u32>().ok()) else {
        return Finding::skip("mtu", format!("the MTU of {interface} is not known"));
    };
    let says = format!("{mtu} bytes on {interface}");
    match mtu < LEAST_MTU {
        true => {
            Finding::bad("mtu", says, format!("QUIC needs {LEAST_MTU}: ip link set {interface} mtu 1400"))
        }
        false => Finding::ok("mtu", says),
    }
}

/// The interface of the default route in the text of `/proc/net/route`.
fn default_interface(routes: &str) -> Option<String> {
    let mut lines = routes.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .find(|fields| fields.get(1) == Some(&"00000000"))
        .and_then(|fields| Some((*fields.first()?).to_owned()))
}

/// Whether the configured ports are free, or the running node has them.
fn ports_of(patient: &Patient) -> Finding {
    if patient.is_own && patient.status.is_some() {
        return Finding::ok("ports", "the running node holds its ports");
    }
    let settings = &patient.settings;
    let preset = patient.spec.as_ref().map_or(Preset::Local, Preset::of);
    let bind = config::bind(Vec::new(), settings.bind.clone(), preset);
    let (p2p, query) = (settings.p2p_port.unwrap_or(0), settings.query_port.unwrap_or(0));
    let http = (settings.http_bind.unwrap_or(Ipv4Addr::LOCALHOST.into()), settings.http_port.unwrap_or(0));
    let checked = ports::planes(&bind, p2p, query).and_then(|()| ports::tcp(http.0, http.1));
    match checked {
        Err(error) => {
            Finding::bad("ports", error.to_string(), "choose another port in node.toml, or end its user")
        }
        Ok(()) if p2p == 0 || query == 0 => Finding::warn(
            "ports",
            "free ports are chosen at each start: a firewall or a router cannot open them for good",
            "set p2p_port and query_port in node.toml, and open them for UDP (p2p_port for TCP, too)",
        ),
        Ok(()) => Finding::ok("ports", format!("UDP {p2p} and {query}, TCP {p2p} and {} are free", http.1)),
    }
}

fn key_of(dir: &Path) -> Finding {
    let path = dir.join(KEY_FILE);
    if !path.exists() {
        return Finding::skip("key", format!("no key in {} yet: nervure join makes one", dir.display()));
    }
    let read = || anyhow::Ok(key_file::read(&path, key::passphrase()?.as_ref())?);
    match read() {
        Ok(key) => Finding::ok("key", format!("{} can be read", key.node_id())),
        Err(error) => Finding::bad(
            "key",
            error.to_string(),
            format!(
                "set NERVURE_KEY_PASSPHRASE if it is encrypted, and let only its user read it: chmod 600 {}",
                path.display()
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Verdict;

    #[test]
    fn finds_the_interface_of_the_default_route() {
        let routes = "Iface\tDestination\tGateway\nlo\t0000007F\t00000000\neth0\t00000000\t0102A8C0\n";
        assert_eq!(default_interface(routes).as_deref(), Some("eth0"));
        assert_eq!(default_interface("Iface\tDestination\n"), None);
    }

    #[test]
    fn a_key_that_others_may_read_fails() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        assert_eq!(key_of(home.path()).verdict, Verdict::Skip);
        let path = home.path().join(KEY_FILE);
        key::create(&path).unwrap();
        assert_eq!(key_of(home.path()).verdict, Verdict::Ok);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(key_of(home.path()).verdict, Verdict::Fail);
    }
}
