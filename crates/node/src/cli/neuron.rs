//! `nervure neuron`: slots in subnets.

use anyhow::Context;
use nervure_ledger::transaction::{Call, DeregisterNeuron, RegisterNeuron};
use nervure_primitives::{Amount, Netuid, NodeId, key_file};

use super::{Global, key, sign::SpendArgs};

/// Registers nodes in subnets, and takes them out
#[derive(Debug, clap::Subcommand)]
pub(crate) enum NeuronCommand {
    /// Registers one of your nodes in a subnet, and burns the price of the slot
    Register {
        /// Number of the subnet
        #[arg(long, value_name = "N")]
        netuid: Netuid,
        /// Id of the node [default: that of key.pem in the node's directory]
        #[arg(long, value_name = "NODE")]
        node: Option<NodeId>,
        /// Maximum to burn, in tokens [default: the current price]
        #[arg(long, value_name = "AMOUNT")]
        max_price: Option<Amount>,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Takes one of your nodes out of its slot in a subnet and gives the slot's deposit back; what was burned for it is lost
    Deregister {
        /// Number of the subnet
        #[arg(long, value_name = "N")]
        netuid: Netuid,
        /// Id of the node [default: that of key.pem in the node's directory]
        #[arg(long, value_name = "NODE")]
        node: Option<NodeId>,
        #[command(flatten)]
        terms: SpendArgs,
    },
}

impl NeuronCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let (netuid, node, max_price, terms) = match self {
            Self::Register { netuid, node, max_price, terms } => (netuid, node, max_price, terms),
            Self::Deregister { netuid, node, terms } => {
                let node = node.map_or_else(|| node_here(global), Ok)?;
                let call = Call::DeregisterNeuron(DeregisterNeuron { netuid, node });
                return terms.send(call, global).await.map(drop);
            }
        };
        let node = node.map_or_else(|| node_here(global), Ok)?;
        let mut signer = terms.signer(global).await?;
        let max_price = match max_price {
            Some(max) => max,
            // The price may rise until the block: the user pays at most the price that is shown.
            None => signer.node().subnet(netuid).await?.subnet.price,
        };
        let call = Call::RegisterNeuron(RegisterNeuron { netuid, node, max_price: Some(max_price) });
        signer.send(call, global).await.map(drop)
    }
}

/// The node whose key is in the directory.
fn node_here(global: &Global) -> anyhow::Result<NodeId> {
    let path = global.node_dir()?.join(key::KEY_FILE);
    let key = key_file::read(&path, key::passphrase()?.as_ref());
    Ok(key.context("the node is not known\nname it: --node NODE")?.node_id())
}
