//! `nervure proposal show` and `params`: what is in the state, verified from the genesis on.

use std::collections::BTreeMap;

use anyhow::bail;
use nervure_api::{ParameterPage, ProposalView};
use nervure_ledger::{
    governance::{Action, Choice, FIXED_PARAMETERS, PARAMETERS, ProposalId, ProposalStatus},
    tree::{Key, Record},
};
use nervure_light::ProvenProposal;
use nervure_primitives::{Amount, BlockHeight, Hash, NodeId};
use serde::Serialize;

use super::{effect, percent, state};
use crate::cli::{
    Global, output,
    trust::{NodeVerifier, TrustArgs},
};

/// Shows a proposal, how stake votes on it, and what happens next, with the proof
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The asked node sends records and proofs. This program follows certificates from the genesis to the newest block, verifies
each record under it, and counts the votes itself. Exit code 0 means that everything verified, 9 that something did not.

Examples:
  nervure proposal show 3
  nervure proposal show 3 --owner OWNER      also what the stakes of this owner vote for")]
pub(crate) struct ShowArgs {
    /// Number of the proposal
    proposal: ProposalId,
    /// Also show what the stakes of this owner vote for
    #[arg(long, value_name = "OWNER")]
    owner: Option<NodeId>,
    #[command(flatten)]
    trust: TrustArgs,
}

/// Shows the parameters that proposals can change, with the proof
#[derive(Debug, clap::Args)]
pub(crate) struct ParamsArgs {
    /// Only these [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    trust: TrustArgs,
}

/// A verified proposal.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    view: ProposalView,
    /// The stakes of the owner that was asked for.
    stakes: Vec<OwnStake>,
    proof: Proof,
}

/// What a stake votes for.
#[derive(Serialize)]
struct OwnStake {
    node: NodeId,
    staked: Amount,
    /// Nothing when neither the staker nor the validator voted.
    choice: Option<Choice>,
    /// Whether it votes itself, and not as its validator.
    own: bool,
}

/// The block that proves it.
#[derive(Serialize)]
struct Proof {
    trusted: String,
    height: BlockHeight,
    block: Hash,
    state: Hash,
    signers: usize,
    validators: usize,
}

impl ShowArgs {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let mut light = self.trust.open(global).await?;
        let proof = newest(&mut light).await?;
        let height = proof.height;
        let Some(found) = light.proposal(self.proposal, height).await? else {
            bail!(
                "there is no proposal {} in the state after block {height}; closed ones are kept for a while only\n\
                 list them: nervure proposal list",
                self.proposal
            );
        };
        let stakes = self.stakes(&mut light, &found, height).await?;
        let ProvenProposal { proposal, count, .. } = found;
        let mut view = ProposalView::new(self.proposal, proposal, count);
        if let Action::Params { values } = &view.proposal.action
            && view.proposal.is_open()
        {
            view.changes = rules(&mut light, height).await?.changes(values);
        }
        let shown = Shown { view, stakes, proof };
        if global.json { output::json(&shown) } else { shown.print(self.owner) }
    }

    /// What the stakes of the named owner say, while stake votes.
    async fn stakes(
        &self,
        light: &mut NodeVerifier,
        found: &ProvenProposal,
        height: BlockHeight,
    ) -> anyhow::Result<Vec<OwnStake>> {
        let mut stakes = Vec::new();
        if let Some(owner) = self.owner {
            for validator in &found.validators {
                let opinion = light.opinion((validator, owner), self.proposal, height).await?;
                stakes.extend(opinion.map(|opinion| OwnStake {
                    node: validator.node,
                    staked: opinion.staked,
                    choice: opinion.choice,
                    own: opinion.own,
                }));
            }
        }
        Ok(stakes)
    }
}

impl ParamsArgs {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let mut light = self.trust.open(global).await?;
        let height = newest(&mut light).await?.height;
        let rules = rules(&mut light, height).await?;
        let wanted = |name: &str| self.names.is_empty() || self.names.iter().any(|one| one == name);
        let fixed = FIXED_PARAMETERS.iter().filter(|(name, _)| wanted(name));
        let fixed: BTreeMap<String, String> =
            fixed.map(|(name, why)| ((*name).into(), (*why).into())).collect();
        let values = PARAMETERS.iter().filter(|name| wanted(name));
        let parameters: BTreeMap<String, u64> =
            values.filter_map(|name| Some(((*name).into(), rules.get(name)?))).collect();
        let known = |name: &String| parameters.contains_key(name) || fixed.contains_key(name);
        if let Some(unknown) = self.names.iter().find(|name| !known(name)) {
            bail!("there is no parameter {unknown}\nlist them all: nervure proposal params");
        }
        let page = ParameterPage { height, parameters, fixed };
        if global.json {
            return output::json(&page);
        }
        let values = page.parameters.iter().map(|(name, value)| [name.clone(), value.to_string()]);
        let fixed = page.fixed.iter().map(|(name, why)| [name.clone(), format!("not by a vote: {why}")]);
        output::table(&["parameter", "value"], values.chain(fixed))?;
        output::note(&format!(
            "verified: after block {height}; amounts are base units, times are blocks, yes and no are 1 and 0"
        ));
        Ok(())
    }
}

/// The newest block, verified.
async fn newest(light: &mut NodeVerifier) -> anyhow::Result<Proof> {
    let height = light.newest(&[]).await?.height;
    let at = light.checkpoint(Some(height)).await?;
    Ok(Proof {
        trusted: light.trusted().to_owned(),
        height,
        block: at.header.id(),
        state: at.header.state,
        signers: at.certificate.signatures.len(),
        validators: at.validators.len(),
    })
}

/// The parameters after the block at `height`.
async fn rules(
    light: &mut NodeVerifier,
    height: BlockHeight,
) -> anyhow::Result<nervure_ledger::governance::Rulebook> {
    match light.record(Key::Params, height).await? {
        Some(Record::Params { rules, .. }) => Ok(*rules),
        _ => bail!("the state after block {height} has no parameters\nask another node: --from IP:PORT"),
    }
}

impl Shown {
    fn print(&self, owner: Option<NodeId>) -> anyhow::Result<()> {
        let Self { view, proof, .. } = self;
        let proposal = &view.proposal;
        let line = |name: &str, value: &str| output::line(&format!("{name:<11} {value}"));
        line("proposal", &format!("{} {}", view.id, proposal.title))?;
        line("proposed", &format!("by {} at block {}", proposal.proposer, proposal.submitted))?;
        line("effect", &effect(view))?;
        if let Some(document) = &proposal.document {
            line("explained", &format!("{} (SHA-256 {})", document.url, document.sha256))?;
        }
        line("state", &state(view))?;
        self.votes()?;
        if proposal.is_open() {
            line("next", &self.next())?;
        }
        for OwnStake { node, staked, choice, own } in &self.stakes {
            let says = match (choice, own) {
                (Some(choice), true) => format!("votes {choice}"),
                (Some(choice), false) => format!("votes {choice}, as its validator"),
                (None, _) => "does not vote, nor does its validator".into(),
            };
            line("stake", &format!("{staked} tokens on {node}: {says}"))?;
        }
        if let Some(owner) = owner.filter(|_| self.stakes.is_empty() && proposal.tally.is_none()) {
            line("stake", &format!("{owner} has none on a validator in office"))?;
        }
        let Proof { height, block, signers, validators, trusted, .. } = proof;
        let by = format!("block {height} ({block}), certified by {signers} of {validators} validators");
        line("proof", &by)?;
        line("trusted", trusted)?;
        output::note("verified: the certificates, the records under them, and the count of the votes");
        Ok(())
    }

    fn votes(&self) -> anyhow::Result<()> {
        let ProposalView { proposal, count, verdict, .. } = &self.view;
        let voted = count.voted();
        let parts = [("yes", count.yes), ("no", count.no), ("abstain", count.abstain), ("veto", count.veto)];
        let parts = parts.map(|(name, part)| format!("{name} {}", percent(part, voted)));
        output::line(&format!("votes       {}", parts.join(", ")))?;
        let rules = &proposal.rules;
        output::line(&format!(
            "voted       {} of {} tokens; {} are needed",
            percent(voted, count.total),
            count.total,
            permille(rules.quorum_permille)
        ))?;
        let (threshold, veto) = (permille(rules.threshold_permille), permille(rules.veto_permille));
        output::line(&format!(
            "needs       more than {threshold} yes of yes, no and veto, and at most {veto} veto of all votes"
        ))?;
        match proposal.tally {
            Some(_) => output::line(&format!("result      {verdict}")),
            None => output::line(&format!("now         it would be {verdict}")),
        }
    }

    /// What happens next, and when.
    fn next(&self) -> String {
        let ProposalView { id, proposal, .. } = &self.view;
        let ends = proposal.ends;
        match proposal.status {
            ProposalStatus::Passed { effective } => {
                format!("it takes effect at the end of block {effective}")
            }
            ProposalStatus::Voting => format!(
                "the votes are counted at the end of block {ends}, and it takes effect at the end of block {} if it \
                 passes; nervure proposal vote {id} yes|no|abstain|veto",
                ends.saturating_add(proposal.rules.delay)
            ),
            ProposalStatus::Refused { .. } | ProposalStatus::Done { .. } | ProposalStatus::Failed { .. } => {
                String::new()
            }
        }
    }
}

/// Thousandths in percent.
fn permille(thousandths: u64) -> String {
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}
