//! One text that several byte-level experts write together: `mix:N`.
//!
//! # Design
//! At every byte each expert is asked for the distribution of the next one, on the connections that are kept; the
//! weighted mean of what comes is sampled, and the byte goes to all of them. [`LockStep`] says when a step is done,
//! and `FixedShare` what each expert's say is: the gate's trust at first, and then what the text makes of it.
//!
//! A step is one query to each expert, not one message on a stream that stays open: so a step costs a round trip and
//! the frames of a query. Experts that remember what they have read make one step of the model of each.
//!
//! Until the first byte, an expert that fails is replaced by the next choice. After that it is dropped, and the others
//! go on.
//!
//! # What a hostile expert can do
//! * *Stall*: a step waits [`GRACE`] for it when half of the others have spoken, [`MOST_MISSED`] times in all; then it
//!   is out.
//! * *Answer with what is no distribution*: it is out.
//! * *Mislead*: it loses weight with every byte that others foresaw better.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use nervure_experts::{
    ExpertEvent, ExpertRequest, Sampling, Usage,
    byte_text::{CONTEXT_BYTES, Continuation, RETAINED_BYTES},
};
use nervure_subnet::{
    ExpertRecord, Score,
    mix::{ByteDistribution, FixedShare, LockStep, LockStepRules, Mixed, Progress},
};

use super::{
    attempt::{Attempts, Failure, FailureKind, broken},
    pool::none_answered,
};
use crate::{
    runtime::wire,
    service::{ParticipantView, ServiceError},
};

/// How long a step waits for the others when half of the experts have spoken.
const GRACE: Duration = Duration::from_millis(250);

/// How long a step may take in all.
const STEP: Duration = Duration::from_secs(10);

/// Steps of one text that an expert may miss.
const MOST_MISSED: u32 = 32;

/// The longest that a busy expert is left alone before it is asked again.
const BUSY: Duration = Duration::from_millis(100);

/// A text to be written.
pub(super) struct Plan {
    pub(super) prompt: String,
    pub(super) sampling: Sampling,
    /// Experts with the trust in each, best first.
    pub(super) candidates: Vec<(ExpertRecord, Score)>,
    /// How many write together.
    pub(super) seats: usize,
}

/// What an expert said, of which step.
type Said = (usize, u64, Result<Vec<f32>, Failure>);

/// A text in progress.
pub(super) struct Mixture {
    attempts: Attempts,
    members: Vec<Member>,
    /// Who can take the place of one that fails before the first byte.
    waiting: VecDeque<ExpertRecord>,
    lock: LockStep,
    asked: FuturesUnordered<BoxFuture<'static, Said>>,
    began: Instant,
    context: Context,
    text: Continuation,
    prompt_tokens: u32,
    /// Who failed before the first byte.
    failures: Vec<(ExpertRecord, Failure)>,
    first: Option<Mixed>,
    done: Option<ExpertEvent>,
    pub(super) tried: usize,
}

/// One expert of a mixture.
struct Member {
    record: ExpertRecord,
    /// Whether a question is with it.
    asked: bool,
    /// Bytes that it had a say in.
    spoke: u64,
    /// Steps that it missed, in all.
    missed: u32,
    /// Whether it has spoken of the current step.
    ready: bool,
    /// Why it has no say any more.
    left: Option<String>,
}

/// What experts are told of the text so far: a window that grows to [`CONTEXT_BYTES`] and then begins again with its last
/// [`RETAINED_BYTES`] bytes, so that experts which remember it seldom have to read it anew.
struct Context(Vec<u8>);

impl Context {
    fn new(prompt: &str) -> Self {
        let bytes = prompt.as_bytes();
        Self(bytes[bytes.len().saturating_sub(RETAINED_BYTES)..].to_vec())
    }

    fn push(&mut self, byte: u8) {
        if self.0.len() + 1 >= CONTEXT_BYTES {
            self.0.drain(..self.0.len() + 1 - RETAINED_BYTES);
        }
        self.0.push(byte);
    }
}

impl Mixture {
    /// Asks the first experts, and returns when the first byte can be chosen.
    pub(super) async fn begin(attempts: Attempts, plan: Plan) -> Result<Self, ServiceError> {
        let trust: Vec<f64> = plan.candidates.iter().map(|(_, trust)| f64::from(trust.parts())).collect();
        let mut records: VecDeque<ExpertRecord> =
            plan.candidates.into_iter().map(|(record, _)| record).collect();
        let members: Vec<Member> = records.drain(..plan.seats.min(records.len())).map(Member::new).collect();
        let enough = NonZeroUsize::new(members.len().div_ceil(2)).unwrap_or(NonZeroUsize::MIN);
        let rules = LockStepRules { k_min: enough, grace: GRACE, deadline: STEP };
        let weights = FixedShare::new(&trust[..members.len()])
            .ok_or_else(|| ServiceError::Internal { reason: "a mixture of no experts".into() })?;
        let mut mixture = Self {
            attempts,
            tried: members.len(),
            members,
            waiting: records,
            lock: LockStep::new(rules, weights, Duration::ZERO),
            asked: FuturesUnordered::new(),
            began: Instant::now(),
            context: Context::new(&plan.prompt),
            text: Continuation::new(&plan.sampling),
            prompt_tokens: u32::try_from(plan.prompt.len()).unwrap_or(u32::MAX),
            failures: Vec::new(),
            first: None,
            done: None,
        };
        let first = mixture.step().await;
        // A step is much less than a usual question.
        mixture.attempts.measured = false;
        match first {
            Ok(first) => Ok(Self { first: Some(first), ..mixture }),
            Err(_) => Err(mixture.never_began()),
        }
    }

    /// The next event; [`ExpertEvent::Done`] is the last. In words why there is none.
    pub(super) async fn next(&mut self) -> Result<ExpertEvent, String> {
        loop {
            if let Some(done) = self.done.take() {
                return Ok(done);
            }
            let mixed = match self.first.take() {
                Some(first) => first,
                None => self.step().await?,
            };
            let byte = self.text.choose(&logarithms(&mixed.distribution));
            self.chose(byte);
            let written = self.text.push(byte);
            if let Some(reason) = written.end {
                let usage =
                    Usage { prompt_tokens: self.prompt_tokens, completion_tokens: self.text.written() };
                self.done = Some(ExpertEvent::Done { usage, reason });
            }
            if !written.text.is_empty() {
                return Ok(ExpertEvent::Text(written.text));
            }
        }
    }

    /// Who writes, with their weights now, the weightiest first.
    pub(super) fn participants(&self) -> Vec<ParticipantView> {
        let view = |(member, weight): (&Member, &f64)| ParticipantView {
            node: member.record.node,
            netuid: member.record.netuid,
            expert: member.record.expert.clone(),
            weight: *weight,
            agrees: None,
            bytes: (self.lock.step() > 0).then_some(member.spoke),
            left: member.left.clone(),
        };
        let mut views: Vec<_> = self.members.iter().zip(self.lock.weights()).map(view).collect();
        views.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        views
    }

    /// Who counts most now.
    pub(super) fn first_record(&self) -> Option<ExpertRecord> {
        let heaviest = self.members.iter().zip(self.lock.weights()).rev().max_by(|a, b| a.1.total_cmp(b.1));
        heaviest.map(|(member, _)| member.record.clone())
    }

    /// Whether the text is written.
    pub(super) fn is_done(event: &ExpertEvent) -> bool {
        matches!(event, ExpertEvent::Done { .. })
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until the current step is done.
    async fn step(&mut self) -> Result<Mixed, String> {
        (0..self.members.len()).for_each(|at| self.ask(at));
        let mut progress = self.lock.tick(self.now());
        loop {
            let until = match progress {
                Progress::Mixed(mixed) => return Ok(mixed),
                Progress::Failed => return Err(self.nobody()),
                Progress::Waiting { until } => self.began + until,
            };
            progress = tokio::select! {
                biased;
                Some(said) = self.asked.next() => self.heard(said),
                () = tokio::time::sleep_until(until.into()) => self.lock.tick(self.now()),
            };
        }
    }

    /// Puts the current step to an expert that is free.
    fn ask(&mut self, at: usize) {
        let Some(member) = self.members.get_mut(at) else { return };
        if member.asked || member.left.is_some() {
            return;
        }
        member.asked = true;
        let (attempts, record, step) = (self.attempts.clone(), member.record.clone(), self.lock.step());
        let context = self.context.0.clone();
        self.asked.push(async move { (at, step, distribution(attempts, record, context).await) }.boxed());
    }

    fn heard(&mut self, (at, step, said): Said) -> Progress {
        let now = self.now();
        let current = self.lock.step();
        let Some(member) = self.members.get_mut(at) else { return self.lock.tick(now) };
        member.asked = false;
        if member.left.is_some() {
            return self.lock.tick(now);
        }
        match said {
            Ok(claimed) if ByteDistribution::read(&claimed).is_none() => {
                self.drop_member(at, "it said what is no distribution".into())
            }
            Ok(claimed) => {
                member.ready = step == current;
                let progress = self.lock.spoke(at, step, &claimed, now);
                if step < current {
                    self.ask(at);
                }
                progress
            }
            Err(failure) => {
                tracing::debug!(node = %member.record.node, reason = %failure.reason, "an expert of a mixture failed");
                if current == 0 {
                    self.failures.push((member.record.clone(), failure.clone()));
                }
                match self.waiting.pop_front().filter(|_| current == 0) {
                    Some(next) => {
                        member.record = next;
                        self.tried += 1;
                        self.ask(at);
                        self.lock.tick(now)
                    }
                    None => self.drop_member(at, failure.reason),
                }
            }
        }
    }

    fn drop_member(&mut self, at: usize, why: String) -> Progress {
        if let Some(member) = self.members.get_mut(at) {
            member.left = Some(why);
        }
        self.lock.lost(at, self.now())
    }

    /// The byte of this step is `byte`.
    fn chose(&mut self, byte: u8) {
        self.lock.chose(byte, self.now());
        self.context.push(byte);
        for member in self.members.iter_mut().filter(|member| member.left.is_none()) {
            match std::mem::take(&mut member.ready) {
                true => member.spoke += 1,
                false => member.missed += 1,
            }
        }
        let slow = |member: &Member| member.left.is_none() && member.missed > MOST_MISSED;
        let slow: Vec<usize> = (0..self.members.len()).filter(|at| slow(&self.members[*at])).collect();
        for at in slow {
            let record = &self.members[at].record;
            self.attempts.failed(record);
            self.drop_member(at, "it was too slow".into());
        }
    }

    /// Why there is not even a first byte.
    fn never_began(mut self) -> ServiceError {
        let silent = self.members.into_iter().filter(|member| member.left.is_none());
        self.failures.extend(silent.map(|member| (member.record, broken("it did not speak in time"))));
        none_answered(self.failures)
    }

    fn nobody(&self) -> String {
        let why = self.members.iter().find_map(|member| member.left.as_deref());
        format!("no expert of the mixture spoke in time; {}", why.unwrap_or("all are silent"))
    }
}

impl Member {
    fn new(record: ExpertRecord) -> Self {
        Self { record, asked: false, spoke: 0, missed: 0, ready: false, left: None }
    }
}

/// Asks one expert for the distribution of the byte after `context`; while it is busy, again and again.
async fn distribution(
    attempts: Attempts,
    record: ExpertRecord,
    context: Vec<u8>,
) -> Result<Vec<f32>, Failure> {
    let body = wire::encode_request(&ExpertRequest::Distribution { context });
    let body = body.map_err(|error| broken(&error.to_string()))?;
    let attempts = Attempts { body: body.into(), ..attempts };
    loop {
        let begun = match attempts.begin(record.clone()).await {
            Ok(begun) => begun,
            Err((_, Failure { kind: FailureKind::Busy(after), .. })) => {
                tokio::time::sleep(after.min(BUSY)).await;
                continue;
            }
            Err((_, failure)) => return Err(failure),
        };
        let (mut rest, first) = (begun.rest, begun.first);
        let ExpertEvent::Distribution(probabilities) = first.0 else {
            return Err(broken("no distribution"));
        };
        return match rest.item().await? {
            (_, true) => Ok(probabilities),
            (_, false) => Err(broken("more than one distribution")),
        };
    }
}

/// What sampling works on: of an impossible byte, a number as low as it gets.
fn logarithms(distribution: &ByteDistribution) -> Vec<f32> {
    distribution.probabilities().iter().map(|p| p.max(f64::from(f32::MIN_POSITIVE)).ln() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_grows_and_begins_again_with_the_end_of_the_text() {
        let text: Vec<u8> = (0..1000u32).map(|at| b'a' + (at % 26) as u8).collect();
        let mut context = Context::new(std::str::from_utf8(&text[..300]).unwrap());
        assert_eq!(context.0, text[300 - RETAINED_BYTES..300]);
        let mut anew = 0;
        for (at, byte) in text.iter().enumerate().skip(300) {
            let before = context.0.len();
            context.push(*byte);
            assert!(context.0.len() < CONTEXT_BYTES && context.0.len() >= RETAINED_BYTES);
            assert!(text[..=at].ends_with(&context.0), "{at}");
            anew += u32::from(context.0.len() <= before);
        }
        assert_eq!(anew, 700 / (CONTEXT_BYTES - RETAINED_BYTES) as u32, "seldom");
    }

    #[test]
    fn what_is_impossible_stays_the_unlikeliest() {
        let mut masses = [1.0 / 255.0; 256];
        masses[7] = 0.0;
        let logs = logarithms(&ByteDistribution::read(&masses).unwrap());
        assert!(logs.iter().all(|log| log.is_finite()) && (0..256).all(|at| at == 7 || logs[at] > logs[7]));
    }
}
