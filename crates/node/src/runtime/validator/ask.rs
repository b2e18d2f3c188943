//! Asks experts a task's questions as users' questions reach them: through a gateway, with the deadlines that its users
//! have, a few within seconds and then none for long, as clients ask.
//!
//! # What a hostile gateway can do
//! Not ask, keep the answer back, or tell a miner that it asks for a validator. An answer counts with the miner's receipt
//! for this question and this answer only; without one, another gateway is asked, and an answer is missing when two say
//! so. Where no gateway serves, the validator asks itself, and the miner sees who asks.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_primitives::{Amount, Hash, NodeId, UnixMillis, cbor::CborError};
use nervure_protocol::{
    AnswerHasher, AuditCase, ExpertEvent, ExpertRecord, ExpertRequest,
    forward::{ForwardRequest, ForwardResponse},
    query::body,
    request_hash,
};
use nervure_router::{DirectError, DirectQuery, check_expert, price};
use nervure_subnet::{
    Dice,
    mechanism::{Answer, MAX_ANSWER_TEXT, Reply},
    task::{Asking, PendingQueries, PendingQuery, SettleError, askings, moments},
};
use rand::{Rng, seq::SliceRandom};
use serde_bytes::ByteBuf;

use super::{Validator, new_seed};
use crate::runtime::{clock, forward, traffic::TaskSource};

/// Longest pause before an expert without room is asked again.
const MAX_BUSY_DELAY: Duration = Duration::from_secs(2);

/// Gateways through which one question is tried.
const MAX_GATEWAYS: usize = 2;

/// The answer that its events form together.
fn answer(events: Vec<ExpertEvent>) -> Answer {
    let (mut text, mut vectors, mut distribution) = (String::new(), Vec::new(), None);
    for event in events {
        match event {
            ExpertEvent::Text(piece) if text.len() <= MAX_ANSWER_TEXT => text.push_str(&piece),
            // Experts send vectors in order; any other order is not an answer.
            ExpertEvent::Embedding { index, vector } if index as usize == vectors.len() => {
                vectors.push(vector)
            }
            ExpertEvent::Distribution(probabilities) => distribution = Some(probabilities),
            // What a model thinks before it answers is not judged.
            ExpertEvent::Fields(_) => {}
            _ => return Answer::Missing,
        }
    }
    match (distribution, vectors.is_empty()) {
        (Some(probabilities), _) => Answer::Distribution(probabilities),
        (None, false) => Answer::Vectors(vectors),
        (None, true) => Answer::Text(text),
    }
}

/// One question, encoded once for all miners.
struct Question {
    request: ExpertRequest,
    body: Arc<[u8]>,
    /// What the miner is told, as users' questions have it. The validator waits less long.
    deadline: Duration,
}

/// A task's questions.
pub(super) struct EncodedTask {
    questions: Vec<Question>,
    askings: Vec<Asking>,
    /// The gateway whose users' queries they look like, and through which they are asked first.
    gateway: Option<NodeId>,
}

/// When a miner is asked the questions of a task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The time over which the questions are spread.
    pub(super) spread: Duration,
    /// How long the validator waits for one answer.
    pub(super) wait: Duration,
}

impl Pace {
    /// Until when the validator waits for the answer to a question that it asks at `asked`, both counted from the
    /// beginning of the task. Every answer has to be there at the deadline of the assignment: otherwise a miner that is
    /// silent to each question would hold up the next batches, which are other miners' tests.
    fn until(self, asked: Duration, deadline: Duration) -> Duration {
        (asked + self.wait.min(deadline)).min(self.spread + self.wait)
    }
}

/// What came of one question.
enum Outcome {
    Answered(Answer, Duration),
    /// The expert has no room until this much later.
    Busy(Duration),
    /// The expert did not answer, as far as the node that asked it says.
    Missing,
    /// The gateway did not ask.
    NotAsked,
}

impl EncodedTask {
    /// Encodes these requests, and draws the deadlines of the source's users for them.
    pub(super) fn of(
        requests: &[ExpertRequest],
        source: TaskSource,
        dice: &mut Dice,
    ) -> Result<Self, CborError> {
        let askings = askings(requests, &source.traffic, dice);
        let encode = |(request, asking): (&ExpertRequest, &Asking)| {
            // As the router does for a user's request: with a seed, the answer can be repeated.
            let request = request.clone().with_seed(u64::from(rand::random::<u32>() >> 1));
            let body = Arc::from(body::encode_request(&request)?);
            Ok(Question { request, body, deadline: asking.deadline })
        };
        let questions = requests.iter().zip(&askings).map(encode).collect::<Result<_, CborError>>()?;
        Ok(Self { questions, askings, gateway: source.gateway })
    }

    /// Asks one expert all questions at moments of its own, each after the one before is answered, so that no validator
    /// takes more than one place in its queue. An answer that is late, or has no valid receipt, is missing.
    pub(super) async fn ask(&self, validator: &Validator, record: &ExpertRecord, pace: Pace) -> Vec<Reply> {
        let mut replies = vec![Reply::missing(); self.questions.len()];
        let moments = moments(&self.askings, pace.spread, &mut Dice::new(new_seed()));
        let began = Instant::now();
        for (moment, at) in moments {
            let (Some(question), Some(reply)) = (self.questions.get(at), replies.get_mut(at)) else {
                continue;
            };
            tokio::time::sleep_until((began + moment).into()).await;
            let until = began + pace.until(began.elapsed(), question.deadline);
            let answer = validator.ask_one((record, self.gateway), question, until).await;
            validator.metrics.reply(answer.as_ref().map(|(_, took)| *took));
            if let Some((answer, took)) = answer {
                *reply = Reply::new(answer, took);
            }
        }
        replies
    }
}

impl Validator {
    /// One question's answer and how long it took, asked through `gateway` first; none without a valid receipt.
    async fn ask_one(
        &self,
        (record, gateway): (&ExpertRecord, Option<NodeId>),
        question: &Question,
        until: Instant,
    ) -> Option<(Answer, Duration)> {
        let mut gateways = self.traffic.gateways();
        gateways.shuffle(&mut rand::rng());
        // Its users' queries are those that this one looks like.
        gateways.sort_by_key(|other| Some(*other) != gateway);
        let mut missing = 0;
        for gateway in gateways.into_iter().take(MAX_GATEWAYS) {
            match self.persist(until, || self.through(gateway, record, question)).await {
                Outcome::Answered(answer, took) => return Some((answer, took)),
                Outcome::Busy(_) | Outcome::Missing => missing += 1,
                Outcome::NotAsked => {}
            }
        }
        // The second try after one gateway said that the expert is silent: its own word is not enough.
        match missing {
            MAX_GATEWAYS.. => None,
            _ => match self.persist(until, || self.directly(record, question, until)).await {
                Outcome::Answered(answer, took) => Some((answer, took)),
                _ => None,
            },
        }
    }

    /// Asks again as long as the expert is busy, until `until`.
    async fn persist<F: Future<Output = Outcome>>(&self, until: Instant, ask: impl Fn() -> F) -> Outcome {
        while Instant::now() < until {
            match tokio::time::timeout_at(until.into(), ask()).await {
                Ok(Outcome::Busy(after)) => tokio::time::sleep(after.min(MAX_BUSY_DELAY)).await,
                Ok(outcome) => return outcome,
                Err(_) => break,
            }
        }
        Outcome::Missing
    }

    /// Asks through a gateway.
    async fn through(&self, gateway: NodeId, record: &ExpertRecord, question: &Question) -> Outcome {
        let query = Hash::from_bytes(rand::rng().random());
        let forwarded = ForwardRequest {
            netuid: record.netuid,
            miner: record.node,
            expert: record.expert.clone(),
            query,
            body: ByteBuf::from(question.body.to_vec()),
            deadline_ms: u32::try_from(question.deadline.as_millis()).unwrap_or(u32::MAX),
        };
        let (sent_at, began) = (clock::now(), Instant::now());
        let response = forward::ask_through(&self.network, gateway, &forwarded).await;
        let (chunks, end, receipt) = match response {
            Some(ForwardResponse::Answer { chunks, usage, reason, receipt }) => {
                (chunks, (usage, reason), receipt)
            }
            Some(ForwardResponse::Busy(ms)) => return Outcome::Busy(Duration::from_millis(ms.into())),
            Some(ForwardResponse::Failed(reason)) => {
                tracing::debug!(node = %record.node, %gateway, %reason, "no answer through a gateway");
                return Outcome::Missing;
            }
            Some(ForwardResponse::Refused(reason)) => {
                tracing::debug!(%gateway, %reason, "a gateway does not forward");
                return Outcome::NotAsked;
            }
            None => return Outcome::NotAsked,
        };
        self.metrics.asked_through_a_gateway();
        let request = request_hash(&query, &question.body);
        let asked = PendingQuery { query, netuid: record.netuid, miner: record.node, request, sent_at };
        let events: Result<Vec<ExpertEvent>, _> =
            chunks.iter().map(|chunk| body::decode_event(chunk)).collect();
        let Ok(events) = events else { return Outcome::Missing };
        let mut hasher = AnswerHasher::default();
        events.iter().for_each(|event| hasher.event(event));
        let hash = hasher.finish(end.0, end.1);
        let receipt = receipt.unwrap_or_default().into_vec();
        let pending = PendingQueries::new(gateway, self.mesh);
        if let Err(error) = settle(pending, (asked, record), (&receipt, &hash), clock::now()) {
            tracing::debug!(node = %record.node, %gateway, %error, "a forwarded answer without its receipt counts for nothing");
            return Outcome::Missing;
        }
        let case = AuditCase::new(question.body.to_vec(), events.clone(), end, receipt);
        self.auditor.take_own(Some(case));
        Outcome::Answered(answer(events), began.elapsed())
    }

    /// Asks without a gateway: the miner sees that a validator asks.
    async fn directly(&self, record: &ExpertRecord, question: &Question, until: Instant) -> Outcome {
        self.metrics.asked_directly();
        let query = DirectQuery {
            record: record.clone(),
            body: question.body.clone(),
            budget: budget(price::max_cost(record.price, &question.request)),
            timeout: question.deadline,
            id: None,
            until: until.into(),
        };
        match self.router.ask_directly(query).await {
            Ok(direct) => match self.router.verify(direct.receipt) {
                Ok(signed) => {
                    let end = (direct.usage, direct.reason);
                    let receipt = signed.bytes().to_vec();
                    let case = AuditCase::new(question.body.to_vec(), direct.events.clone(), end, receipt);
                    self.auditor.take_own(Some(case));
                    Outcome::Answered(answer(direct.events), direct.duration)
                }
                Err(error) => {
                    tracing::debug!(node = %record.node, %error, "an answer without a receipt counts for nothing");
                    Outcome::Missing
                }
            },
            Err(DirectError::Busy(after)) => Outcome::Busy(after),
            Err(DirectError::Failed(reason)) => {
                tracing::debug!(node = %record.node, reason, "no answer to a task's question");
                Outcome::Missing
            }
        }
    }
}

/// Checks the `receipt` of an answer with this hash: it has to be for the question that was asked, and of the expert in its
/// record. The result counts for that expert, and an answer of other weights says nothing about it.
fn settle(
    mut pending: PendingQueries,
    (asked, record): (PendingQuery, &ExpertRecord),
    (receipt, answer): (&[u8], &Hash),
    now: UnixMillis,
) -> Result<(), SettleError> {
    pending.ask(asked)?;
    check_expert(record, pending.settle(receipt, answer, now)?.receipt())
}

/// A budget that covers `cost`, as round as people's: a miner would refuse a smaller one, and know one that is exact.
fn budget(cost: Amount) -> Amount {
    let mut round = 1u64;
    while round < cost.base_units() {
        round = round.saturating_mul(10);
    }
    if cost == Amount::ZERO { cost } else { Amount::from_base_units(round) }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::MeshId;
    use nervure_protocol::{
        Receipt, SignedReceipt,
        testing::{key, receipt, record},
    };

    use super::*;

    /// A miner that answers validators with other weights than its record names would have their score for these.
    #[test]
    fn an_answer_of_other_weights_than_the_record_names_counts_for_nothing() {
        let (gateway, mesh) = (key(1).node_id(), MeshId::from_bytes([7; 32]));
        let record = record(2, "rust", "text.generate");
        let settled = |digest: Option<&str>| {
            let mut receipt = receipt(gateway, record.node);
            receipt.identity.digest = digest.map(Into::into);
            let Receipt { query, netuid, miner, request, answer, received_at, .. } = receipt.clone();
            let asked = PendingQuery { query, netuid, miner, request, sent_at: received_at };
            let signed = SignedReceipt::sign(&key(2), &mesh, receipt).unwrap();
            settle(
                PendingQueries::new(gateway, mesh),
                (asked, &record),
                (signed.bytes(), &answer),
                received_at,
            )
        };
        assert_eq!(settled(None), Ok(()));
        assert_eq!(settled(Some("sha256:00")), Err(SettleError::Differs("model identity")));
    }

    #[test]
    fn events_are_one_kind_of_answer_or_none() {
        let text = |text: &str| ExpertEvent::Text(text.into());
        assert_eq!(answer(vec![text("a"), text("b")]), Answer::Text("ab".into()));
        let thought = ExpertEvent::Fields(String::from("{\"reasoning\":\"Hm.\"}").try_into().unwrap());
        assert_eq!(answer(vec![thought, text("a")]), Answer::Text("a".into()));
        let vector = |index| ExpertEvent::Embedding { index, vector: vec![1.0] };
        assert_eq!(answer(vec![vector(0), vector(1)]), Answer::Vectors(vec![vec![1.0]; 2]));
        assert_eq!(answer(vec![vector(1), vector(0)]), Answer::Missing, "out of order");
        assert_eq!(answer(vec![ExpertEvent::Distribution(vec![0.5; 2])]), Answer::Distribution(vec![0.5; 2]));
        assert_eq!(answer(vec![text(&"x".repeat(MAX_ANSWER_TEXT + 1)), text("y")]), Answer::Missing);
    }

    /// How long a task of 48 questions takes with a miner that answers none, when the wait for each ends at `until`.
    fn with_a_silent_miner(until: impl Fn(Duration) -> Duration) -> Duration {
        let spread = PACE.spread / 48;
        (0..48).fold(Duration::ZERO, |now, number| {
            let asked = now.max(spread * number);
            until(asked).max(asked)
        })
    }

    const PACE: Pace = Pace { spread: Duration::from_secs(648), wait: Duration::from_secs(120) };

    #[test]
    fn a_silent_miner_does_not_hold_up_the_next_batch() {
        let deadline = Duration::from_secs(60);
        let interval = PACE.spread * 4 / 3;
        assert!(with_a_silent_miner(|asked| PACE.until(asked, deadline)) <= PACE.spread + PACE.wait);
        assert!(PACE.spread + PACE.wait < interval);
        // The variant in which each question has the whole wait: three batches are left out.
        assert!(with_a_silent_miner(|asked| asked + deadline) > interval * 3);
        assert_eq!(PACE.until(Duration::ZERO, deadline), deadline, "a punctual one has its users' deadline");
    }

    #[test]
    fn a_budget_covers_the_cost_and_does_not_show_it() {
        let of = |cost| budget(Amount::from_base_units(cost)).base_units();
        assert_eq!((of(0), of(1), of(2), of(256), of(1000)), (0, 1, 10, 1000, 1000));
        assert!(of(u64::MAX) == u64::MAX);
    }
}
