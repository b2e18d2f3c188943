//! The learning rate over a run: warm up, hold, cosine to zero.

use std::time::{Duration, Instant};

const WARM_UP: usize = 60;
/// One decay step for so many held ones.
const HELD_PER_DECAY: usize = 4;

/// When the held phase ends.
pub(crate) enum Length {
    /// After so many held steps; then so many of decay.
    Steps(usize, usize),
    /// When the decay would just fit into what is left of this time at the pace so far.
    Clock(Duration),
}

pub(crate) struct Schedule {
    length: Length,
    decay: bool,
    started: Instant,
    decided: Option<(usize, usize)>,
}

impl Schedule {
    pub(crate) fn new(length: Length, decay: bool) -> Self {
        let decided = match length {
            Length::Steps(held, decay) => Some((held, decay)),
            Length::Clock(_) => None,
        };
        Self { length, decay, started: Instant::now(), decided }
    }

    /// Share of the peak rate at `step`; `None` when the run is over.
    pub(crate) fn rate(&mut self, step: usize) -> Option<f64> {
        if self.decided.is_none() {
            self.decided = self.decide(step);
        }
        let Some((held, decay)) = self.decided else { return Some(warm(step)) };
        if step < held {
            return Some(warm(step));
        }
        let done = (step - held) as f64 / decay.max(1) as f64;
        (step < held + decay).then(|| 0.5 * (1.0 + (std::f64::consts::PI * done).cos()))
    }

    fn decide(&self, step: usize) -> Option<(usize, usize)> {
        let Length::Clock(limit) = self.length else { return None };
        let decay = if self.decay { step / HELD_PER_DECAY } else { 0 };
        let pace = self.started.elapsed().as_secs_f64() / step.max(1) as f64;
        let end = self.started.elapsed().as_secs_f64() + pace * decay as f64;
        (end >= limit.as_secs_f64()).then_some((step, decay))
    }

    /// The flag that repeats this run.
    pub(crate) fn steps(&self) -> String {
        self.decided.map_or_else(String::new, |(held, decay)| format!("--steps {held},{decay}"))
    }
}

fn warm(step: usize) -> f64 {
    ((step + 1) as f64 / WARM_UP as f64).min(1.0)
}
