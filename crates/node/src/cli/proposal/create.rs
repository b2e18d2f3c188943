//! `nervure proposal create`: the four kinds of proposals.

use std::str::FromStr;

use anyhow::bail;
use nervure_ledger::{
    governance::{Action, Document, ParameterValue, ProposalTitle, ProposalUrl},
    transaction::{Call, SubmitProposal},
    upgrade::Upgrade,
};
use nervure_primitives::{Amount, BlockHeight, Hash, NodeId};

use crate::cli::{Global, sign::SpendArgs};

/// Makes a proposal, for a deposit that comes back unless it is vetoed or too little stake votes
#[derive(Debug, clap::Subcommand)]
pub(crate) enum CreateCommand {
    /// Proposes other parameters: `nervure proposal params` lists them
    Params {
        /// Names and new values; yes and no are 1 and 0, amounts are base units
        #[arg(value_name = "NAME=VALUE", required = true)]
        values: Vec<Setting>,
        #[command(flatten)]
        terms: CreateArgs,
    },
    /// Proposes to activate the next version of the rules; programs that do not know it stop before its block
    Upgrade {
        /// The version
        #[arg(long = "to", value_name = "VERSION")]
        version: u32,
        /// The first block with it
        #[arg(long)]
        height: BlockHeight,
        #[command(flatten)]
        terms: CreateArgs,
    },
    /// Proposes a payment from the treasury
    Payment {
        /// Recipient's owner id
        to: NodeId,
        /// Amount, in tokens
        amount: Amount,
        #[command(flatten)]
        terms: CreateArgs,
    },
    /// Proposes a text, which changes nothing by itself; name it with --title
    Text {
        #[command(flatten)]
        terms: CreateArgs,
    },
}

/// What all proposals have.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// The title, at most 100 bytes [default: what it does]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// The address of a document that explains it, at most 300 bytes
    #[arg(long, value_name = "URL", requires = "sha256")]
    url: Option<String>,
    /// The SHA-256 of the document's bytes, as `sha256sum` prints it
    #[arg(long, value_name = "HEX", requires = "url")]
    sha256: Option<Hash>,
    #[command(flatten)]
    spend: SpendArgs,
}

/// A parameter and its value.
#[derive(Debug, Clone)]
pub(crate) struct Setting(ParameterValue);

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not of the form NAME=VALUE, with a whole number as the value");
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        let value = match value {
            "true" | "yes" => 1,
            "false" | "no" => 0,
            number => number.replace('_', "").parse().map_err(|_| wrong())?,
        };
        Ok(Self(ParameterValue { name: name.to_owned(), value }))
    }
}

impl CreateCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let (action, terms) = match self {
            Self::Params { values, terms } => {
                let values = values.into_iter().map(|Setting(value)| value).collect();
                (Action::Params { values }, terms)
            }
            Self::Upgrade { version, height, terms } => {
                (Action::Upgrade { upgrade: Upgrade { height, version } }, terms)
            }
            Self::Payment { to, amount, terms } => (Action::Payment { to, amount }, terms),
            Self::Text { terms } => (Action::Text, terms),
        };
        terms.send(action, global).await
    }
}

impl CreateArgs {
    async fn send(self, action: Action, global: &Global) -> anyhow::Result<()> {
        let Self { title, url, sha256, spend } = self;
        let title = match title {
            Some(title) => ProposalTitle::whole(title)?,
            None if action == Action::Text => bail!("a text needs a title\nname it: --title TEXT"),
            // Cut: it only repeats what the proposal says.
            None => ProposalTitle::new(&action),
        };
        let document = match (url, sha256) {
            (Some(url), Some(sha256)) => Some(Document { url: ProposalUrl::whole(url)?, sha256 }),
            _ => None,
        };
        let call = Call::SubmitProposal(SubmitProposal { title, document, action });
        spend.send(call, global).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_names_and_whole_numbers() {
        let read = |text: &str| text.parse::<Setting>().map(|Setting(one)| (one.name, one.value));
        assert_eq!(read("min_base_fee=400"), Ok(("min_base_fee".into(), 400)));
        assert_eq!(read("subnet.commit_reveal=no"), Ok(("subnet.commit_reveal".into(), 0)));
        assert_eq!(read("min_stake=1_000"), Ok(("min_stake".into(), 1_000)));
        for wrong in ["min_base_fee", "min_base_fee=", "min_base_fee=1.5", "min_base_fee=-1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
