//! Late, endless and broken answers, in the runtime's virtual time.

use std::{future::pending, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture, stream::BoxStream};
use nervure_primitives::{Amount, BlockHeight, NodeId};
use nervure_protocol::{ExpertRequest, FinishReason, Usage};
use tokio::time::sleep;

use super::*;
use crate::{ExpertView, QueryTarget, RouteView, Strategy};

const DEADLINE: Duration = Duration::from_secs(60);

/// Room for exactly ten events of one byte.
const MAX_ANSWER: usize = 10 * (1 + EVENT_OVERHEAD_BYTES);

type Item = Result<ExpertEvent, ServiceError>;

fn query() -> Query {
    Query {
        target: QueryTarget::Named("m".into()),
        request: ExpertRequest::Embed { inputs: vec!["a".into()] },
        strategy: Strategy::default(),
        policy: nervure_subnet::Policy::default(),
        budget: Amount::ZERO,
        deadline: DEADLINE,
        max_answer: MAX_ANSWER,
        explain: false,
        receipt: false,
        filter: None,
        nonce: None,
        release: None,
        subnets: Vec::new(),
        hops: 0,
    }
}

fn answer(events: BoxStream<'static, Item>) -> AnswerStream {
    let expert = ExpertView {
        node: NodeId::from_bytes([7; 32]),
        netuid: nervure_primitives::Netuid(1),
        expert: "e".into(),
        capability: "text.generate".parse().unwrap(),
        model: "m".into(),
        identity: Default::default(),
        context: 1,
        max_output: 1,
        price: 0,
        byte_level: false,
        load: 0,
        relayed: false,
        expires_in_ms: 1,
        latency_ms: None,
        trust: None,
    };
    let route = RouteView {
        strategy: "best".into(),
        policy: nervure_subnet::Policy::default(),
        block: BlockHeight(1),
        candidates: 1,
        filtered: 0,
        tried: 1,
        participants: Vec::new(),
        detail: None,
    };
    AnswerStream { route, expert, events, summary: Arc::default() }
}

fn text(bytes: usize) -> Item {
    Ok(ExpertEvent::Text("x".repeat(bytes)))
}

fn done() -> Item {
    Ok(ExpertEvent::Done { usage: Usage::default(), reason: FinishReason::Stop })
}

/// What the asker reads of these events, after the answer began.
async fn read(events: BoxStream<'static, Item>) -> Vec<Item> {
    let asked = ask_within_bounds(query(), |_| async { Ok(answer(events)) }).await.unwrap();
    asked.events.collect().await
}

fn late() -> ServiceError {
    ServiceError::DeadlineExceeded { after: DEADLINE }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_begin_in_time_is_given_up() {
    let ask = |after: Duration| {
        ask_within_bounds(query(), move |_| -> BoxFuture<'static, Result<AnswerStream, ServiceError>> {
            async move {
                sleep(after).await;
                Ok(answer(stream::iter([done()]).boxed()))
            }
            .boxed()
        })
    };
    assert!(ask(DEADLINE).await.is_ok(), "exactly at the deadline");
    assert_eq!(ask(DEADLINE + Duration::from_millis(1)).await.err(), Some(late()));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_for_the_beginning_and_all_pieces_together() {
    let third = DEADLINE / 3;
    let slow = stream::repeat_with(move || sleep(third).map(|()| text(1))).then(|piece| piece).boxed();
    let asked = ask_within_bounds(query(), |_| async move {
        sleep(third).await;
        Ok(answer(slow))
    });
    let items: Vec<Item> = asked.await.unwrap().events.collect().await;
    assert_eq!(items, [text(1), text(1), Err(late())]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_continues_ends_at_the_deadline() {
    let silent = stream::iter([text(1)]).chain(stream::pending()).boxed();
    assert_eq!(read(silent).await, [text(1), Err(late())]);
    let never = ask_within_bounds(query(), |_| pending()).await;
    assert_eq!(never.err(), Some(late()));
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_exactly_so_many_bytes_is_whole_and_a_longer_one_is_cut_off() {
    let too_long = || Err(interrupted("the expert sent more than this node accepts"));
    let exact = MAX_ANSWER - EVENT_OVERHEAD_BYTES;
    assert_eq!(read(stream::iter([text(exact), done()]).boxed()).await, [text(exact), done()]);
    assert_eq!(read(stream::iter([text(exact + 1), done()]).boxed()).await, [too_long()]);
    let small = (0..11).map(|_| text(1)).chain([done()]);
    let items = read(stream::iter(small).boxed()).await;
    assert_eq!((items.len(), items.last()), (11, Some(&too_long())));
    let empty = stream::repeat_with(|| text(0)).boxed();
    assert_eq!(read(empty).await.len(), MAX_ANSWER / EVENT_OVERHEAD_BYTES + 1, "it is endless, and ends");
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_its_last_event_is_an_error_and_nothing_follows_the_last_one() {
    let cut = Err(interrupted("the stream ended without its last event"));
    assert_eq!(read(stream::iter([text(1)]).boxed()).await, [text(1), cut]);
    assert_eq!(read(stream::iter([done(), text(1)]).boxed()).await, [done()]);
    let failed = Err(ServiceError::Unavailable { reason: "it is stopping".into() });
    assert_eq!(read(stream::iter([failed.clone(), text(1)]).boxed()).await, [failed]);
}
