//! A hedged race: experts are asked in the order of their ranking until one starts to answer.
//!
//! As many at once as the strategy says. When one fails, the next takes its place. When the one that was asked last is
//! silent for too long ([`hedge`]), the next is asked as well, and the first to start wins. So a miner that died a
//! moment ago, whose record still stands, costs its askers a fraction of a second and not a timeout.
//!
//! # What a hostile expert can do
//! * *Be silent*: the next one is asked, and its silence counts as a failure when that one wins.
//! * *Refuse at once, again and again*: a race has a bounded number of attempts ([`MAX_EXTRA_ATTEMPTS`]).

use std::collections::VecDeque;

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use nervure_protocol::ExpertRecord;
use tokio::time::{Instant, sleep};

use crate::{
    attempt::{AttemptError, AttemptSpec, StartedAnswer},
    failure, hedge,
};
use nervure_api::{ServiceError, Strategy};

/// Attempts of one race beyond those that run at once from its start.
const MAX_EXTRA_ATTEMPTS: usize = 5;

/// The answer that started first.
pub(crate) struct RaceWinner {
    pub(crate) answer: StartedAnswer,
    /// How many experts were asked.
    pub(crate) tried: usize,
}

/// An expert that was asked, and when.
struct Contestant {
    record: ExpertRecord,
    asked_at: Instant,
}

struct Race {
    spec: AttemptSpec,
    strategy: Strategy,
    /// Not asked yet, best first.
    waiting: VecDeque<ExpertRecord>,
    running: FuturesUnordered<BoxFuture<'static, Result<StartedAnswer, AttemptError>>>,
    /// In the order in which they were asked.
    asked: Vec<Contestant>,
    failures: Vec<AttemptError>,
    /// How many may run at once; grows with each hedge.
    width: usize,
}

/// Asks `candidates` in their order; gives the first answer that starts.
pub(crate) async fn race(
    spec: AttemptSpec,
    candidates: Vec<ExpertRecord>,
    strategy: Strategy,
) -> Result<RaceWinner, ServiceError> {
    let mut race = Race::new(spec, candidates, strategy);
    loop {
        race.fill();
        // Each turn of this loop has asked one more expert or has none left to ask, so the delay may begin
        // again.
        let delay = race.hedge_delay();
        tokio::select! {
            // An answer that is ready wins over a delay that passes at the same moment: a hedge would cost
            // work for nothing.
            biased;
            ended = race.running.next() => match ended {
                Some(Ok(answer)) => return Ok(race.won(answer)),
                Some(Err(failed)) => race.lost(failed),
                None => return Err(failure::summary(race.failures)),
            },
            () = sleep(delay), if !race.waiting.is_empty() => race.hedge(),
        }
    }
}

impl Race {
    fn new(spec: AttemptSpec, candidates: Vec<ExpertRecord>, strategy: Strategy) -> Self {
        let width = strategy.width();
        Self {
            spec,
            strategy,
            // The cap stops a set of experts that refuse at once: without it, one query would ask all of the
            // mesh.
            waiting: candidates.into_iter().take(width + MAX_EXTRA_ATTEMPTS).collect(),
            running: FuturesUnordered::new(),
            asked: Vec::new(),
            failures: Vec::new(),
            width,
        }
    }

    /// Asks as many more as may run at once.
    fn fill(&mut self) {
        while self.running.len() < self.width
            && let Some(record) = self.waiting.pop_front()
        {
            self.asked.push(Contestant { record: record.clone(), asked_at: Instant::now() });
            let spec = self.spec.clone();
            self.running.push(async move { spec.start(record).await }.boxed());
        }
    }

    /// The expert that was asked last is silent: one more may be asked.
    fn hedge(&mut self) {
        self.width += 1;
        self.spec.metrics.hedges.inc();
    }

    /// How long the expert that was asked last may be silent.
    fn hedge_delay(&self) -> std::time::Duration {
        let observation = |contestant: &Contestant| {
            let record = &contestant.record;
            self.spec.environment.catalog.observation(&record.node, &record.expert)
        };
        match self.asked.as_slice() {
            // The percentile holds for the first expert only. Later ones have three times their usual
            // latency, so that a mesh that is slow as a whole does not get a wave of hedges.
            [only] if self.strategy == Strategy::Hedge => hedge::percentile_delay(&observation(only)),
            [.., last] => hedge::stuck_delay(&observation(last)),
            [] => hedge::DEFAULT_HEDGE_DELAY,
        }
    }

    fn lost(&mut self, failed: AttemptError) {
        self.failures.push(failed);
        if failure::is_refused_by_enough(&self.failures) {
            // The others would say the same, and each costs its server a request.
            self.waiting.clear();
        }
    }

    /// Ends the race; the other attempts are dropped, which cancels them.
    fn won(self, answer: StartedAnswer) -> RaceWinner {
        let hedges = self.width - self.strategy.width();
        let overtaken = self.overtaken(&answer.record);
        // Without a hedge no delay has passed: the others only lost, and were not slow.
        if hedges > 0 {
            let mut observations = self.spec.environment.catalog.observations();
            for Contestant { record, asked_at } in &overtaken {
                observations.overtaken(record.node, &record.expert, asked_at.elapsed());
            }
        }
        // With the strategy `hedge`, the first hedge only says that an expert is later than usual: no failure.
        if hedges > usize::from(self.strategy == Strategy::Hedge) {
            overtaken.iter().for_each(|contestant| self.spec.record_failure(&contestant.record));
        }
        RaceWinner { answer, tried: self.asked.len() }
    }

    /// The contestants that had time to start and did not; those that merely lost among them.
    fn overtaken(&self, winner: &ExpertRecord) -> Vec<&Contestant> {
        let is_same = |a: &ExpertRecord, b: &ExpertRecord| (a.node, &a.expert) == (b.node, &b.expert);
        let is_silent = |contestant: &&Contestant| {
            let record = &contestant.record;
            !is_same(record, winner) && !self.failures.iter().any(|failed| is_same(&failed.record, record))
        };
        // The one that was asked last had no time.
        let earlier = self.asked.split_last().map_or(&[][..], |(_, earlier)| earlier);
        earlier.iter().filter(is_silent).collect()
    }
}

#[cfg(test)]
mod tests;
