//! The validators, as the last block left them.

use std::{cmp::Reverse, collections::BTreeSet};

use nervure_api::{EquivocationView, ServiceError, ValidatorPage, ValidatorView};
use nervure_ledger::{roster::Standing, state::LedgerState};
use nervure_primitives::{Amount, BlockHeight, NodeId};
use nervure_protocol::light::KeysOf;

use super::LedgerQueries;

impl LedgerQueries {
    /// The validators.
    pub(super) async fn list_validators(&self) -> Result<ValidatorPage, ServiceError> {
        match &self.light {
            Some(light) => Ok(page(&light.state(KeysOf::Validators).await?.tip.state)),
            None => Ok(page(&self.chain()?.view().tip.clone().state)),
        }
    }

    /// `node` as a validator; `None` where this node follows no chain.
    pub(crate) fn validator(&self, node: NodeId) -> Option<ValidatorView> {
        let tip = self.chain().ok()?.view().tip.clone();
        Some(view(&tip.state, node))
    }
}

fn page(state: &LedgerState) -> ValidatorPage {
    let in_office = state.roster().liveness().map(|(_, liveness)| liveness.node);
    let nodes: BTreeSet<NodeId> =
        state.roster().standings().map(|(node, _)| *node).chain(in_office).collect();
    let mut validators: Vec<_> = nodes.into_iter().map(|node| view(state, node)).collect();
    validators.sort_by_key(|one| (Reverse(one.stake), one.node));
    ValidatorPage {
        height: state.height(),
        election: state.next_election(),
        min_self_stake: Amount::from_base_units(state.params().min_self_stake),
        liveness_window: state.params().liveness_window,
        total_power: state.validators().map_or(0, |set| set.total_power()),
        validators,
    }
}

/// `node` as a validator.
pub(super) fn view(state: &LedgerState, node: NodeId) -> ValidatorView {
    let found = state.nodes().get(&node);
    let (joined, jailed_until) = match state.roster().standing(&node) {
        Some(Standing::Joined { since }) => (Some(BlockHeight(since)), None),
        Some(Standing::Jailed { until }) => (None, Some(BlockHeight(until))),
        Some(Standing::Tombstoned(_)) | None => (None, None),
    };
    let equivocation = state.roster().tombstone(&node).map(|tombstone| EquivocationView {
        height: BlockHeight(tombstone.height),
        reported: BlockHeight(tombstone.reported),
    });
    let in_office = state.roster().liveness().find(|(_, liveness)| liveness.node == node);
    let power = in_office.and_then(|(member, _)| state.validators()?.power_of(member));
    ValidatorView {
        node,
        owner: found.map_or(node, |found| found.owner),
        stake: found.map_or(Amount::ZERO, |found| found.stake()),
        self_stake: state.self_stake(&node),
        joined,
        jailed_until,
        equivocation,
        power,
        missed: in_office.map_or(0, |(_, liveness)| liveness.missed.count()),
        silent: in_office.is_some_and(|(_, liveness)| liveness.is_silent()),
    }
}
