//! `nervure status`: the state of a running node.

use std::time::Duration;

use super::{Global, output, wallet::fees_text};
use crate::local::LocalNode;
use nervure_api::{AnchorStatus, ChainStatus, ReachView, ValidatorView};

/// Shows the state of a running node
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {}

impl StatusArgs {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let status = LocalNode::find(&global.node_dir()?)?.client().status().await?;
        if global.json {
            return output::json(&status);
        }
        let serving = if status.serving.is_empty() { "nothing".into() } else { status.serving.join(", ") };
        let up = Duration::from_millis(status.uptime_ms).as_secs();
        let clock = status.clock.map(|wrong| ("clock", wrong));
        let blocks = status.validator.as_ref().map(|one| ("election", validator(one)));
        let alerts = status.chain.iter().flat_map(|chain| &chain.alerts);
        let alerts: Vec<_> = alerts
            .map(|alert| ("alert", format!("{} (since block {})", alert.message, alert.since)))
            .collect();
        let rows = [
            ("node", status.node.to_string()),
            ("mesh", status.mesh.to_string()),
            ("role", status.role),
            ("version", status.version),
            ("up for", format!("{up} s")),
            ("ready", status.not_ready.map_or("yes".into(), |why| format!("no: {why}"))),
            ("peers", status.peers_connected.to_string()),
            ("reached", reached(&status.reach)),
            ("queries", queries(&status.reach, status.serving.is_empty())),
            ("experts", status.experts_known.to_string()),
            ("serves", serving),
            ("anchor", status.anchor.as_ref().map_or("keeps no checkpoints".into(), anchor)),
            ("fees", status.chain.as_ref().map_or("-".into(), |chain| fees_text(chain.fees))),
            ("block", status.chain.as_ref().map_or("does not follow the chain".into(), block)),
        ];
        rows.into_iter()
            .chain(clock)
            .chain(blocks)
            .chain(alerts)
            .try_for_each(|(name, value)| output::line(&format!("{name:<8} {value}")))
    }
}

/// Whether and how others reach the swarm of the node, as text.
pub(super) fn reached(reach: &ReachView) -> String {
    let at = |addresses: &[String]| match addresses {
        [] => String::new(),
        [first] => format!(" at {first}"),
        [first, others @ ..] => format!(" at {first} and {} other addresses", others.len()),
    };
    if reach.sealed {
        return "not at all: it is sealed, and opens its connections itself".into();
    }
    match (reach.local, reach.dialable, reach.relays.len()) {
        (true, ..) => "directly, as the mesh is local".into(),
        (false, Some(true), _) => format!("directly{}", at(&reach.addresses)),
        (false, Some(false), 0) => {
            "not from outside: no address of it can be dialled, and no relay holds a place for it; see what to do: nervure \
             doctor"
                .into()
        }
        (false, None, 0) => "not known yet: other nodes were not asked, or have not answered".into(),
        (false, Some(false) | None, relays) => format!("through {relays} relays{}", at(&reach.relays)),
    }
}

/// Where the node is asked, as text.
pub(super) fn queries(reach: &ReachView, serves_nothing: bool) -> String {
    match reach.query.as_slice() {
        _ if serves_nothing => "none: it serves no expert".into(),
        [] if reach.sealed => "from its contacts only, over the connections that it has opened".into(),
        [] => "through the swarm only: it has no address that others may dial".into(),
        addresses => format!("at {}, else through the swarm", addresses.join(", ")),
    }
}

/// Whether the node makes blocks, and how to join if it does not.
fn validator(one: &ValidatorView) -> String {
    let text = super::validator::state(one);
    match one.joined {
        Some(_) => format!("{text}; {} blocks missed lately", one.missed),
        None => format!("{text}; see what to do: nervure validator show {}", one.node),
    }
}

/// The state of anchoring, as text.
fn anchor(status: &AnchorStatus) -> String {
    let mut text = match (&status.contract, status.chain) {
        (Some(contract), Some(chain)) => format!("contract {contract} on chain {chain}"),
        _ => "a file".into(),
    };
    match (status.anchored, status.kept.filter(|kept| kept.0 > 0)) {
        (Some(anchored), Some(kept)) if anchored < kept => {
            text.push_str(&format!(", up to block {anchored}; signed up to {kept}"));
        }
        (Some(last), _) | (None, Some(last)) => text.push_str(&format!(", up to block {last}")),
        (None, None) => text.push_str(", nothing yet"),
    }
    if status.open > 1 {
        text.push_str(&format!("; {} checkpoints wait for signatures", status.open));
    }
    if let Some(trouble) = &status.trouble {
        text.push_str(&format!("; TROUBLE: {trouble}"));
    }
    text
}

/// The node's last block and the state of consensus, as text.
fn block(chain: &ChainStatus) -> String {
    let epochs: Vec<_> =
        chain.epochs.iter().map(|(netuid, epoch)| format!("{epoch} of subnet {netuid}")).collect();
    let mut text = format!(
        "{} ({} s ago, {} validators, epoch {})",
        chain.height,
        chain.age_ms / 1_000,
        chain.validators,
        epochs.join(", ")
    );
    text.push_str(&format!(", protocol version {}", chain.version));
    if let Some(upgrade) = chain.upgrade {
        text.push_str(&format!(", another one from block {upgrade} on"));
    }
    if let Some(took) = chain.finality_ms {
        text.push_str(&format!(", final after {took} ms"));
    }
    if let Some(checkpoint) = chain.checkpoint {
        text.push_str(&format!(", last checkpoint {checkpoint}"));
    }
    text.push_str(&match (chain.history.archive, chain.history.from.0) {
        (true, 0 | 1) => ", archive of all blocks".into(),
        (true, from) => format!(", keeps all blocks from {from} on"),
        (false, from) => format!(", has blocks from {from} on"),
    });
    if let Some(behind) = chain.behind {
        text.push_str(&format!("; others have {behind}"));
    }
    if let Some(through) = chain.silent_through {
        text.push_str(&format!(
            "; signs nothing up to block {through}: its key has signed what consensus.wal does not know (a restored \
             backup, a lost log, or a second process with this key, which would have to stop)"
        ));
    }
    if let Some(stalled) = &chain.stalled {
        text.push_str(&format!("; {stalled}"));
    }
    if let Some(failed) = &chain.failed {
        text.push_str(&format!("; STOPPED FOLLOWING THE CHAIN: {failed}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_whether_and_how_it_is_reached() {
        let public = |dialable, relays: &[&str]| ReachView {
            dialable,
            addresses: vec!["/ip4/8.8.4.4/udp/1/quic-v1".into()],
            relays: relays.iter().map(|relay| (*relay).to_owned()).collect(),
            ..ReachView::default()
        };
        assert_eq!(reached(&public(Some(true), &[])), "directly at /ip4/8.8.4.4/udp/1/quic-v1");
        assert_eq!(reached(&public(Some(false), &["r"])), "through 1 relays at r");
        assert!(reached(&public(Some(false), &[])).contains("nervure doctor"));
        assert!(reached(&public(None, &[])).starts_with("not known yet"));
        assert_eq!(queries(&public(None, &[]), true), "none: it serves no expert");
        assert!(queries(&public(None, &[]), false).starts_with("through the swarm only"));
        let sealed = ReachView { sealed: true, ..public(Some(true), &[]) };
        assert!(reached(&sealed).starts_with("not at all"), "it names no address");
        assert!(queries(&sealed, false).starts_with("from its contacts only"));
    }
}
