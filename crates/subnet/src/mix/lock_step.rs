//! Mixing in lock-step: at every byte a distribution from each expert, one mixture, one byte, and on.
//!
//! # Design
//! A state machine without I/O. The caller passes in what arrives and the time, by a monotonic clock of its own;
//! [`Progress`] says whether the step is done. A step is done when
//! * every expert that is left has spoken, or
//! * `k_min` have, and so has every other one that is usually in time, or
//! * `k_min` have, and `grace` has passed since, or
//! * anybody has, and `deadline` has passed since the step began.
//!
//! The caller then chooses a byte, tells it with [`LockStep::chose`], and sends it to *every* expert that is left,
//! stragglers too: an expert that missed one step speaks again at the next. One that missed [`MAX_MISSED_STEPS`] in a row is
//! not waited for until it is in time again; [`LockStep::missed`] tells the caller when to give it up.
//!
//! # What a hostile expert can do
//! * *Stall*: [`MAX_MISSED_STEPS`] steps wait for it, `grace` each, and it has no say in them.
//! * *Speak of a byte that has not been chosen yet*, or say what is no distribution: it is out.
//! * *Speak twice, or late*: the first word of a step counts, and none after it.

use std::{num::NonZeroUsize, time::Duration};

use super::{ByteDistribution, FixedShare, mixture};

/// Steps in a row that an expert may miss before steps stop waiting for it.
pub const MAX_MISSED_STEPS: u32 = 4;

/// How long a step waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockStepRules {
    /// Experts that are enough; 2 by default. More make a mixture better and stragglers matter more.
    pub k_min: NonZeroUsize,
    /// How long the others are waited for when there are enough; 20 ms by default. Every step can take this much
    /// longer than its `k_min`-th expert.
    pub grace: Duration,
    /// How long a step may take; 2 s by default. Then whoever has spoken must do, and the answer fails when nobody
    /// has.
    pub deadline: Duration,
}

impl Default for LockStepRules {
    fn default() -> Self {
        Self {
            k_min: NonZeroUsize::MIN.saturating_add(1),
            grace: Duration::from_millis(20),
            deadline: Duration::from_secs(2),
        }
    }
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixed {
    /// Which step, counted from 0.
    pub step: u64,
    /// The mixture.
    pub distribution: ByteDistribution,
    /// How many experts had a say.
    pub experts: usize,
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Not done; ask again at `until` at the latest, with [`LockStep::tick`].
    Waiting {
        /// When waiting changes something.
        until: Duration,
    },
    /// Done: choose a byte.
    Mixed(Mixed),
    /// It will never be: nobody is left, or nobody spoke in time.
    Failed,
}

/// What one expert did in the current step.
#[derive(Clone, Debug)]
enum Member {
    /// It has not spoken, nor in so many steps before.
    Silent(u32),
    /// It has.
    Spoke(ByteDistribution),
    /// It is out for good.
    Out,
}

/// A mixture of experts in lock-step.
#[derive(Clone, Debug)]
pub struct LockStep {
    rules: LockStepRules,
    weights: FixedShare,
    members: Vec<Member>,
    step: u64,
    began: Duration,
    enough: Option<Duration>,
}

impl LockStep {
    /// The first step begins `now`, of as many experts as `weights` has.
    pub fn new(rules: LockStepRules, weights: FixedShare, now: Duration) -> Self {
        let members = vec![Member::Silent(0); weights.weights().len()];
        Self { rules, weights, members, step: 0, began: now, enough: None }
    }

    /// The weights now, by expert.
    pub fn weights(&self) -> &[f64] {
        self.weights.weights()
    }

    /// The current step, counted from 0: the number of bytes chosen.
    pub const fn step(&self) -> u64 {
        self.step
    }

    /// An expert spoke about `step`.
    pub fn spoke(&mut self, expert: usize, step: u64, claimed: &[f32], now: Duration) -> Progress {
        let current = self.step;
        if let Some(member) = self.members.get_mut(expert)
            && let Member::Silent(missed) = *member
        {
            *member = match ByteDistribution::read(claimed) {
                Some(distribution) if step == current => Member::Spoke(distribution),
                Some(_) if step < current => Member::Silent(missed),
                _ => Member::Out,
            };
        }
        self.tick(now)
    }

    /// An expert is gone: its stream failed, or it is too far behind.
    pub fn lost(&mut self, expert: usize, now: Duration) -> Progress {
        if let Some(member) = self.members.get_mut(expert) {
            *member = Member::Out;
        }
        self.tick(now)
    }

    /// How many steps in a row an expert has missed; 0 when it is out.
    pub fn missed(&self, expert: usize) -> u32 {
        match self.members.get(expert) {
            Some(Member::Silent(missed)) => *missed,
            _ => 0,
        }
    }

    /// Time went by.
    pub fn tick(&mut self, now: Duration) -> Progress {
        let count = |wanted: fn(&Member) -> bool| self.members.iter().filter(|member| wanted(member)).count();
        let spoke = count(|member| matches!(member, Member::Spoke(_)));
        let silent = count(|member| matches!(member, Member::Silent(_)));
        let awaited = count(|member| matches!(member, Member::Silent(missed) if *missed < MAX_MISSED_STEPS));
        let end = self.began.saturating_add(self.rules.deadline);
        if spoke + silent == 0 || (spoke == 0 && now >= end) {
            return Progress::Failed;
        }
        if self.enough.is_none() && spoke >= self.rules.k_min.get() {
            self.enough = Some(now);
        }
        let until = self.enough.map_or(end, |since| since.saturating_add(self.rules.grace).min(end));
        let all = silent == 0 || (awaited == 0 && self.enough.is_some());
        match all || now >= until {
            true => self.mixed(spoke),
            false => Progress::Waiting { until },
        }
    }

    /// The caller chose `byte`, from the mixture or because it is given. The next step begins.
    pub fn chose(&mut self, byte: u8, now: Duration) {
        let given = |member: &Member| match member {
            Member::Spoke(distribution) => Some(distribution.of(byte)),
            Member::Silent(_) | Member::Out => None,
        };
        self.weights.saw(&self.members.iter().map(given).collect::<Vec<_>>());
        for member in &mut self.members {
            match member {
                Member::Spoke(_) => *member = Member::Silent(0),
                Member::Silent(missed) => *missed = missed.saturating_add(1),
                Member::Out => {}
            }
        }
        (self.step, self.began, self.enough) = (self.step.saturating_add(1), now, None);
    }

    fn mixed(&self, experts: usize) -> Progress {
        let said =
            self.members.iter().zip(self.weights.weights()).filter_map(|(member, weight)| match member {
                Member::Spoke(distribution) => Some((distribution, *weight)),
                Member::Silent(_) | Member::Out => None,
            });
        match mixture(said) {
            Some(distribution) => Progress::Mixed(Mixed { step: self.step, distribution, experts }),
            None => Progress::Failed,
        }
    }
}

#[cfg(test)]
mod tests;
