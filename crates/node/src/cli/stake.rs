//! `nervure stake`: stake on nodes, and the take of a node's owner.

use std::str::FromStr;

use nervure_ledger::{
    nodes::MAX_TAKE,
    transaction::{Call, MoveStake, SetTake, Stake, Unstake},
};
use nervure_primitives::{Amount, NodeId};

use super::{Global, sign::SpendArgs};

/// Adds, removes and moves stake on nodes, and sets a node's take
#[derive(Debug, clap::Subcommand)]
pub(crate) enum StakeCommand {
    /// Stakes tokens on a node, which shares its dividends with its stakers
    Add {
        /// Id of the node
        node: NodeId,
        /// Amount, in tokens
        amount: Amount,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Removes stake from a node; the tokens can be spent after the unbonding time
    Remove {
        /// Id of the node
        node: NodeId,
        /// Amount in tokens, or `all`; a stake that would be left below the minimum is removed, too
        #[arg(value_parser = amount_or_all)]
        amount: Amount,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Moves stake to another node without unbonding; it still answers for the first one, and stays until it does no more
    Move {
        /// Id of the node that the stake is on
        from: NodeId,
        /// Id of the node that it goes to
        to: NodeId,
        /// Amount in tokens, or `all`; a stake that would be left below the minimum is moved, too
        #[arg(value_parser = amount_or_all)]
        amount: Amount,
        #[command(flatten)]
        terms: SpendArgs,
    },
    /// Sets the take: the part of the stakers' dividends that the node's owner keeps; it can be raised only rarely
    Take {
        /// Id of the node
        node: NodeId,
        /// The take in percent, at most 18
        percent: Percent,
        #[command(flatten)]
        terms: SpendArgs,
    },
}

impl StakeCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let (call, terms) = match self {
            Self::Add { node, amount, terms } => (Call::Stake(Stake { node, amount }), terms),
            Self::Remove { node, amount, terms } => (Call::Unstake(Unstake { node, amount }), terms),
            Self::Move { from, to, amount, terms } => {
                (Call::MoveStake(MoveStake { from, to, amount }), terms)
            }
            Self::Take { node, percent: Percent(take), terms } => {
                (Call::SetTake(SetTake { node, take }), terms)
            }
        };
        terms.send(call, global).await.map(drop)
    }
}

/// An amount to send or to unstake: in tokens, or the word `all`.
pub(super) fn amount_or_all(text: &str) -> Result<Amount, String> {
    match text {
        "all" => Ok(Unstake::ALL),
        amount => amount.parse().map_err(|error| format!("{error}; or `all`")),
    }
}

/// A share in parts of 65,535, written in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Percent(u16);

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not a share from 0 to 18 % with at most two decimal places");
        let digits = text.strip_suffix('%').unwrap_or(text).trim_end();
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > 2 || !is_number(whole) || !is_number(part) {
            return Err(wrong());
        }
        let hundredths: u64 = format!("{whole}{part:0<2}").parse().map_err(|_| wrong())?;
        let share = hundredths.checked_mul(u16::MAX.into()).map(|share| share / 10_000);
        let share = share.and_then(|share| u16::try_from(share).ok()).filter(|share| *share <= MAX_TAKE);
        share.map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use nervure_ledger::transaction::Transfer;

    use super::*;

    #[test]
    fn parses_an_amount_or_all() {
        assert_eq!((amount_or_all("all"), Transfer::ALL), (Ok(Unstake::ALL), Unstake::ALL));
        assert_eq!(amount_or_all("1.5"), Ok(Amount::from_base_units(1_500_000_000)));
        assert!(amount_or_all("everything").unwrap_err().ends_with("or `all`"));
    }

    #[test]
    fn parses_shares_in_percent() {
        let parsed = |text: &str| text.parse::<Percent>().map(|Percent(share)| share);
        assert_eq!(parsed("18"), Ok(MAX_TAKE));
        assert_eq!((parsed("0"), parsed("10%"), parsed("0.5")), (Ok(0), Ok(6_553), Ok(327)));
        for bad in ["", "18.1", "-1", "1.234", "x", "99999999999999999999", "1.x", "."] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
