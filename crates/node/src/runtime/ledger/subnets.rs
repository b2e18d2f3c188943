//! Subnets, their metagraphs, and nodes, as the last block left them.

use std::collections::BTreeMap;

use nervure_api::{FeesView, NeuronView, NodeView, ServiceError, SubnetDetail, SubnetPage, SubnetView};
use nervure_ledger::{
    state::LedgerState,
    subnet::{Neuron, Subnet},
    transaction::SignerKey,
};
use nervure_primitives::{Amount, BlockHeight, Netuid, NodeId, Uid};
use nervure_protocol::light::KeysOf;

use super::{LedgerQueries, proofs, validators};
use crate::runtime::{light::PartialState, view::fees};

impl LedgerQueries {
    /// All subnets.
    pub(super) async fn list_subnets(&self) -> Result<SubnetPage, ServiceError> {
        let Some(light) = &self.light else { return Ok(page(&self.chain()?.view().tip.clone().state)) };
        let partial = light.state(KeysOf::Subnets).await?;
        let counts = light.neuron_counts(&partial).await?;
        let mut page = page(&partial.tip.state);
        for subnet in &mut page.subnets {
            subnet.neurons = counts.get(&subnet.netuid).copied().unwrap_or(0);
        }
        Ok(page)
    }

    /// A subnet and its neurons.
    pub(super) async fn show_subnet(&self, netuid: Netuid) -> Result<SubnetDetail, ServiceError> {
        if let Some(light) = &self.light {
            let partial = light.state(KeysOf::Subnet(netuid)).await?;
            // Yuma's trust is in no record of the state.
            return detail(&partial.tip.state, netuid, &BTreeMap::new());
        }
        let tip = self.chain()?.view().tip.clone();
        let trust = self.read(move |reader| proofs::trust(reader, netuid)).await?;
        detail(&tip.state, netuid, &trust)
    }

    /// A node of the ledger.
    pub(super) async fn show_node(&self, node: NodeId) -> Result<NodeView, ServiceError> {
        if let Some(light) = &self.light {
            let PartialState { tip, neurons } = light.state(KeysOf::Node(node)).await?;
            let own = neurons.into_iter().filter(|one| one.neuron.node == node);
            let slots = own.map(|one| (one.netuid, one.uid)).collect();
            let fees = FeesView { base_fee: tip.state.base_fee().0, tip: 0 };
            return node_view(&tip.state, node, (fees, slots));
        }
        let chain = self.chain()?;
        let nonce = chain.next_nonce(SignerKey::Node, node).await;
        let (tip, fees) = (chain.view().tip.clone(), fees(&chain.view()));
        let state = &tip.state;
        let slots =
            state.subnets().iter().filter_map(|(netuid, subnet)| Some((*netuid, subnet.uid_of(&node)?)));
        let found = node_view(state, node, (fees, slots.collect()))?;
        // At least that of the ledger: a block may have come meanwhile.
        Ok(NodeView { nonce: nonce.unwrap_or(0).max(found.nonce), ..found })
    }
}

fn page(state: &LedgerState) -> SubnetPage {
    SubnetPage {
        height: state.height(),
        lock_cost: Amount::from_base_units(state.lock_cost()),
        subnets: state.subnets().iter().map(|(netuid, subnet)| view(state, *netuid, subnet)).collect(),
    }
}

fn detail(
    state: &LedgerState,
    netuid: Netuid,
    trust: &BTreeMap<NodeId, u16>,
) -> Result<SubnetDetail, ServiceError> {
    let subnet = state
        .subnets()
        .get(&netuid)
        .ok_or_else(|| ServiceError::NotFound { what: format!("there is no subnet {netuid}") })?;
    Ok(SubnetDetail {
        height: state.height(),
        subnet: view(state, netuid, subnet),
        neurons: subnet.occupied().map(|one| neuron(state, subnet, one, trust)).collect(),
    })
}

fn node_view(
    state: &LedgerState,
    node: NodeId,
    (fees, slots): (FeesView, BTreeMap<Netuid, Uid>),
) -> Result<NodeView, ServiceError> {
    let found = state.nodes().get(&node);
    let found =
        found.ok_or_else(|| ServiceError::NotFound { what: format!("{node} is not a registered node") })?;
    Ok(NodeView {
        node,
        owner: found.owner,
        take: found.take,
        nonce: found.nonce,
        fees,
        stake: found.stake(),
        slots,
        validator: validators::view(state, node),
        height: state.height(),
    })
}

fn view(state: &LedgerState, netuid: Netuid, subnet: &Subnet) -> SubnetView {
    SubnetView {
        netuid,
        name: subnet.name.clone(),
        owner: subnet.owner,
        owner_node: subnet.owner_node,
        registered: BlockHeight(subnet.registered),
        locked: Amount::from_base_units(subnet.locked),
        earned: Amount::from_base_units(subnet.earned),
        price: Amount::from_base_units(subnet.price),
        pending: Amount::from_base_units(subnet.pending),
        epoch: subnet.epoch,
        due: BlockHeight(subnet.due),
        backing: state.backing(netuid).unwrap_or_default().into(),
        neurons: subnet.occupied().count() as u32,
        slots: state.params().slots.into(),
        hyperparameters: subnet.hyperparameters.clone(),
        mechanism: subnet.mechanism.clone(),
    }
}

fn neuron(
    state: &LedgerState,
    subnet: &Subnet,
    (uid, neuron): (Uid, &Neuron),
    trust: &BTreeMap<NodeId, u16>,
) -> NeuronView {
    let node = state.nodes().get(&neuron.node);
    let immunity = subnet.hyperparameters.immunity;
    NeuronView {
        uid,
        node: neuron.node,
        owner: node.map_or(neuron.node, |node| node.owner),
        stake: node.map_or(Amount::ZERO, |node| node.stake()),
        permit: neuron.permit,
        trust: trust.get(&neuron.node).copied(),
        consensus: neuron.consensus,
        incentive: neuron.incentive,
        dividends: neuron.dividends,
        validator_trust: neuron.validator_trust,
        emission: Amount::from_base_units(neuron.emission),
        last_update: BlockHeight(neuron.last_update),
        registered: BlockHeight(neuron.registered),
        immune_until: BlockHeight(neuron.registered.saturating_add(immunity)),
    }
}
