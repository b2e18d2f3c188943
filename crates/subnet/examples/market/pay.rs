//! Who is paid how much.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    miners::{Kind, Miner},
    validators::{Role, Validator},
};

/// Epochs after which the averages and the weights of all validators know a copy: some four for twenty tasks, two until
/// weights count, and a few for bonds.
const SETTLED: u64 = 12;

/// Base units for epochs of one kind of miner.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Earned {
    pub(crate) paid: u64,
    pub(crate) epochs: u64,
}

impl Earned {
    fn add(&mut self, paid: u64) {
        self.paid += paid;
        self.epochs += 1;
    }

    fn mean(self) -> f64 {
        self.paid as f64 / self.epochs.max(1) as f64
    }
}

/// The pay of all kinds.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Pay {
    /// By name of the kind of miner.
    pub(crate) kinds: BTreeMap<&'static str, Earned>,
    /// Of miners that another one copies.
    copied: Earned,
    /// Of miners that another one has copied for [`SETTLED`] epochs.
    long_copied: Earned,
    honest_validators: Earned,
    weight_copiers: Earned,
    score_readers: Earned,
}

impl Pay {
    pub(crate) fn miners(&mut self, miners: &[Miner], paid: &[u64], epoch: u64) {
        for (slot, (miner, paid)) in miners.iter().zip(paid).enumerate() {
            self.kinds.entry(name(miner.kind)).or_default().add(*paid);
            let mut copies = miners.iter().filter(|other| other.kind.victim() == Some(slot)).peekable();
            if copies.peek().is_some() {
                self.copied.add(*paid);
            }
            if copies.any(|copy| epoch.saturating_sub(copy.since) >= SETTLED) {
                self.long_copied.add(*paid);
            }
        }
    }

    pub(crate) fn validators(&mut self, validators: &[Validator], paid: &[u64]) {
        for (validator, paid) in validators.iter().zip(paid) {
            match validator.role {
                Role::Honest => self.honest_validators.add(*paid),
                Role::CopiesWeights => self.weight_copiers.add(*paid),
                Role::ReadsScores => self.score_readers.add(*paid),
                Role::Praises => {}
            }
        }
    }

    /// The part of miners' pay that hostile ones got. Copiers and relayers give users good answers, and are hostile all the
    /// same.
    pub(crate) fn to_hostile(&self) -> f64 {
        let sum = |honest: bool| {
            let kinds = self.kinds.iter().filter(|(kind, _)| (**kind == name(Kind::Honest)) == honest);
            kinds.map(|(_, earned)| earned.paid as f64).sum::<f64>()
        };
        sum(false) / (sum(false) + sum(true)).max(1.0)
    }

    /// The part that went to miners with useless answers for users.
    pub(crate) fn to_liars(&self) -> f64 {
        let useless = ["liars", "sybils", "detectors", "second experts", "oracles"];
        let paid = |kind: &str| self.kinds.get(kind).map_or(0.0, |earned| earned.paid as f64);
        let all: f64 = self.kinds.values().map(|earned| earned.paid as f64).sum();
        useless.into_iter().map(paid).sum::<f64>() / all.max(1.0)
    }

    /// The mean pay of a kind's slot, as a part of an honest one's.
    pub(crate) fn of(&self, kind: &str) -> f64 {
        let mean = |kind: &str| self.kinds.get(kind).copied().unwrap_or_default().mean();
        mean(kind) / mean(name(Kind::Honest)).max(1.0)
    }

    /// The mean pay of a slot that another one copies, as a part of an honest one's.
    pub(crate) fn of_copied(&self) -> f64 {
        self.copied.mean() / self.kinds.get(name(Kind::Honest)).copied().unwrap_or_default().mean().max(1.0)
    }

    /// The same, of slots that another one has copied for long.
    pub(crate) fn of_long_copied(&self) -> f64 {
        let honest = self.kinds.get(name(Kind::Honest)).copied().unwrap_or_default();
        self.long_copied.mean() / honest.mean().max(1.0)
    }

    /// What a validator that copies weights earns, of an honest one; 0 without one.
    pub(crate) fn of_weight_copier(&self) -> f64 {
        self.weight_copiers.mean() / self.honest_validators.mean().max(1.0)
    }

    /// What a validator that copies weights and corrects them by live scores earns, of an honest one; 0 without one.
    pub(crate) fn of_score_reader(&self) -> f64 {
        self.score_readers.mean() / self.honest_validators.mean().max(1.0)
    }
}

pub(crate) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Honest => "honest miners",
        Kind::Liar => "liars",
        Kind::SecondExpert => "second experts",
        Kind::Detector => "detectors",
        Kind::Copier(_) => "copiers",
        Kind::Relayer(_) => "relayers",
        Kind::Oracle => "oracles",
        Kind::Sybil => "sybils",
    }
}
