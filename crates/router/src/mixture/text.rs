//! A text that several experts write: one step per byte.

use std::{collections::VecDeque, num::NonZeroUsize, time::Duration};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use nervure_api::{ParticipantView, ServiceError};
use nervure_protocol::{ExpertEvent, ExpertRecord, Sampling, Usage};
use nervure_subnet::mix::{ByteDistribution, FixedShare, LockStep, LockStepRules, Progress, StepResult};
use tokio::time::{Instant, sleep_until};

use super::{
    MAX_MISSED_STEPS, STEP_TIMEOUT, STRAGGLER_TIMEOUT,
    member::{Member, distribution},
    window::Window,
};
use crate::{
    Composer,
    attempt::{AttemptError, AttemptFailure, AttemptSpec, protocol_failure},
    failure,
    group::TrustedExpert,
};

/// A text to be written.
pub(super) struct MixturePlan {
    pub(super) prompt: String,
    pub(super) sampling: Sampling,
    /// Best first.
    pub(super) candidates: Vec<TrustedExpert>,
    /// How many experts write together.
    pub(super) size: usize,
}

/// What one expert answered to one step.
struct StepReply {
    member: usize,
    step: u64,
    result: Result<Vec<f32>, AttemptFailure>,
}

/// A text in progress.
pub(super) struct MixedText {
    spec: AttemptSpec,
    members: Vec<Member>,
    /// Replace members that fail before the first byte.
    waiting: VecDeque<ExpertRecord>,
    lock: LockStep,
    running: FuturesUnordered<BoxFuture<'static, StepReply>>,
    started: Instant,
    window: Window,
    composer: Box<dyn Composer>,
    prompt_tokens: u32,
    /// Failures before the first byte.
    failures: Vec<AttemptError>,
    first: Option<StepResult>,
    done: Option<ExpertEvent>,
    /// How many experts were asked.
    pub(super) tried: usize,
}

impl MixedText {
    /// Asks the first experts, and returns when the first byte can be chosen.
    pub(super) async fn start(spec: AttemptSpec, plan: MixturePlan) -> Result<Self, ServiceError> {
        let mut text = Self::new(spec, plan)?;
        let first = text.step().await;
        // A step takes much less than a usual query: it must not count as the expert's usual latency.
        text.spec.records_latency = false;
        match first {
            Ok(first) => Ok(Self { first: Some(first), ..text }),
            Err(_) => Err(text.start_error()),
        }
    }

    fn new(spec: AttemptSpec, plan: MixturePlan) -> Result<Self, ServiceError> {
        let trust: Vec<f64> = plan.candidates.iter().map(|(_, trust)| f64::from(trust.parts())).collect();
        let mut waiting: VecDeque<ExpertRecord> =
            plan.candidates.into_iter().map(|(record, _)| record).collect();
        let members: Vec<Member> = waiting.drain(..plan.size.min(waiting.len())).map(Member::new).collect();
        // Rounded up: fewer than half of the experts must never decide a byte while the others are in time.
        let half = NonZeroUsize::new(members.len().div_ceil(2)).unwrap_or(NonZeroUsize::MIN);
        let rules = LockStepRules { k_min: half, grace: STRAGGLER_TIMEOUT, deadline: STEP_TIMEOUT };
        let weights = FixedShare::new(&trust[..members.len()])
            .ok_or_else(|| ServiceError::Internal { reason: "a mixture of no experts".into() })?;
        Ok(Self {
            tried: members.len(),
            members,
            waiting,
            lock: LockStep::new(rules, weights, Duration::ZERO),
            running: FuturesUnordered::new(),
            started: Instant::now(),
            window: Window::new(&plan.prompt),
            composer: (spec.environment.composer)(&plan.sampling),
            // Tokens of a byte-level model are bytes.
            prompt_tokens: u32::try_from(plan.prompt.len()).unwrap_or(u32::MAX),
            failures: Vec::new(),
            first: None,
            done: None,
            spec,
        })
    }

    /// The next event; [`ExpertEvent::Done`] is the last. The error says in words why there is none.
    pub(super) async fn next(&mut self) -> Result<ExpertEvent, String> {
        loop {
            if let Some(done) = self.done.take() {
                return Ok(done);
            }
            let mixed = match self.first.take() {
                Some(first) => first,
                None => self.step().await?,
            };
            let byte = self.composer.choose(&logarithms(&mixed.distribution));
            self.add(byte);
            let piece = self.composer.push(byte);
            if let Some(reason) = piece.end {
                let usage =
                    Usage { prompt_tokens: self.prompt_tokens, completion_tokens: self.composer.written() };
                self.done = Some(ExpertEvent::Done { usage, reason });
            }
            if !piece.text.is_empty() {
                return Ok(ExpertEvent::Text(piece.text));
            }
        }
    }

    /// The experts with their weights now, the largest weight first.
    pub(super) fn participants(&self) -> Vec<ParticipantView> {
        let has_started = self.lock.step() > 0;
        let weighted = self.members.iter().zip(self.lock.weights());
        let mut views: Vec<_> = weighted.map(|(member, weight)| member.view(*weight, has_started)).collect();
        views.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        views
    }

    /// The expert with the largest weight.
    pub(super) fn heaviest(&self) -> Option<ExpertRecord> {
        let heaviest = self.members.iter().zip(self.lock.weights()).rev().max_by(|a, b| a.1.total_cmp(b.1));
        heaviest.map(|(member, _)| member.record.clone())
    }

    /// The time since the start, as [`LockStep`] counts it.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits until the current step is done.
    async fn step(&mut self) -> Result<StepResult, String> {
        // Members that still work on an earlier step are left out here: one query at a time is with each
        // expert.
        (0..self.members.len()).for_each(|at| self.ask(at));
        let mut progress = self.lock.tick(self.now());
        loop {
            let until = match progress {
                Progress::Mixed(mixed) => return Ok(mixed),
                Progress::Failed => return Err(self.step_error()),
                Progress::Waiting { until } => self.started + until,
            };
            progress = tokio::select! {
                biased;
                Some(reply) = self.running.next() => self.receive(reply),
                () = sleep_until(until) => self.lock.tick(self.now()),
            };
        }
    }

    /// Puts the current step to a member, unless it works on an earlier one.
    fn ask(&mut self, at: usize) {
        let Some(member) = self.members.get_mut(at) else { return };
        if member.is_asked || !member.is_active() {
            return;
        }
        member.is_asked = true;
        let (spec, record, step) = (self.spec.clone(), member.record.clone(), self.lock.step());
        let context = self.window.bytes().to_vec();
        let reply =
            async move { StepReply { member: at, step, result: distribution(spec, record, context).await } };
        self.running.push(reply.boxed());
    }

    fn receive(&mut self, StepReply { member: at, step, result }: StepReply) -> Progress {
        let (now, current) = (self.now(), self.lock.step());
        let Some(member) = self.members.get_mut(at) else { return self.lock.tick(now) };
        member.is_asked = false;
        // A member that was dropped while its query ran: the reply is neither an answer nor a failure.
        if !member.is_active() {
            return self.lock.tick(now);
        }
        match result {
            Ok(claimed) if ByteDistribution::read(&claimed).is_none() => {
                self.spec.record_failure(&member.record);
                self.drop_member(at, "it sent an invalid distribution".into())
            }
            Ok(claimed) => {
                // A late reply does not count as taking part, or a slow expert would never miss a step.
                member.is_ready = step == current;
                let progress = self.lock.receive(at, step, &claimed, now);
                if step < current {
                    self.ask(at);
                }
                progress
            }
            Err(failure) => self.replace(at, failure),
        }
    }

    /// A member failed: before the first byte the next expert takes its place, later it is dropped.
    fn replace(&mut self, at: usize, failure: AttemptFailure) -> Progress {
        let is_first_step = self.lock.step() == 0;
        let member = &mut self.members[at];
        tracing::debug!(node = %member.record.node, reason = %failure.reason, "an expert of a mixture failed");
        if is_first_step {
            self.failures.push(AttemptError { record: member.record.clone(), failure: failure.clone() });
        }
        // Only before the first byte: later the weights have learned from the text, and a new expert has no
        // part in them.
        match self.waiting.pop_front().filter(|_| is_first_step) {
            Some(next) => {
                member.record = next;
                self.tried += 1;
                self.ask(at);
                self.lock.tick(self.now())
            }
            None => self.drop_member(at, failure.reason),
        }
    }

    fn drop_member(&mut self, at: usize, why: String) -> Progress {
        if let Some(member) = self.members.get_mut(at) {
            member.dropped = Some(why);
        }
        self.lock.lost(at, self.now())
    }

    /// The current step's byte is `byte`.
    fn add(&mut self, byte: u8) {
        self.lock.choose(byte, self.now());
        self.window.push(byte);
        for member in self.members.iter_mut().filter(|member| member.is_active()) {
            match std::mem::take(&mut member.is_ready) {
                true => member.bytes += 1,
                false => member.missed += 1,
            }
        }
        let is_slow = |member: &Member| member.is_active() && member.missed > MAX_MISSED_STEPS;
        let slow: Vec<usize> = (0..self.members.len()).filter(|at| is_slow(&self.members[*at])).collect();
        for at in slow {
            self.spec.record_failure(&self.members[at].record);
            self.drop_member(at, "it was too slow".into());
        }
    }

    /// Why there is not even a first byte.
    fn start_error(mut self) -> ServiceError {
        let silent = self.members.into_iter().filter(Member::is_active);
        self.failures.extend(silent.map(|member| AttemptError {
            record: member.record,
            failure: protocol_failure("it did not answer in time"),
        }));
        failure::summary(self.failures)
    }

    fn step_error(&self) -> String {
        let why = self.members.iter().find_map(|member| member.dropped.as_deref());
        format!("no expert of the mixture answered in time; {}", why.unwrap_or("all are silent"))
    }
}

/// The logarithms that sampling works on. An impossible byte gets the smallest finite one.
fn logarithms(distribution: &ByteDistribution) -> Vec<f32> {
    distribution.probabilities().iter().map(|p| p.max(f64::from(f32::MIN_POSITIVE)).ln() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_byte_stays_the_least_likely() {
        let mut masses = [1.0 / 255.0; 256];
        masses[7] = 0.0;
        let logs = logarithms(&ByteDistribution::read(&masses).unwrap());
        assert!(logs.iter().all(|log| log.is_finite()) && (0..256).all(|at| at == 7 || logs[at] > logs[7]));
    }
}
