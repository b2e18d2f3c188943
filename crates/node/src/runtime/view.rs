//! The node's state as documents of the HTTP API.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use nervure_api::{
    AlertView, CapabilityCount, Catalog, ChainStatus, FeesView, HistoryView, ModelView, PeerView,
    ServiceError,
};
use nervure_ledger::state::LedgerState;
use nervure_p2p::PeerInfo;
use nervure_primitives::{BlockHeight, Capability, NodeId};
use nervure_protocol::ExpertRecord;

use super::{
    chain::{Alert, AlertKind, ChainView},
    clock,
};

/// Models and capabilities of `records`, each once, in order of name.
pub(crate) fn catalog(records: &[ExpertRecord]) -> Catalog {
    let mut models: BTreeMap<&str, ModelView> = BTreeMap::new();
    let mut capabilities: BTreeMap<Capability, u32> = BTreeMap::new();
    for record in records {
        let model = models.entry(record.model.raw()).or_insert_with(|| ModelView {
            model: record.model.raw().to_owned(),
            capability: record.capability.clone(),
            experts: 0,
            context: 0,
        });
        model.experts += 1;
        model.context = model.context.max(record.context);
        let covering: BTreeSet<_> = record.capability.prefixes().collect();
        for capability in covering {
            *capabilities.entry(capability).or_default() += 1;
        }
    }
    let counted = |(capability, experts)| CapabilityCount { capability, experts };
    Catalog {
        models: models.into_values().collect(),
        capabilities: capabilities.into_iter().map(counted).collect(),
    }
}

/// What transactions cost now.
pub(crate) fn fees(view: &ChainView) -> FeesView {
    FeesView { base_fee: view.tip.state.base_fee().0, tip: view.going_tip }
}

/// The node's position in the chain.
pub(crate) fn chain(view: &ChainView) -> ChainStatus {
    let (header, state) = (&view.tip.header, &view.tip.state);
    let next = BlockHeight(header.height.0.saturating_add(1));
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    ChainStatus {
        height: header.height,
        block: header.id(),
        state: header.state,
        history: HistoryView { from: view.history.from, archive: view.history.is_archive },
        // By the block's own time: a node that has just caught up with old blocks is not up to date. The genesis of a
        // local mesh has no time.
        age_ms: milliseconds(match view.tip.header.height.0 {
            0 => view.committed.elapsed(),
            _ => view.block_age(clock::now()),
        }),
        version: state.upgrades().version_at(next),
        upgrade: state.upgrades().next_after(next).map(|upgrade| upgrade.height),
        finality_ms: view.took.map(milliseconds),
        round: view.round,
        validators: state.validators().map_or(0, |set| set.len() as u32),
        epochs: state.subnets().iter().map(|(netuid, subnet)| (*netuid, subnet.epoch)).collect(),
        checkpoint: last_checkpoint(state),
        behind: view.behind,
        waiting: view.waiting as u32,
        fees: fees(view),
        signed: view.signed,
        silent_through: view.silent_through,
        alerts: alerts(view),
        stalled: view.no_history.clone().or_else(|| view.stalled.clone()),
        failed: view.failed.clone(),
    }
}

/// What the node's operator should look at.
fn alerts(view: &ChainView) -> Vec<AlertView> {
    let alert = |(kind, alert): (&AlertKind, &Alert)| AlertView {
        kind: kind.name().into(),
        since: alert.since,
        last: alert.last,
        count: alert.count,
        message: alert.message.clone(),
    };
    view.alerts.iter().map(alert).collect()
}

/// The last block that ended an epoch of a subnet that still exists.
pub(crate) fn last_checkpoint(state: &LedgerState) -> Option<BlockHeight> {
    let last = state.subnets().values().map(|subnet| subnet.last_step).max();
    last.filter(|block| *block > 0).map(BlockHeight)
}

/// A connected node.
pub(crate) fn peer(info: PeerInfo) -> PeerView {
    PeerView {
        node: info.node,
        direction: if info.inbound { "in" } else { "out" }.into(),
        rtt_ms: info.rtt_ms,
        agent: info.agent.to_string(),
        // Users of a gateway's HTTP API are strangers to a sealed miner.
        addresses: if info.hides_address { Vec::new() } else { vec![info.address.to_string()] },
    }
}

/// A page's cursor as text: `NODE/EXPERT`.
pub(crate) fn cursor((node, expert): (NodeId, String)) -> String {
    format!("{node}/{expert}")
}

/// Parses [`cursor`]'s text.
pub(crate) fn parse_cursor(text: &str) -> Result<(NodeId, String), ServiceError> {
    let bad = || ServiceError::InvalidRequest {
        field: "cursor".into(),
        message: "not a valid cursor: use the one from the last page".into(),
    };
    let (node, expert) = text.split_once('/').ok_or_else(bad)?;
    Ok((node.parse().map_err(|_| bad())?, expert.to_owned()))
}

#[cfg(test)]
mod tests {
    use nervure_primitives::NodeKey;

    use super::*;

    #[test]
    fn a_cursor_reads_back_and_others_are_refused() {
        let at = (NodeKey::from_seed(&[1; 32]).node_id(), "rust".to_owned());
        assert_eq!(parse_cursor(&cursor(at.clone())).unwrap(), at);
        for bad in ["", "x", "x/y"] {
            assert!(parse_cursor(bad).is_err(), "{bad}");
        }
    }
}
