//! A built-in model, served as a miner serves it.

use futures::StreamExt;

use nervure_protocol::{ExtraFields, Role, Sampling};

use super::*;
use crate::builtin;

fn expert(queue: usize) -> ByteExpert {
    let queue = NonZeroUsize::new(queue).unwrap();
    let options = ServeOptions { queue, ..ServeOptions::default() };
    ByteExpert::builtin(builtin::find("rust").unwrap(), options).unwrap()
}

fn complete(max_tokens: u32, stop: &[&str]) -> ExpertRequest {
    let stop = stop.iter().map(|text| (*text).to_owned()).collect();
    let sampling = Sampling { max_tokens, seed: Some(1), stop, ..Sampling::default() };
    ExpertRequest::Complete { prompt: "pub fn ".into(), sampling }
}

/// The text of an answer, and its last item.
async fn read(stream: ExpertStream) -> (String, Result<ExpertEvent, ExpertError>) {
    let items: Vec<_> = stream.collect().await;
    let text = items.iter().filter_map(|item| match item {
        Ok(ExpertEvent::Text(text)) => Some(text.as_str()),
        _ => None,
    });
    (text.collect(), items.last().unwrap().clone())
}

#[tokio::test]
async fn the_same_seed_gives_the_same_text_of_the_requested_length() {
    let expert = expert(4);
    let (text, last) = read(expert.run(complete(24, &[]))).await;
    assert_eq!(text.len(), 24);
    let usage = Usage { prompt_tokens: 7, completion_tokens: 24 };
    assert_eq!(last, Ok(ExpertEvent::Done { usage, reason: FinishReason::Length }));
    assert_eq!(read(expert.run(complete(24, &[]))).await.0, text);
}

#[tokio::test]
async fn refuses_further_fields_by_name() {
    let fields = serde_json::json!({ "response_format": { "type": "json_object" } });
    let extra = ExtraFields::new(fields.as_object().unwrap()).unwrap();
    let sampling = Sampling { extra, ..Sampling::default() };
    let request = ExpertRequest::Complete { prompt: "a".into(), sampling };
    let (text, last) = read(expert(4).run(request)).await;
    let error = last.unwrap_err().to_string();
    assert_eq!((&*text, &*error), ("", "sampling.extra: this model does not support 'response_format'"));
}

/// The text is longer than a window, so that the window slides.
#[tokio::test]
async fn continues_a_begun_text_byte_for_byte() {
    let expert = expert(4);
    let ask = |seed, temperature_milli, prefix: &str| {
        let sampling = Sampling {
            max_tokens: 400,
            seed: Some(seed),
            temperature_milli,
            prefix: prefix.into(),
            ..Sampling::default()
        };
        ExpertRequest::Complete { prompt: "pub fn ".into(), sampling }
    };
    for (seed, temperature) in [(1, 800), (2, 0)] {
        let (whole, _) = read(expert.run(ask(seed, temperature, ""))).await;
        for cut in [40, 250, 390].into_iter().chain([whole.len()]) {
            let cut = whole.floor_char_boundary(cut);
            let (rest, last) = read(expert.run(ask(seed, temperature, &whole[..cut]))).await;
            assert_eq!(rest, whole[cut..], "seed {seed}, after {cut} bytes");
            let Ok(ExpertEvent::Done { usage, reason }) = last else { panic!("{last:?}") };
            assert_eq!((usage.completion_tokens, reason), (400, FinishReason::Length));
        }
    }
}

#[tokio::test]
async fn a_stop_string_ends_the_text_and_is_left_out() {
    let expert = expert(4);
    let (whole, _) = read(expert.run(complete(24, &[]))).await;
    let stop = &whole[10..13];
    let (text, last) = read(expert.run(complete(24, &[stop]))).await;
    assert_eq!(text, whole[..whole.find(stop).unwrap()]);
    assert!(matches!(last, Ok(ExpertEvent::Done { reason: FinishReason::Stop, .. })));
}

#[tokio::test]
async fn answers_chats_and_refuses_unsupported_requests() {
    let expert = expert(4);
    let messages = vec![ChatMessage::new(Role::User, "fn")];
    let sampling = Sampling { max_tokens: 3, ..Sampling::default() };
    assert!(read(expert.run(ExpertRequest::Chat { messages, sampling })).await.1.is_ok());
    let refused = read(expert.run(ExpertRequest::Embed { inputs: vec!["a".into()] })).await.1;
    assert!(matches!(refused, Err(ExpertError::Unsupported { .. })));
    let refused = read(expert.run(complete(0, &[]))).await.1;
    assert!(matches!(refused, Err(ExpertError::BadRequest { field: "sampling.max_tokens", .. })));
}

#[tokio::test]
async fn answers_a_distribution_request() {
    let expert = expert(4);
    let items: Vec<_> =
        expert.run(ExpertRequest::Distribution { context: b"fn mai".to_vec() }).collect().await;
    let Ok(ExpertEvent::Distribution(all)) = &items[0] else { panic!("{items:?}") };
    assert_eq!(all.len(), 256);
    assert!((all.iter().sum::<f32>() - 1.0).abs() < 1e-4 && all.iter().all(|p| *p > 0.0));
    let likeliest = (0..256).max_by(|a, b| all[*a].total_cmp(&all[*b])).unwrap();
    assert_eq!(likeliest, usize::from(b'n'), "after `fn mai` comes `n`");
}

#[tokio::test]
async fn a_full_queue_refuses_until_a_caller_leaves() {
    let expert = expert(1);
    let mut running = expert.run(complete(4096, &[]));
    assert!(running.next().await.unwrap().is_ok(), "it has begun, so the queue is empty");
    let waiting = expert.run(complete(4096, &[]));
    let refused = read(expert.run(complete(1, &[]))).await.1;
    assert!(matches!(refused, Err(ExpertError::Busy { .. })), "{refused:?}");
    drop(waiting);
    let next = expert.run(complete(1, &[]));
    drop(running);
    assert!(
        read(next).await.1.is_ok(),
        "the worker is free within a token, or this would wait for thousands"
    );
}

#[tokio::test]
async fn dropping_the_expert_cancels_its_answers() {
    let expert = expert(4);
    let mut running = expert.run(complete(4096, &[]));
    assert!(running.next().await.unwrap().is_ok());
    let waiting = expert.run(complete(4096, &[]));
    drop(expert);
    assert_eq!(read(running).await.1, Err(ExpertError::Cancelled));
    assert_eq!(read(waiting).await.1, Err(ExpertError::Cancelled));
}
