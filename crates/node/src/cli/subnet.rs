//! `nervure subnet`: creates, inspects and configures subnets.

mod mechanism;
mod rule;
mod show;

use anyhow::Context;
use nervure_api::{Client, SubnetDetail};
use nervure_ledger::{
    subnet::{Hyperparameter, Hyperparameters},
    transaction::{Call, Outcome, RegisterSubnet, RegisterSubnetOutcome, SetHyperparameter, SetMechanism},
};
use nervure_primitives::{Amount, MechanismSpec, Netuid, NodeId};

use super::{
    Global,
    access::Access,
    output,
    sign::{Signer, SpendArgs},
};
use rule::Rule;

/// Creates, inspects and configures subnets
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SubnetCommand {
    /// Creates a subnet: locks tokens, and registers one of your nodes in slot 0
    Create {
        /// Name of the subnet: lower-case letters, digits and hyphens
        name: String,
        /// Id of your node, which never loses its slot
        #[arg(long, value_name = "NODE")]
        node: NodeId,
        /// Maximum to lock, in tokens [default: the current lock]
        #[arg(long, value_name = "AMOUNT")]
        max_lock: Option<Amount>,
        /// Mechanism of the subnet's tasks: next-byte, exact-answer, embedding, reference or preference, with parameters after commas
        #[arg(long, value_name = "NAME[,PARAMETER=N]", value_parser = mechanism::parse)]
        mechanism: Option<MechanismSpec>,
        /// A rule that differs from its default, set after the creation; can be given several times
        #[arg(long = "set", value_name = "NAME=VALUE")]
        rules: Vec<Rule>,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Lists the subnets
    List(Access),
    /// Shows a subnet and its metagraph: all neurons, with the results of the last epoch
    Show {
        /// Number of the subnet
        netuid: Netuid,
        #[command(flatten)]
        access: Access,
    },
    /// Sets rules of one of your subnets
    #[command(after_help = rule::HELP)]
    Set {
        /// Number of the subnet
        netuid: Netuid,
        /// Rules and their new values
        #[arg(value_name = "NAME=VALUE", required_unless_present = "mechanism")]
        rules: Vec<Rule>,
        /// Mechanism of the subnet's tasks from now on, such as next-byte,contexts=48
        #[arg(long, value_name = "NAME[,PARAMETER=N]", value_parser = mechanism::parse)]
        mechanism: Option<MechanismSpec>,
        #[command(flatten)]
        terms: SpendArgs,
    },
}

impl SubnetCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Create { name, node, max_lock, mechanism, rules, terms } => {
                let mut signer = terms.signer(global).await?;
                let max_lock = match max_lock {
                    Some(max) => max,
                    // The lock may rise until the block: the user locks at most the amount that is shown.
                    None => signer.node().subnets().await?.lock_cost,
                };
                let call = Call::RegisterSubnet(RegisterSubnet { name, node, max_lock, mechanism });
                let done = signer.send(call, global).await?;
                if let Some(Outcome::SubnetRegistered(RegisterSubnetOutcome { netuid, .. })) = done.outcome
                    && !signer.is_dry_run()
                {
                    set(&mut signer, netuid, &rules, global).await?;
                }
                Ok(())
            }
            Self::List(access) => {
                let session = access.open(global).await?;
                let page = session.node.client().subnets().await?;
                if global.json { output::json(&page) } else { show::list(&page) }
            }
            Self::Show { netuid, access } => {
                let session = access.open(global).await?;
                let detail = detail(session.node.client(), netuid).await?;
                if global.json { output::json(&detail) } else { show::show(&detail) }
            }
            Self::Set { netuid, rules, mechanism, terms } => {
                let mut signer = terms.signer(global).await?;
                if let Some(to) = mechanism {
                    signer.send(Call::SetMechanism(SetMechanism { netuid, to }), global).await?;
                }
                set(&mut signer, netuid, &rules, global).await
            }
        }
    }
}

async fn detail(node: &Client, netuid: Netuid) -> anyhow::Result<SubnetDetail> {
    Ok(node.subnet(netuid).await?)
}

/// Sets one rule after the other, each with its own transaction.
async fn set(signer: &mut Signer<'_>, netuid: Netuid, rules: &[Rule], global: &Global) -> anyhow::Result<()> {
    for rule in rules {
        let to = rule.change();
        let done = signer.send(Call::SetHyperparameter(SetHyperparameter { netuid, to }), global).await;
        done.with_context(|| format!("setting {rule} in subnet {netuid}"))?;
    }
    Ok(())
}

/// The value of each rule, by name, as the command line writes it.
fn values(rules: &Hyperparameters) -> anyhow::Result<Vec<(String, String)>> {
    let serde_json::Value::Object(fields) = serde_json::to_value(rules)? else { return Ok(Vec::new()) };
    let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(fields.into_iter().map(|(name, value)| (name, text(value))).collect())
}

impl Rule {
    /// As the ledger's transaction has it.
    fn change(&self) -> Hyperparameter {
        self.to
    }
}
