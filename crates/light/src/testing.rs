//! Fixtures for the tests of light clients.

use nervure_ledger::{
    testing::{Chain, SUBNET},
    tree::Key,
};
use nervure_primitives::{NodeId, UnixMillis};

use crate::{LightClient, TrustingPeriod, score::EpochProof};

/// A chain of `blocks` whose validators are replaced one by one.
pub(crate) fn rotating(blocks: usize) -> Chain {
    let mut chain = Chain::new(4);
    for round in 0..blocks {
        // The validator of longest standing loses its stake, so that every election has others.
        chain.move_stake(round);
        chain.grow(1);
    }
    chain
}

/// A client that trusts the genesis.
pub(crate) fn light_client(chain: &Chain) -> LightClient {
    let set = chain.genesis.state.validators().unwrap();
    let forever = TrustingPeriod::new(None, UnixMillis(0));
    LightClient::trusting(&chain.genesis.header, set.as_ref().clone(), forever).unwrap()
}

/// An honest server's proof of the last epoch of `node`.
pub(crate) fn epoch_proof(chain: &Chain, node: &NodeId) -> EpochProof {
    let uid = chain.tip.state.subnets()[&SUBNET].uid_of(node);
    EpochProof {
        subnet: chain.fact(&Key::Subnet(SUBNET)),
        inputs: chain.epochs.first().map(|epoch| epoch.inputs.clone()).unwrap_or_default(),
        neuron: uid.map(|uid| chain.fact(&Key::Neuron(SUBNET, uid))),
    }
}
