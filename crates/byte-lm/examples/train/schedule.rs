//! The learning rate over a run: warm up, hold, cosine to zero.

use std::time::{Duration, Instant};

/// Steps over which the rate rises from zero to its peak.
const WARM_UP_STEPS: usize = 60;
/// Held steps per decay step.
const HELD_STEPS_PER_DECAY_STEP: usize = 4;

/// When the held phase ends.
pub(crate) enum RunLength {
    /// After this number of held steps, followed by this number of decay steps.
    Steps(usize, usize),
    /// When the decay just fits into the rest of this time at the pace so far.
    Clock(Duration),
}

pub(crate) struct Schedule {
    length: RunLength,
    decay: bool,
    started: Instant,
    phases: Option<(usize, usize)>,
}

impl Schedule {
    pub(crate) fn new(length: RunLength, decay: bool) -> Self {
        let phases = match length {
            RunLength::Steps(held, decay) => Some((held, decay)),
            RunLength::Clock(_) => None,
        };
        Self { length, decay, started: Instant::now(), phases }
    }

    /// Share of the peak rate at `step`; `None` when the run is over.
    pub(crate) fn rate(&mut self, step: usize) -> Option<f64> {
        if self.phases.is_none() {
            self.phases = self.decide(step);
        }
        let Some((held, decay)) = self.phases else { return Some(warm(step)) };
        if step < held {
            return Some(warm(step));
        }
        let done = (step - held) as f64 / decay.max(1) as f64;
        (step < held + decay).then(|| 0.5 * (1.0 + (std::f64::consts::PI * done).cos()))
    }

    fn decide(&self, step: usize) -> Option<(usize, usize)> {
        let RunLength::Clock(limit) = self.length else { return None };
        let decay = if self.decay { step / HELD_STEPS_PER_DECAY_STEP } else { 0 };
        let pace = self.started.elapsed().as_secs_f64() / step.max(1) as f64;
        let end = self.started.elapsed().as_secs_f64() + pace * decay as f64;
        (end >= limit.as_secs_f64()).then_some((step, decay))
    }

    /// The flag that repeats this run exactly.
    pub(crate) fn steps(&self) -> String {
        self.phases.map_or_else(String::new, |(held, decay)| format!("--steps {held},{decay}"))
    }
}

fn warm(step: usize) -> f64 {
    ((step + 1) as f64 / WARM_UP_STEPS as f64).min(1.0)
}
