//! `nervure score explain`: explains what a node earned, with the proof.

mod show;

use nervure_api::{AuditView, ExpertSearch, ExpertView};
use nervure_light::{
    VerifiedCheckpoint,
    score::{Reason, Score},
};
use nervure_primitives::{BlockHeight, Hash, MeshId, Netuid, NodeId};
use nervure_subnet::score::MAX_EXPERTS_OF_NEURON;
use serde::Serialize;

use super::{
    Global, output,
    trust::{NodeVerifier, TrustArgs},
};

/// Explains scores
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ScoreCommand {
    Explain(ExplainArgs),
}

/// Explains a node's last epoch: the weight of every validator for it, and its share of the emission, with the proof
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The asked node sends the inputs of the epoch. This program follows certificates from the genesis to a block that has
their hash, computes the epoch again, and compares the result with the ledger's. Exit code 0 means that everything
verified, 9 that something did not.

Examples:
  nervure score explain NODE
  nervure score explain NODE --netuid 3 --json")]
pub(crate) struct ExplainArgs {
    /// Id of the node
    node: NodeId,
    /// Number of the subnet [default: those in which the node has a slot, else the first]
    #[arg(long, value_name = "N")]
    netuid: Option<Netuid>,
    #[command(flatten)]
    trust: TrustArgs,
}

/// An explanation and its proof.
#[derive(Serialize)]
struct Explanation {
    #[serde(flatten)]
    score: Score,
    /// The reasons as text.
    why: Vec<String>,
    /// Its experts and the live scores of each, as the asked node reports them: not proven.
    experts: Vec<ExpertView>,
    /// Its answers that the asked node found not to be of the model that it names. Each can be checked by anyone.
    mismatches: Vec<AuditView>,
    proof: Proof,
}

/// The block that proves an explanation.
#[derive(Serialize)]
struct Proof {
    mesh: MeshId,
    trusted: String,
    certificates: usize,
    height: BlockHeight,
    block: Hash,
    state: Hash,
    signers: usize,
    validators: usize,
}

impl ScoreCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let Self::Explain(args) = self;
        let explained = args.explain(global).await?;
        match (global.json, &explained[..]) {
            (true, [one]) => output::json(one),
            (true, all) => output::json(&all),
            (false, all) => all.iter().try_for_each(Explanation::show),
        }
    }
}

impl ExplainArgs {
    async fn explain(&self, global: &Global) -> anyhow::Result<Vec<Explanation>> {
        let mut light = self.trust.open(global).await?;
        let netuids = match self.netuid {
            Some(netuid) => vec![netuid],
            None => subnets_of(&light, &self.node).await?,
        };
        let mut explained = Vec::new();
        for (number, netuid) in netuids.into_iter().enumerate() {
            if number > 0 {
                // A light client only moves forward, and another subnet may have ended its epoch at an earlier block.
                light = self.trust.open(global).await?;
            }
            let (checkpoint, score) = light.score(netuid, &self.node).await?;
            let mut explanation = Explanation::of(&light, &checkpoint, score);
            explanation.experts = experts_of(&light, netuid, &self.node).await;
            explanation.mismatches = mismatches_of(&light, netuid, &self.node).await;
            explained.push(explanation);
        }
        Ok(explained)
    }
}

/// The subnets in which the node has slots, as the asked node reports; the explanation verifies it.
async fn subnets_of(light: &NodeVerifier, node: &NodeId) -> anyhow::Result<Vec<Netuid>> {
    let known = light.source().node(node).await;
    let mut netuids: Vec<Netuid> = known.map(|view| view.slots.into_keys().collect()).unwrap_or_default();
    if netuids.is_empty() {
        let page = light.source().subnets().await?;
        netuids.extend(page.subnets.first().map(|subnet| subnet.netuid));
    }
    anyhow::ensure!(!netuids.is_empty(), "the mesh has no subnet\ncreate one: nervure subnet create NAME");
    Ok(netuids)
}

/// The experts of the node in the subnet; none when the asked node does not say. They are beside the proof.
async fn experts_of(light: &NodeVerifier, netuid: Netuid, node: &NodeId) -> Vec<ExpertView> {
    let search = ExpertSearch {
        netuid: Some(netuid),
        filter: Some(format!("node = \"{node}\"")),
        limit: MAX_EXPERTS_OF_NEURON,
        ..ExpertSearch::default()
    };
    light.source().experts(&search).await.map(|page| page.experts).unwrap_or_default()
}

/// What the asked node's audits found about the node in the subnet; none when it does not say.
async fn mismatches_of(light: &NodeVerifier, netuid: Netuid, node: &NodeId) -> Vec<AuditView> {
    let found = light.source().audits().await.map(|page| page.mismatches).unwrap_or_default();
    found.into_iter().filter(|one| one.netuid == netuid && one.miner == *node).collect()
}

impl Explanation {
    /// Without what is beside the proof.
    fn of(light: &NodeVerifier, at: &VerifiedCheckpoint, score: Score) -> Self {
        let proof = Proof {
            mesh: light.mesh(),
            trusted: light.trusted().to_owned(),
            certificates: light.steps(),
            height: at.height(),
            block: at.header.id(),
            state: at.header.state,
            signers: at.certificate.signatures.len(),
            validators: at.validators.len(),
        };
        let why = score.reasons.iter().map(Reason::to_string).collect();
        Self { why, score, experts: Vec::new(), mismatches: Vec::new(), proof }
    }
}
