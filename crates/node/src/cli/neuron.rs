//! `nervure neuron`: a slot in a subnet.

use anyhow::Context;
use nervure_ledger::transaction::{Call, RegisterNeuron};
use nervure_primitives::{Amount, Netuid, NodeId, key_file};

use super::{Global, key, sign::SpendArgs};

/// Takes slots in subnets
#[derive(Debug, clap::Subcommand)]
pub(crate) enum NeuronCommand {
    /// Burns the price of a slot and puts a node of the signer into it
    Register {
        /// The subnet
        #[arg(long, value_name = "N")]
        netuid: Netuid,
        /// The node [default: the one whose key is in the directory]
        #[arg(long, value_name = "NODE")]
        node: Option<NodeId>,
        /// The most to burn, in tokens [default: what it costs now]
        #[arg(long, value_name = "AMOUNT")]
        max_price: Option<Amount>,
        #[command(flatten)]
        terms: SpendArgs,
    },
}

impl NeuronCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let Self::Register { netuid, node, max_price, terms } = self;
        let node = node.map_or_else(|| node_here(global), Ok)?;
        let mut signer = terms.signer(global).await?;
        let max_price = match max_price {
            Some(most) => most,
            // Nobody pays more than what they were shown.
            None => signer.node().subnet(netuid).await?.subnet.price,
        };
        let call = Call::RegisterNeuron(RegisterNeuron { netuid, node, max_price: Some(max_price) });
        signer.send(call, global).await.map(drop)
    }
}

/// The node whose key is in the directory.
fn node_here(global: &Global) -> anyhow::Result<NodeId> {
    let path = global.node_dir()?.join(key::KEY_FILE);
    let key = key_file::read(&path, key::passphrase().as_ref());
    Ok(key.context("which node is to have the slot?\nname it: --node NODE")?.node_id())
}
