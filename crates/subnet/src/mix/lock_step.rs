//! Mixing in lock-step: each step takes a distribution of each expert, mixes them, and chooses one byte.
//!
//! # Design
//! A state machine without I/O. The caller passes in what arrives and the time, by a monotonic clock of its own;
//! [`Progress`] says whether the step is done. A step is done when
//! * every remaining expert has sent a distribution, or
//! * `k_min` have, and so has every other expert that is usually in time, or
//! * `k_min` have, and `grace` has passed since, or
//! * at least one has, and `deadline` has passed since the step began.
//!
//! The caller then chooses a byte, reports it with [`LockStep::choose`], and sends it to *every* remaining expert,
//! including stragglers: an expert that missed one step can take part in the next. Steps do not wait for one that
//! missed
//! [`MAX_MISSED_STEPS`] in a row until it is in time again; [`LockStep::missed`] tells the caller when to drop it.
//!
//! # What a hostile expert can do
//! * *Stall*: [`MAX_MISSED_STEPS`] steps wait for it, `grace` each, and are mixed without it.
//! * *Send a distribution for a later byte*, or an invalid one: it is dropped from the mixture.
//! * *Send twice, or late*: the first distribution of a step counts, later ones are ignored.

use std::{num::NonZeroUsize, time::Duration};

use super::{ByteDistribution, FixedShare, mixture};

/// Steps in a row that an expert may miss before steps stop waiting for it.
pub const MAX_MISSED_STEPS: u32 = 4;

/// How long a step waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockStepRules {
    /// Number of experts that a step needs; 2 by default. With more, the mixture is better and stragglers matter more.
    pub k_min: NonZeroUsize,
    /// How long a step waits for the other experts after `k_min` have answered; 20 ms by default. It adds up to this
    /// much to every step.
    pub grace: Duration,
    /// How long a step may take; 2 s by default. Then it is mixed from the distributions that have arrived; the answer
    /// fails when there is none.
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

/// The result of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepResult {
    /// The number of the step, from 0.
    pub step: u64,
    /// The mixture.
    pub distribution: ByteDistribution,
    /// The number of experts that took part.
    pub experts: usize,
}

/// The state of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Not done; call [`LockStep::tick`] at `until` at the latest.
    Waiting {
        /// The time at which the step may end without further distributions.
        until: Duration,
    },
    /// Done: choose a byte.
    Mixed(StepResult),
    /// Failed: no expert is left, or none sent a distribution in time.
    Failed,
}

/// The state of one expert in the current step.
#[derive(Clone, Debug)]
enum Member {
    /// It has not sent a distribution, nor in this many steps before.
    Silent(u32),
    /// It has sent a distribution.
    Spoke(ByteDistribution),
    /// It is dropped from the mixture.
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
    /// Starts the first step at `now`, with one expert per weight.
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

    /// Handles an expert's distribution for `step`.
    pub fn receive(&mut self, expert: usize, step: u64, claimed: &[f32], now: Duration) -> Progress {
        let current = self.step;
        if let Some(member) = self.members.get_mut(expert)
            && let Member::Silent(missed) = *member
        {
            *member = match ByteDistribution::read(claimed) {
                Some(distribution) if step == current => Member::Spoke(distribution),
                // Late: it does not count for this step, and `missed` stays as it is, since the expert has
                // not caught up.
                Some(_) if step < current => Member::Silent(missed),
                // Invalid, or of a step that has no context yet: an honest expert sends neither.
                _ => Member::Out,
            };
        }
        self.tick(now)
    }

    /// Drops an expert: its stream failed, or it is too far behind.
    pub fn lost(&mut self, expert: usize, now: Duration) -> Progress {
        if let Some(member) = self.members.get_mut(expert) {
            *member = Member::Out;
        }
        self.tick(now)
    }

    /// The number of steps in a row that an expert has missed; 0 when it is dropped.
    pub fn missed(&self, expert: usize) -> u32 {
        match self.members.get(expert) {
            Some(Member::Silent(missed)) => *missed,
            _ => 0,
        }
    }

    /// Advances the time.
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
        // The grace never extends the deadline.
        let until = self.enough.map_or(end, |since| since.saturating_add(self.rules.grace).min(end));
        let all = silent == 0 || (awaited == 0 && self.enough.is_some());
        match all || now >= until {
            true => self.mixed(spoke),
            false => Progress::Waiting { until },
        }
    }

    /// Reports the byte that the caller chose, from the mixture or from a prompt, and starts the next step.
    pub fn choose(&mut self, byte: u8, now: Duration) {
        let given = |member: &Member| match member {
            Member::Spoke(distribution) => Some(distribution.of(byte)),
            Member::Silent(_) | Member::Out => None,
        };
        self.weights.update(&self.members.iter().map(given).collect::<Vec<_>>());
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
            Some(distribution) => Progress::Mixed(StepResult { step: self.step, distribution, experts }),
            None => Progress::Failed,
        }
    }
}

#[cfg(test)]
mod tests;
