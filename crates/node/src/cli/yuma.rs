//! `nervure yuma`: Yuma consensus on a file, without a mesh or a chain.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::Context;
use nervure_consensus::yuma::{
    Explanation,
    case::{Case, TableRow},
};
use nervure_primitives::Amount;

use super::{Global, output};

/// Largest case that is read: 4,096 uids with dense weights of 64 validators have about 4 MB.
const MAX_CASE_BYTES: u64 = 64 << 20;

/// Runs Yuma consensus on a case in a JSON file; `-` reads standard input
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A case names stakes and weights, and steps that change them and run an epoch each; docs/yuma.md has every field
and an example. Without a flag, prints {\"steps\": [...]}: the exact results of each epoch.

Examples:
  nervure yuma case.json | jq '.steps[-1].incentive_u16'
  nervure yuma case.json --table
  nervure yuma case.json --explain 3")]
pub(crate) struct YumaArgs {
    /// File with the case; `-` is standard input
    file: PathBuf,
    /// Print the last epoch as a metagraph table
    #[arg(long, conflicts_with = "explain")]
    table: bool,
    /// Explain this uid's incentive in the last epoch
    #[arg(long, value_name = "UID")]
    explain: Option<u16>,
}

impl YumaArgs {
    /// Runs the command.
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        let text = read(&self.file)?;
        let place = || format!("in the case {}", self.file.display());
        let case = Case::parse(&text).with_context(place)?;
        match (self.table, self.explain) {
            (true, _) => {
                let rows = case.table().with_context(place)?;
                if global.json { output::json(&rows) } else { table(&rows) }
            }
            (_, Some(uid)) => {
                let explanation = case.explain(uid).with_context(place)?;
                if global.json { output::json(&explanation) } else { explain(&explanation) }
            }
            _ => output::json(&case.run().with_context(place)?),
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    let source: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(path).with_context(|| format!("cannot open the case {}", path.display()))?),
    };
    let mut text = String::new();
    let read = source.take(MAX_CASE_BYTES + 1).read_to_string(&mut text);
    read.with_context(|| format!("cannot read the case {}", path.display()))?;
    anyhow::ensure!(
        text.len() as u64 <= MAX_CASE_BYTES,
        "{} is larger than {MAX_CASE_BYTES} bytes",
        path.display()
    );
    Ok(text)
}

/// A share in parts of 65,535, with five decimal places.
fn share(of_u16: u16) -> String {
    format!("{:.5}", f64::from(of_u16) / f64::from(u16::MAX))
}

fn amount(units: u64) -> String {
    Amount::from_base_units(units).to_string()
}

fn table(rows: &[TableRow]) -> anyhow::Result<()> {
    let cells = |row: &TableRow| {
        [
            row.uid.to_string(),
            amount(row.stake),
            if row.new_permit { "yes" } else { "" }.into(),
            share(row.consensus),
            share(row.incentive),
            share(row.dividends),
            share(row.validator_trust),
            amount(row.server_emission),
            amount(row.validator_emission),
            amount(row.emission),
        ]
    };
    let header = [
        "uid",
        "stake",
        "permit",
        "consensus",
        "incentive",
        "dividends",
        "v-trust",
        "as miner",
        "as validator",
        "emission",
    ];
    output::table(&header, rows.iter().map(cells))
}

fn explain(explanation: &Explanation) -> anyhow::Result<()> {
    let rows = explanation.validators.iter().map(|opinion| {
        [
            opinion.validator.to_string(),
            opinion.active_stake.to_string(),
            opinion.weight.to_string(),
            opinion.clipped.to_string(),
            if opinion.was_clipped { "cut to the consensus" } else { "" }.into(),
            opinion.contribution.to_string(),
        ]
    });
    output::table(&["validator", "voting stake", "weight", "counts as", "", "contributes"], rows)?;
    let Explanation { uid, consensus, rank, rank_sum, trust, incentive, server_emission, .. } = explanation;
    output::line(&format!(
        "consensus  {consensus}   the largest weight that the majority of stake gives uid {uid}"
    ))?;
    output::line(&format!("rank       {rank}   the sum of the contributions"))?;
    output::line(&format!("trust      {trust}   how much of the weights for it the consensus left"))?;
    output::line(&format!("incentive  {incentive}   its rank of all ranks, {rank_sum}"))?;
    output::line(&format!("emission   {} tokens as a miner", amount(*server_emission)))
}
