//! `nervure checkpoint verify`: verifies a block from the trusted header on with certificates only, and single records
//! of its state.

use std::collections::BTreeMap;

use nervure_api::{ClientError, SourceError};
use nervure_consensus::checkpoint::ValidatorSet;
use nervure_ledger::{
    subnet::MetagraphRoot,
    tree::{Key, Record},
};
use nervure_primitives::{BlockHeight, Hash, Netuid, NodeId};
use serde::Serialize;

use super::{
    Global, metagraphs, output,
    trust::{LightError, NodeVerifier, TrustArgs},
};

/// Verifies a block from the genesis on, with certificates only
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A key is chain, account/ID, node/ID, stake/NUMBER/STAKER, vote/NODE, subnet/N or neuron/N/UID.
Exit code 9 means that the node's answer does not verify.

Examples:
  nervure checkpoint verify
  nervure checkpoint verify 360 --fact subnet/1
  nervure checkpoint verify --trust 360:BLOCK --from 192.0.2.7:8080")]
pub(crate) struct VerifyArgs {
    /// The block [default: the last checkpoint]
    height: Option<BlockHeight>,
    /// Also prove the record of this key in the state after the block; can be given several times
    #[arg(long = "fact", value_name = "KEY")]
    facts: Vec<Key>,
    #[command(flatten)]
    trust: TrustArgs,
}

/// A verified block.
#[derive(Serialize)]
struct VerifiedBlock {
    height: BlockHeight,
    block: Hash,
    state: Hash,
    trusted: String,
    certificates: usize,
    signers: Vec<NodeId>,
    validators: BTreeMap<NodeId, u64>,
    next_validators: BTreeMap<NodeId, u64>,
    /// Those of the epochs that ended with this block; `None` if the asked node can no longer prove them.
    metagraphs: Option<BTreeMap<Netuid, MetagraphRoot>>,
    facts: Vec<(String, Option<Record>)>,
}

impl VerifyArgs {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let mut light = self.trust.open(global).await?;
        let verified = self.verify(&mut light).await?;
        if global.json { output::json(&verified) } else { verified.show() }
    }

    async fn verify(&self, light: &mut NodeVerifier) -> Result<VerifiedBlock, LightError> {
        let at = light.checkpoint(self.height).await?;
        let height = at.height();
        let mut facts = Vec::new();
        for key in &self.facts {
            facts.push((key.to_string(), light.record(*key, height).await?));
        }
        Ok(VerifiedBlock {
            height,
            block: at.header.id(),
            state: at.header.state,
            trusted: light.trusted().to_owned(),
            metagraphs: proven_metagraphs(light, height).await?,
            certificates: light.steps(),
            signers: at.certificate.signatures.iter().map(|(signer, _)| *signer).collect(),
            validators: powers(&at.validators),
            next_validators: powers(at.successors()),
            facts,
        })
    }
}

fn powers(set: &ValidatorSet) -> BTreeMap<NodeId, u64> {
    set.members().iter().map(|member| (member.node, member.power)).collect()
}

/// The metagraph roots of the epochs that the block ended. The node's list of subnets is not proven; the roots of those
/// subnets are.
async fn proven_metagraphs(
    light: &mut NodeVerifier,
    height: BlockHeight,
) -> Result<Option<BTreeMap<Netuid, MetagraphRoot>>, LightError> {
    let view =
        light.source().checkpoint(Some(height)).await.map_err(|error| LightError::Source(error.into()))?;
    let mut proven = BTreeMap::new();
    for netuid in view.metagraphs.into_keys() {
        match light.record(Key::Subnet(netuid), height).await {
            Ok(Some(Record::Subnet { subnet, .. })) => {
                proven.extend(subnet.metagraph.map(|root| (netuid, root)));
            }
            Ok(_) => {}
            Err(LightError::Source(SourceError::Client(ClientError::Response(_)))) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(proven))
}

impl VerifiedBlock {
    fn show(&self) -> anyhow::Result<()> {
        let Self { height, block, state, validators, signers, .. } = self;
        output::line(&format!("trusted     {}", self.trusted))?;
        output::line(&format!("block       {height} {block}"))?;
        output::line(&format!("state       {state}"))?;
        output::line(&format!("signed by   {} of {} validators", signers.len(), validators.len()))?;
        for (node, power) in validators {
            let signed = if signers.contains(node) { "signed" } else { "did not sign" };
            output::line(&format!("validator   {node} power {power}, {signed}"))?;
        }
        self.show_successors()?;
        match &self.metagraphs {
            Some(roots) => metagraphs(roots, ", proven")?,
            None => {
                output::line("metagraph   not proven: the asked node no longer has the state of this block")?;
            }
        }
        for (key, record) in &self.facts {
            let record = record.as_ref().map(serde_json::to_string).transpose()?;
            let record = record.unwrap_or_else(|| "no record".into());
            output::line(&format!("fact        {key}: {record}"))?;
        }
        output::note(&format!("verified with {} certificates", self.certificates));
        Ok(())
    }

    fn show_successors(&self) -> anyhow::Result<()> {
        if self.validators == self.next_validators {
            return output::line("successors  the same");
        }
        self.next_validators
            .iter()
            .try_for_each(|(node, power)| output::line(&format!("successor   {node} power {power}")))
    }
}
