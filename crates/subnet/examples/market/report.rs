//! The result of a simulation, as text.

use std::fmt;

use serde::Serialize;

use crate::{
    detection::{NOTICE_TIMEOUT, Times},
    pay::Pay,
    questions::{Tallies, Tally},
    simulation::Plan,
};

/// The result of the simulation.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) plan: Plan,
    pub(crate) tallies: Tallies,
    /// The part of miners that are hostile, at the end.
    pub(crate) hostile: f64,
    pub(crate) pay: Pay,
    /// The rank correlation between incentive and the quality that users got.
    pub(crate) agreement: f64,
    /// Epochs until a newcomer of the best tenth was taken for one, three times in a row: how many were, median, 95th
    /// percentile.
    pub(crate) newcomers: Times,
    /// The same of newcomers of the best twentieth, which no noise takes out of the best tenth.
    pub(crate) excellent: Times,
    /// Epochs until a miner of the best tenth that broke was not taken for one any more.
    pub(crate) broken: Times,
}

impl Report {
    /// How much less an answer was worth than the best one.
    pub(crate) fn regret(&self, of: &Tally) -> f64 {
        self.tallies.oracle.mean() - of.mean()
    }

    /// One row of the table of defences.
    pub(crate) fn row(&self) -> String {
        let balanced = &self.tallies.balanced;
        format!(
            "{:>7.2} % {:>7.2} % {:>8.3} {:>9.1} % {:>8.1} % {:>9.3} {:>9.3} {:>9.3}",
            100.0 * balanced.share(balanced.bad),
            100.0 * balanced.share(balanced.to_hostile),
            self.regret(balanced),
            100.0 * self.pay.to_liars(),
            100.0 * self.pay.to_hostile(),
            self.agreement,
            self.pay.of_weight_copier(),
            self.pay.of_score_reader(),
        )
    }

    pub(crate) const COLUMNS: &str =
        "      bad  to hostile  regret   to liars  to hostile  agreement  w. copier  s. reader";
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { miners, validators, epochs, seed, .. } = self.plan;
        writeln!(f, "{miners} miners, {validators} validators, {epochs} epochs, seed {seed}")?;
        writeln!(
            f,
            "{:<25}{:>7}{:>8}{:>9}{:>12}{:>10}",
            "chosen by", "worth", "regret", "bad", "to hostile", "to broken"
        )?;
        let all = &self.tallies;
        let rows = [
            ("the best at the moment", &all.oracle),
            ("gate, policy balanced", &all.balanced),
            ("gate, policy trusted", &all.trusted),
            ("gate without validators", &all.alone),
            ("lot", &all.lot),
        ];
        for (name, tally) in rows {
            let percent = |what| format!("{:.2} %", 100.0 * tally.share(what));
            let [bad, hostile, broken] = [tally.bad, tally.to_hostile, tally.to_broken].map(percent);
            let (worth, regret) = (tally.mean(), self.regret(tally));
            writeln!(f, "{name:<25}{worth:>7.3}{regret:>8.3}{bad:>9}{hostile:>12}{broken:>10}")?;
        }
        let explored = 100.0 * all.balanced.share(all.balanced.explored);
        writeln!(f, "given to newcomers by balanced  {explored:.2} %")?;
        writeln!(f, "hostile among the miners        {:.1} %", 100.0 * self.hostile)?;
        writeln!(f, "of miners' pay to liars         {:.3} %", 100.0 * self.pay.to_liars())?;
        writeln!(f, "incentive and users' quality    {:.3} (rank correlation)", self.agreement)?;
        let times = [
            ("a good newcomer is known", self.newcomers),
            ("an excellent one is known", self.excellent),
            ("a good one that broke is left", self.broken),
        ];
        for (what, Times { noticed, waiting, overdue, p50, p95 }) in times {
            write!(f, "{what:<31} after {p50} epochs, p95 {p95} ({noticed} of them, {waiting} not yet, ")?;
            writeln!(f, "{overdue} of these after more than {NOTICE_TIMEOUT})")?;
        }
        if self.plan.attackers {
            writeln!(f, "a slot's mean pay, of an honest miner's:")?;
            for kind in self.pay.kinds.keys() {
                writeln!(f, "  {kind:<29} {:.3}", self.pay.of(kind))?;
            }
            writeln!(f, "  {:<29} {:.3}", "miners that are copied", self.pay.of_copied())?;
            writeln!(f, "  {:<29} {:.3}", "those that long are", self.pay.of_long_copied())?;
            writeln!(
                f,
                "a validator that copies weights {:.3} of an honest one",
                self.pay.of_weight_copier()
            )?;
            writeln!(f, "one that reads live scores      {:.3}", self.pay.of_score_reader())?;
        }
        Ok(())
    }
}
