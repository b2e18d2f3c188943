//! What the node, or a temporary client in its place, knows: its connections, and how others reach it.

use std::collections::BTreeSet;

use nervure_api::{NodeStatus, ReachView};

use super::{
    Patient,
    report::{Finding, Report},
};
use crate::cli::status::{queries, reached};

/// Checks the connections.
pub(super) fn check(patient: &Patient, report: &mut Report) {
    let Some(status) = &patient.status else {
        let why = patient.trouble.clone().unwrap_or_else(|| "there is no node to ask".into());
        let next = "start the node: nervure join SPEC; or check the bootstrap addresses in the spec: nervure mesh show SPEC";
        return report.push(Finding::bad("connection", why, next));
    };
    report.push(peers(patient, status));
    report.push(clock(status));
    if status.reach.local {
        report.push(Finding::ok("reach", reached(&status.reach)));
    } else {
        report.push(udp(patient));
        report.push(nat(&status.reach));
        report.push(router(&status.reach));
        report.push(reach(patient, &status.reach));
    }
    report.push(versions(patient, status));
    if patient.is_own {
        report.push(role(status));
    }
}

fn peers(patient: &Patient, status: &NodeStatus) -> Finding {
    let (count, whose) =
        (status.peers_connected, if patient.is_own { "" } else { ", as a temporary client" });
    match count {
        0 => Finding::bad(
            "peers",
            status.not_ready.clone().unwrap_or_else(|| "no node of the mesh is connected".into()),
            "check that this machine reaches the internet, and compare the mesh id with that of others: nervure mesh show SPEC",
        ),
        1 | 2 => Finding::warn(
            "peers",
            format!("{count} connected{whose}"),
            "one or two peers can hide blocks together: add bootstrap addresses to the spec",
        ),
        _ => Finding::ok("peers", format!("{count} connected{whose}")),
    }
}

fn clock(status: &NodeStatus) -> Finding {
    match &status.clock {
        Some(wrong) => Finding::bad("clock", wrong.clone(), "synchronise it: timedatectl set-ntp true"),
        None => Finding::ok("clock", "no difference to the clocks of peers is known"),
    }
}

/// Whether any connection is over QUIC.
fn udp(patient: &Patient) -> Finding {
    let outbound = patient.peers.iter().filter(|peer| peer.direction == "out");
    let addresses: Vec<&String> = outbound.flat_map(|peer| &peer.addresses).collect();
    if addresses.is_empty() {
        return Finding::skip("udp", "no connection was made from here yet");
    }
    match addresses.iter().any(|address| address.contains("/udp/")) {
        true => Finding::ok("udp", "connections over QUIC work"),
        false => Finding::bad(
            "udp",
            "all connections are over TCP: UDP is blocked",
            "let UDP out and its answers in; without it, questions go through the swarm and are slower",
        ),
    }
}

/// The part of an address up to the port: `/ip4/IP/udp/PORT`.
fn socket(address: &str) -> Option<(&str, &str)> {
    let mut parts = address.split('/').skip(1);
    let (_, ip, transport, port) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (transport == "udp").then_some((ip, port))
}

fn nat(reach: &ReachView) -> Finding {
    let seen: BTreeSet<(&str, &str)> = reach.observed.iter().filter_map(|address| socket(address)).collect();
    let ips: BTreeSet<&str> = seen.iter().map(|(ip, _)| *ip).collect();
    let Some(ip) = ips.first() else {
        return Finding::skip("nat", "no peer has said how it sees this machine");
    };
    let observers = reach.observed.len();
    let own = reach.addresses.iter().filter_map(|address| socket(address)).any(|(own, _)| own == *ip);
    match (own, seen.len(), observers) {
        (true, ..) => {
            Finding::ok("nat", format!("none: peers see {ip}, which is an address of this machine"))
        }
        (false, 1, 1) => Finding::skip("nat", format!("one peer sees {ip}; two are needed to tell the kind")),
        (false, 1, _) => {
            Finding::ok("nat", format!("{observers} peers see {ip} with one port: a hole can be punched"))
        }
        (false, ..) => Finding::warn(
            "nat",
            format!(
                "peers see {} different ports of {ip}: a symmetric NAT, through which no hole can be punched",
                seen.len()
            ),
            "open the ports of the node in the router, or be reached through relays",
        ),
    }
}

fn router(reach: &ReachView) -> Finding {
    match reach.mapping.as_str() {
        "open" if reach.query.is_empty() => {
            Finding::ok("router", "it has opened a port (UPnP) for the swarm, and none for queries")
        }
        "open" => Finding::ok("router", "it has opened ports (UPnP)"),
        "no_gateway" => Finding::skip("router", "no router that opens ports (UPnP) was found"),
        "not_public" => Finding::warn(
            "router",
            "the router is behind another one, so that a port opened there does not help",
            "be reached through relays, or ask the provider for a public address",
        ),
        "expired" => {
            Finding::warn("router", "it does not renew the port that it opened", "restart the router")
        }
        _ => Finding::skip("router", "it has not answered yet"),
    }
}

fn reach(patient: &Patient, reach: &ReachView) -> Finding {
    let serves = patient.status.as_ref().is_some_and(|status| !status.serving.is_empty());
    let says = format!("swarm: {}; queries: {}", reached(reach), queries(reach, !serves));
    match (reach.dialable, reach.relays.is_empty()) {
        _ if !patient.is_own => {
            Finding::skip("reach", "a temporary client is not dialled; join, and run this again")
        }
        _ if reach.sealed => Finding::ok("reach", says),
        (Some(true), _) | (Some(false) | None, false) => Finding::ok("reach", says),
        (None, true) => Finding::skip("reach", says),
        (Some(false), true) => Finding::bad(
            "reach",
            says,
            "open p2p_port (UDP and TCP) and query_port (UDP) in the router and the firewall; no peer offers to relay",
        ),
    }
}

/// The version without what follows it.
fn version_of(agent: &str) -> Option<&str> {
    agent.strip_prefix("nervure/").map(|rest| rest.split(['+', ' ', '/']).next().unwrap_or(rest))
}

fn versions(patient: &Patient, status: &NodeStatus) -> Finding {
    let others: BTreeSet<&str> = patient
        .peers
        .iter()
        .filter_map(|peer| version_of(&peer.agent))
        .filter(|one| *one != status.version)
        .collect();
    let says = format!("{} here", status.version);
    match others.is_empty() {
        true => Finding::ok("version", says),
        false => Finding::warn(
            "version",
            format!("{says}; peers have {}", others.into_iter().collect::<Vec<_>>().join(", ")),
            "compare with the newest release, and update",
        ),
    }
}

fn role(status: &NodeStatus) -> Finding {
    match &status.not_ready {
        None => Finding::ok("role", format!("{}: it can do its role", status.role)),
        Some(why) => Finding::bad(
            "role",
            format!("{}: {why}", status.role),
            "see what the other lines and nervure status say",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Verdict;

    fn seen(observed: &[&str], own: &[&str]) -> Finding {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        nat(&ReachView { observed: texts(observed), addresses: texts(own), ..ReachView::default() })
    }

    #[test]
    fn the_kind_of_nat_follows_from_what_peers_see() {
        let (one, other) = ("/ip4/8.8.4.4/udp/7/quic-v1", "/ip4/8.8.4.4/udp/8/quic-v1");
        assert_eq!(seen(&[], &[]).verdict, Verdict::Skip);
        assert_eq!(seen(&[one], &[]).verdict, Verdict::Skip);
        let cone = seen(&[one, one], &[]);
        assert!(cone.verdict == Verdict::Ok && cone.says.contains("can be punched"), "{cone:?}");
        let symmetric = seen(&[one, other], &[]);
        assert!(symmetric.verdict == Verdict::Warn && symmetric.says.contains("symmetric"), "{symmetric:?}");
        assert!(seen(&[one, one], &[one]).says.starts_with("none"));
    }

    #[test]
    fn a_version_is_read_from_the_name_of_an_agent() {
        assert_eq!(version_of("nervure/0.4.0+protocol.1"), Some("0.4.0"));
        assert_eq!(version_of("other/1"), None);
    }
}
