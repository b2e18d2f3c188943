//! The ways between this node and a peer: hop by hop, the first one that fails is where to look.

use nervure_api::{PeerReachView, PeerReportView, RoadView};

use super::report::{Finding, Report};

/// Checks the hops in the order of the way: this node, the nodes that both know, the peer, and back.
pub(super) fn check(found: &PeerReachView, report: &mut Report) {
    report.push(connection(found));
    report.push(mesh_to_peer(found));
    report.push(you_to_peer(found));
    report.push(peer_to_you(found));
    report.push(query_port(found));
    if let Some(says) = &found.report {
        report.push(peer(says));
    }
}

fn connection(found: &PeerReachView) -> Finding {
    let answered = found.rendezvous.iter().filter(|one| one.answered).count();
    let asked = found.rendezvous.len();
    let says = format!("{} nodes connected; {answered} of {asked} asked nodes answered", found.connected);
    match (found.connected, answered) {
        (0, _) => Finding::bad(
            "you -> mesh",
            "this node is connected to no node of the mesh",
            "this is the failing hop: see what keeps it off the mesh with nervure doctor",
        ),
        (_, 0) => Finding::warn(
            "you -> mesh",
            says,
            "no other node could be asked about the peer: join a mesh with more nodes, or wait for more connections",
        ),
        _ => Finding::ok("you -> mesh", says),
    }
}

fn mesh_to_peer(found: &PeerReachView) -> Finding {
    let check = "mesh -> peer";
    let answered: Vec<_> = found.rendezvous.iter().filter(|one| one.answered).collect();
    let reaching: Vec<_> = answered.iter().filter(|one| one.reaches).collect();
    let first_error = || answered.iter().find_map(|one| one.error.clone()).unwrap_or_default();
    match (answered.len(), reaching.len()) {
        (0, _) => Finding::skip(check, "no other node answered"),
        (asked, 0) if found.own.road.is_none() => Finding::bad(
            check,
            format!("none of {asked} nodes reaches the peer: {}", first_error()),
            "this is the failing hop: the peer is stopped or cut off; its operator runs nervure doctor there",
        ),
        (asked, 0) => Finding::warn(
            check,
            format!("none of {asked} nodes reaches the peer, and this node does: {}", first_error()),
            "its operator runs nervure doctor there: others may not find it",
        ),
        (asked, count) => Finding::ok(check, format!("{count} of {asked} nodes reach it")),
    }
}

fn you_to_peer(found: &PeerReachView) -> Finding {
    let check = "you -> peer";
    let is_reached = found.rendezvous.iter().any(|one| one.reaches);
    match &found.own {
        RoadView { road: Some(road), .. } if road == "direct" => Finding::ok(check, "a direct connection"),
        RoadView { road: Some(road), .. } => Finding::warn(
            check,
            format!("{road}: through a relay, within its limits"),
            "open p2p_port (UDP and TCP) on one of both sides: nervure doctor says what keeps it closed",
        ),
        RoadView { error, .. } => {
            let why = error.clone().unwrap_or_else(|| "no connection".into());
            match is_reached {
                true => Finding::bad(
                    check,
                    why,
                    "this is the failing hop: others reach the peer, so look at this side; nervure doctor checks its UDP, \
                     NAT and relays",
                ),
                false => Finding::bad(check, why, "no node reaches it: see mesh -> peer"),
            }
        }
    }
}

fn peer_to_you(found: &PeerReachView) -> Finding {
    let check = "peer -> you";
    let Some(report) = &found.report else {
        return Finding::skip(check, "the peer was not asked, or does not answer this");
    };
    let address = report.address.clone().unwrap_or_default();
    match (&report.sees, report.inbound) {
        (Some(road), true) => Finding::ok(
            check,
            format!("it answers on the {road} connection that this node made, from {address}"),
        ),
        (Some(road), false) => Finding::ok(check, format!("it has dialled this node: {road}, at {address}")),
        (None, _) => {
            let why = report.error.clone().unwrap_or_else(|| "no connection".into());
            Finding::bad(
                check,
                why,
                "it cannot dial this node: open p2p_port here (UDP and TCP), or wait for places at relays (nervure status)",
            )
        }
    }
}

fn query_port(found: &PeerReachView) -> Finding {
    let check = "query port";
    let open: Vec<_> = found.query.iter().filter(|one| one.error.is_none()).collect();
    let failing = found.query.iter().find(|one| one.error.is_some());
    match (open.first(), failing) {
        (Some(first), _) => Finding::ok(check, format!("{} answers", first.address)),
        (None, Some(failing)) => Finding::warn(
            check,
            format!("{}: {}", failing.address, failing.error.clone().unwrap_or_default()),
            "questions take the swarm instead, which is slower; the peer opens query_port (UDP), or names the right \
             address with --external",
        ),
        (None, None) => Finding::skip(check, "its records name no query address, or it serves no expert"),
    }
}

fn peer(report: &PeerReportView) -> Finding {
    let height = report.height.map_or_else(|| "no chain".into(), |height| format!("block {height}"));
    let dialable = match (report.dialable, report.relays) {
        (Some(true), _) => "others can dial it".to_owned(),
        (_, 0) => "it does not know whether others can dial it".to_owned(),
        (_, relays) => format!("{relays} relays hold a place for it"),
    };
    let says = format!("{}, {height}, {} connections; {dialable}", report.agent, report.peers);
    match report.dialable == Some(false) && report.relays == 0 {
        true => Finding::warn(
            "peer says",
            says,
            "others cannot dial it and no relay holds a place for it: its operator opens p2p_port",
        ),
        false => Finding::ok("peer says", says),
    }
}

#[cfg(test)]
mod tests {
    use nervure_api::{QueryPortView, RendezvousView};
    use nervure_primitives::NodeId;

    use super::*;
    use crate::cli::doctor::report::Verdict;

    fn third(answered: bool, reaches: bool) -> RendezvousView {
        let error = (!reaches).then(|| "no answer".to_owned());
        RendezvousView { node: NodeId::from_bytes([2; 32]), answered, reaches, error }
    }

    fn found(own: Option<&str>, rendezvous: Vec<RendezvousView>) -> PeerReachView {
        let own =
            RoadView { road: own.map(str::to_owned), error: own.is_none().then(|| "dialling failed".into()) };
        let peer = NodeId::from_bytes([1; 32]);
        PeerReachView { peer, connected: 3, own, rendezvous, report: None, query: Vec::new() }
    }

    fn says(sees: Option<&str>) -> PeerReportView {
        PeerReportView {
            agent: "nervure/1".into(),
            height: None,
            peers: 4,
            dialable: Some(true),
            relays: 0,
            sees: sees.map(str::to_owned),
            inbound: false,
            address: None,
            error: sees.is_none().then(|| "no connection in time".into()),
        }
    }

    /// The checks that fail, and the one that is called the failing hop.
    fn failing(found: &PeerReachView) -> (Vec<&'static str>, Option<&'static str>) {
        let mut report = Report::default();
        check(found, &mut report);
        let failed = report.findings().iter().filter(|one| one.verdict == Verdict::Fail);
        let is_named = |one: &&Finding| one.next.as_ref().is_some_and(|next| next.contains("failing hop"));
        (failed.map(|one| one.check).collect(), report.findings().iter().find(is_named).map(|one| one.check))
    }

    #[test]
    fn one_hop_is_named_for_each_side_that_is_cut_off() {
        let good = PeerReachView {
            report: Some(says(Some("direct"))),
            ..found(Some("direct"), vec![third(true, true)])
        };
        assert_eq!(failing(&good), (vec![], None));
        let peer_is_down = found(None, vec![third(true, false), third(false, false)]);
        assert_eq!(failing(&peer_is_down), (vec!["mesh -> peer", "you -> peer"], Some("mesh -> peer")));
        let own_side = PeerReachView { report: Some(says(None)), ..found(None, vec![third(true, true)]) };
        assert_eq!(failing(&own_side), (vec!["you -> peer", "peer -> you"], Some("you -> peer")));
        let alone = PeerReachView { connected: 0, ..found(None, Vec::new()) };
        assert_eq!(failing(&alone).1, Some("you -> mesh"));
    }

    #[test]
    fn a_closed_query_port_is_a_warning_as_the_swarm_carries_questions() {
        let closed = QueryPortView { address: "8.8.4.4:7".into(), error: Some("no answer in time".into()) };
        let view = PeerReachView { query: vec![closed.clone()], ..found(Some("direct"), Vec::new()) };
        assert_eq!(query_port(&view).verdict, Verdict::Warn);
        let open = QueryPortView { error: None, ..closed.clone() };
        let view = PeerReachView { query: vec![closed, open], ..view };
        assert_eq!(query_port(&view).verdict, Verdict::Ok);
    }
}
