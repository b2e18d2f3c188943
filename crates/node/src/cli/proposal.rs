//! `nervure proposal`: what the token holders decide.

mod create;
mod show;

use nervure_api::{ProposalPage, ProposalView};
use nervure_ledger::{
    governance::{Choice, ProposalId, ProposalStatus},
    transaction::{Call, VoteProposal},
};
use nervure_primitives::{Amount, BlockHeight, NodeId};

use super::{Global, output, sign::SpendArgs};
use crate::local::LocalNode;

/// Most nodes that one vote names; with more, the largest stakes vote first.
const MAX_NODES: usize = 32;

/// Makes, shows and votes on proposals of token holders
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ProposalCommand {
    /// Makes a proposal, for a deposit that comes back unless it is vetoed or too little stake votes
    #[command(subcommand)]
    Create(create::CreateCommand),
    /// Lists the open proposals and the last closed ones as the node reports them
    List,
    Show(show::ShowArgs),
    /// Votes on a proposal with your stakes; as the owner of a validator, also for its stakers that do not vote
    Vote {
        /// Number of the proposal
        proposal: ProposalId,
        /// yes, no, abstain, or veto: no, and the deposit should be lost
        #[arg(value_name = "yes|no|abstain|veto")]
        choice: Choice,
        /// Vote with the stake on this node only; can be given several times [default: all validators with your stake]
        #[arg(long, value_name = "NODE")]
        node: Vec<NodeId>,
        #[command(flatten)]
        terms: SpendArgs,
    },
    Params(show::ParamsArgs),
}

impl ProposalCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Create(command) => command.run(global).await,
            Self::List => {
                let page = LocalNode::find(&global.node_dir()?)?.client().proposals().await?;
                if global.json { output::json(&page) } else { list(&page) }
            }
            Self::Show(args) => args.run(global).await,
            Self::Vote { proposal, choice, node, terms } => {
                let mut signer = terms.signer(global).await?;
                let nodes = match node.is_empty() {
                    true => voting_nodes(signer.node(), signer.id()).await?,
                    false => node,
                };
                let call = Call::VoteProposal(VoteProposal { proposal, choice, nodes });
                signer.send(call, global).await.map(drop)
            }
            Self::Params(args) => args.run(global).await,
        }
    }
}

/// The validators that `owner` owns or has a stake on, the largest stakes first.
async fn voting_nodes(node: &nervure_api::Client, owner: NodeId) -> anyhow::Result<Vec<NodeId>> {
    let (account, page) = (node.account(&owner).await?, node.validators().await?);
    let mut voting: Vec<(Amount, NodeId)> = Vec::new();
    for one in page.validators.iter().filter(|one| one.joined.is_some() || one.power.is_some()) {
        match account.stakes.get(&one.node) {
            // What others staked on it votes with it.
            _ if one.owner == owner => voting.push((one.stake, one.node)),
            Some(stake) => voting.push((*stake, one.node)),
            None => {}
        }
    }
    if voting.is_empty() {
        anyhow::bail!(
            "{owner} has no stake on a validator, and only such stake votes\n\
             stake on one: nervure validator show; nervure stake add NODE AMOUNT"
        );
    }
    voting.sort_unstable_by(|a, b| b.cmp(a));
    if voting.len() > MAX_NODES {
        output::note(&format!("your {MAX_NODES} largest stakes vote; name the others with --node"));
    }
    Ok(voting.into_iter().take(MAX_NODES).map(|(_, node)| node).collect())
}

fn list(page: &ProposalPage) -> anyhow::Result<()> {
    let row = |one: &ProposalView| {
        [
            one.id.to_string(),
            state(one),
            percent(one.count.yes, one.count.voted()),
            percent(one.count.voted(), one.count.total),
            one.proposal.title.to_string(),
            effect(one),
        ]
    };
    output::table(&["number", "state", "yes", "voted", "title", "effect"], page.proposals.iter().map(row))?;
    output::note(&format!(
        "after block {}; the treasury holds {} tokens; the next proposal holds back {} tokens, at most {} are open",
        page.height, page.treasury, page.deposit, page.most_open
    ));
    match page.proposals.first() {
        Some(last) => output::note(&format!(
            "yes: of what voted; this was not verified; next: nervure proposal show {}",
            last.id
        )),
        None => output::note("there are no proposals; next: nervure proposal create --help"),
    }
    Ok(())
}

/// What became of it, in words.
fn state(one: &ProposalView) -> String {
    let ends = BlockHeight(one.proposal.ends);
    match &one.proposal.status {
        ProposalStatus::Voting => format!("voting until block {ends}"),
        ProposalStatus::Passed { effective } => format!("passed, in effect after block {effective}"),
        ProposalStatus::Refused { verdict } => verdict.to_string(),
        ProposalStatus::Done { block } => format!("in effect since block {block}"),
        ProposalStatus::Failed { block } => {
            format!("failed at block {block}, because what it relies on had changed")
        }
    }
}

/// What it does, in words, with the values of parameters now.
fn effect(one: &ProposalView) -> String {
    if one.changes.is_empty() {
        return one.proposal.action.to_string();
    }
    let each =
        one.changes.iter().map(|change| format!("{} from {} to {}", change.name, change.from, change.to));
    format!("changes {}", each.collect::<Vec<_>>().join(", "))
}

/// A part in percent, rounded down to a hundredth.
fn percent(part: Amount, whole: Amount) -> String {
    let (part, whole) = (u128::from(part.base_units()), u128::from(whole.base_units()));
    // 128 bits, because an amount can have 55 bits.
    let hundredths = (part * 10_000).checked_div(whole).unwrap_or(0);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_shown_in_percent() {
        let amount = Amount::from_base_units;
        assert_eq!(percent(amount(1), amount(3)), "33.33 %");
        assert_eq!(percent(amount(0), amount(0)), "0.00 %");
        assert_eq!(percent(amount(u64::MAX), amount(u64::MAX)), "100.00 %");
    }
}
