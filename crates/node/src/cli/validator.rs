//! `nervure validator`: who makes blocks.

mod evidence;
mod status;

use nervure_api::{EquivocationView, ValidatorPage, ValidatorView};
use nervure_ledger::transaction::{Call, JoinValidators, LeaveValidators};
use nervure_primitives::NodeId;

use super::{Global, access::Access, output, sign::SpendArgs};

/// Joins and leaves the validators that make blocks, and shows them
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ValidatorCommand {
    /// Lets one of your nodes make blocks whenever it is elected; also after it was jailed
    Join {
        /// Id of the node
        node: NodeId,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Takes one of your nodes out of the next elections
    Leave {
        /// Id of the node
        node: NodeId,
        #[command(flatten)]
        terms: SpendArgs,
    },
    Evidence(evidence::EvidenceArgs),
    Report(evidence::ReportArgs),
    Status(status::StatusArgs),
    /// Shows all validators, or one node: joined, elected, voting power, self-stake, missed blocks, jailed
    Show {
        /// Id of the node [default: all validators]
        node: Option<NodeId>,
        #[command(flatten)]
        access: Access,
    },
}

impl ValidatorCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let (call, terms) = match self {
            Self::Show { node, access } => return show(node, &access, global).await,
            Self::Status(args) => return args.run(global).await,
            Self::Evidence(args) => return args.run(global),
            Self::Report(args) => return args.run(global).await,
            Self::Join { node, terms } => (Call::JoinValidators(JoinValidators { node }), terms),
            Self::Leave { node, terms } => (Call::LeaveValidators(LeaveValidators { node }), terms),
        };
        terms.send(call, global).await.map(drop)
    }
}

async fn show(node: Option<NodeId>, access: &Access, global: &Global) -> anyhow::Result<()> {
    let session = access.open(global).await?;
    let client = session.node.client();
    let page = client.validators().await?;
    let Some(node) = node else {
        return if global.json { output::json(&page) } else { list(&page) };
    };
    // Any registered node can be shown: the page has only those that joined, are elected or are jailed.
    let found = client.node(&node).await?.validator;
    if global.json { output::json(&found) } else { detail(&found, &page) }
}

fn list(page: &ValidatorPage) -> anyhow::Result<()> {
    let row = |one: &ValidatorView| {
        [
            one.node.to_string(),
            state(one),
            power(one, page),
            one.stake.to_string(),
            one.self_stake.to_string(),
            one.missed.to_string(),
        ]
    };
    output::table(
        &["node", "state", "power", "stake", "self-stake", "missed"],
        page.validators.iter().map(row),
    )?;
    output::note(&format!(
        "after block {}; the next election is at block {}; missed: of the last {} blocks",
        page.height, page.election, page.liveness_window
    ));
    Ok(())
}

fn detail(one: &ValidatorView, page: &ValidatorPage) -> anyhow::Result<()> {
    let rows = [
        ("node", one.node.to_string()),
        ("owner", one.owner.to_string()),
        ("state", state(one)),
        ("power", power(one, page)),
        ("stake", format!("{} tokens", one.stake)),
        ("self-stake", format!("{} tokens; a validator needs {}", one.self_stake, page.min_self_stake)),
        ("missed", format!("{} of the last {} blocks", one.missed, page.liveness_window)),
        ("election", format!("block {}; now is block {}", page.election, page.height)),
    ];
    rows.into_iter().try_for_each(|(name, value)| output::line(&format!("{name:<11} {value}")))?;
    if let Some(next) = next_step(one, page) {
        output::note(&format!("next: {next}"));
    }
    Ok(())
}

/// What it is, in words.
pub(super) fn state(one: &ValidatorView) -> String {
    if let Some(EquivocationView { height, reported }) = one.equivocation {
        return format!(
            "jailed for good: it equivocated at block {height}, and was slashed at block {reported}"
        );
    }
    let mut text = match (one.power.is_some(), one.joined.is_some(), one.jailed_until) {
        (_, _, Some(until)) => format!("jailed until block {until}"),
        (true, true, None) => "elected".into(),
        (true, false, None) => "elected, leaves at the next election".into(),
        (false, true, None) => "joined, not elected".into(),
        (false, false, None) => "not joined".into(),
    };
    if one.silent {
        text.push_str(", silent");
    }
    text
}

/// Its share of the voting power.
fn power(one: &ValidatorView, page: &ValidatorPage) -> String {
    let Some(power) = one.power else { return "none".into() };
    // In hundredths of a percent; 128 bits, because a power can have 60 bits.
    let share = u128::from(power) * 10_000 / u128::from(page.total_power.max(1));
    format!("{}.{:02} %", share / 100, share % 100)
}

/// The command that makes it a validator, if it is none.
fn next_step(one: &ValidatorView, page: &ValidatorPage) -> Option<String> {
    let node = one.node;
    if one.equivocation.is_some() {
        return Some(format!(
            "take out what is left: nervure stake remove {node} AMOUNT; to validate again, register another node"
        ));
    }
    match (one.joined, one.jailed_until) {
        (Some(_), _) => None,
        (None, Some(until)) if page.height < until => {
            Some(format!("keep it running, and from block {until} on: nervure validator join {node}"))
        }
        (None, _) if one.self_stake < page.min_self_stake => {
            Some(format!("stake with the owner's key: nervure stake add {node} {}", page.min_self_stake))
        }
        (None, _) => Some(format!("with the owner's key: nervure validator join {node}")),
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{Amount, BlockHeight};

    use super::*;

    fn page() -> ValidatorPage {
        ValidatorPage {
            height: BlockHeight(7),
            election: BlockHeight(10),
            min_self_stake: Amount::from_base_units(1_000_000_000),
            liveness_window: 20,
            total_power: 3,
            validators: Vec::new(),
        }
    }

    fn one(self_stake: u64) -> ValidatorView {
        let id = NodeId::from_bytes([1; 32]);
        let self_stake = Amount::from_base_units(self_stake);
        ValidatorView {
            node: id,
            owner: id,
            stake: self_stake,
            self_stake,
            joined: None,
            jailed_until: None,
            equivocation: None,
            power: None,
            missed: 0,
            silent: false,
        }
    }

    #[test]
    fn says_what_a_node_is_and_what_to_do_next() {
        let next = |view: &ValidatorView| next_step(view, &page()).unwrap_or_default();
        let (rich, poor) = (one(1_000_000_000), one(5));
        assert!(next(&rich).contains("nervure validator join"), "{}", next(&rich));
        assert!(next(&poor).contains("nervure stake add"), "{}", next(&poor));
        let jailed = ValidatorView { jailed_until: Some(BlockHeight(9)), ..rich.clone() };
        assert!(next(&jailed).contains("from block 9 on"), "{}", next(&jailed));
        let rested = ValidatorView { jailed_until: Some(BlockHeight(7)), ..rich.clone() };
        assert!(next(&rested).starts_with("with the owner's key"), "{}", next(&rested));
        let equivocation = EquivocationView { height: BlockHeight(5), reported: BlockHeight(6) };
        let slashed = ValidatorView { equivocation: Some(equivocation), power: Some(1), ..rich.clone() };
        assert_eq!(state(&slashed), "jailed for good: it equivocated at block 5, and was slashed at block 6");
        assert!(next(&slashed).contains("nervure stake remove"), "{}", next(&slashed));
        let joined = ValidatorView { joined: Some(BlockHeight(3)), ..rich.clone() };
        assert_eq!((state(&joined).as_str(), next(&joined).as_str()), ("joined, not elected", ""));
        let elected = ValidatorView { power: Some(1), silent: true, ..joined };
        assert_eq!(
            (state(&elected).as_str(), power(&elected, &page()).as_str()),
            ("elected, silent", "33.33 %")
        );
        assert_eq!((state(&rich).as_str(), power(&rich, &page()).as_str()), ("not joined", "none"));
    }
}
