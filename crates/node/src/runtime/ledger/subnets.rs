//! Subnets, their metagraphs, and nodes, as the last block left them.

use std::collections::BTreeMap;

use nervure_api::{NeuronView, NodeView, ServiceError, SubnetDetail, SubnetPage, SubnetView};
use nervure_ledger::{
    state::LedgerState,
    subnet::{Neuron, Subnet},
    transaction::SignerKey,
};
use nervure_primitives::{Amount, BlockHeight, Netuid, NodeId, Uid};

use super::{LedgerQueries, proofs, validators};
use crate::runtime::view::fees;

impl LedgerQueries {
    /// All subnets.
    pub(super) fn list_subnets(&self) -> Result<SubnetPage, ServiceError> {
        let tip = self.chain()?.view().tip.clone();
        let state = &tip.state;
        Ok(SubnetPage {
            height: state.height(),
            lock_cost: Amount::from_base_units(state.lock_cost()),
            subnets: state.subnets().iter().map(|(netuid, subnet)| view(state, *netuid, subnet)).collect(),
        })
    }

    /// A subnet and its neurons.
    pub(super) async fn show_subnet(&self, netuid: Netuid) -> Result<SubnetDetail, ServiceError> {
        let tip = self.chain()?.view().tip.clone();
        let state = &tip.state;
        let subnet = state
            .subnets()
            .get(&netuid)
            .ok_or_else(|| ServiceError::NotFound { what: format!("there is no subnet {netuid}") })?;
        let trust = self.read(move |reader| proofs::trust(reader, netuid)).await?;
        let neurons = (0u16..).map(Uid).zip(&subnet.neurons);
        Ok(SubnetDetail {
            height: state.height(),
            subnet: view(state, netuid, subnet),
            neurons: neurons.map(|(uid, one)| neuron(state, subnet, (uid, one), &trust)).collect(),
        })
    }

    /// A node of the ledger.
    pub(super) async fn show_node(&self, node: NodeId) -> Result<NodeView, ServiceError> {
        let chain = self.chain()?;
        let nonce = chain.next_nonce(SignerKey::Node, node).await;
        let (tip, fees) = (chain.view().tip.clone(), fees(&chain.view()));
        let state = &tip.state;
        let found = state.nodes().get(&node);
        let found = found
            .ok_or_else(|| ServiceError::NotFound { what: format!("{node} is not a registered node") })?;
        let slots =
            state.subnets().iter().filter_map(|(netuid, subnet)| Some((*netuid, subnet.uid_of(&node)?)));
        Ok(NodeView {
            node,
            owner: found.owner,
            take: found.take,
            // At least that of the ledger: a block may have come meanwhile.
            nonce: nonce.unwrap_or(0).max(found.nonce),
            fees,
            stake: found.stake(),
            slots: slots.collect(),
            validator: validators::view(state, node),
            height: state.height(),
        })
    }
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
        neurons: subnet.neurons.len() as u32,
        slots: state.params().slots.into(),
        hyperparameters: subnet.hyperparameters.clone(),
        mechanism: subnet.mechanism.clone(),
    }
}

fn neuron(
    state: &LedgerState,
    subnet: &Subnet,
    (uid, neuron): (Uid, &std::sync::Arc<Neuron>),
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
