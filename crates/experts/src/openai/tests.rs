//! Runs the expert against a server that sends exactly the bytes of a test.

use std::time::Duration;

use futures::StreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

mod tools;

use super::*;
use nervure_protocol::{ExpertEvent, ExtraFields, FinishReason, Sampling, Unset, Usage};

/// The server's behaviour after the head and body of an answer.
#[derive(Clone, Copy, PartialEq)]
enum AfterBody {
    Close,
    Stall,
}

const MODELS: &str = r#"{"data":[{"id":"m1","max_model_len":4096},{"id":"m2"}]}"#;

/// A server that answers every POST with `status`, the header lines `head` and `body`; its model list is always valid.
async fn server(status: &'static str, head: &'static str, body: String, then: AfterBody) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let body = body.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    if socket.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                // Reads the whole request: closing a socket with unread bytes resets it, and the answer is lost.
                let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
                let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.map_or(0, |length| length.parse().unwrap());
                while text.find("\r\n\r\n").unwrap() + 4 + length > request.len() {
                    socket.read_buf(&mut request).await.unwrap();
                }
                let (status, head, body, then) = match request.starts_with(b"GET") {
                    true => ("200 OK", "", MODELS.to_owned(), AfterBody::Close),
                    false => (status, head, body, then),
                };
                let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{head}\r\n{body}");
                socket.write_all(answer.as_bytes()).await.unwrap();
                if then == AfterBody::Stall {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    format!("http://{address}/v1")
}

async fn connect(base: String) -> OpenAiExpert {
    let mut config = OpenAiConfig::new(base);
    config.limits =
        UpstreamLimits { between: Duration::from_millis(200), answer: 4096, line: 512, ..config.limits };
    OpenAiExpert::connect(config).await.unwrap()
}

fn complete() -> ExpertRequest {
    ExpertRequest::Complete { prompt: "a".into(), sampling: Sampling::default() }
}

/// The items that the expert makes of a server's answer.
async fn answer(body: impl Into<String>, then: AfterBody) -> Vec<Result<ExpertEvent, ExpertError>> {
    let expert = connect(server("200 OK", "", body.into(), then).await).await;
    expert.run(complete()).collect().await
}

async fn refusal(status: &'static str, head: &'static str, body: &str) -> ExpertError {
    let expert = connect(server(status, head, body.into(), AfterBody::Close).await).await;
    let items: Vec<_> = expert.run(complete()).collect().await;
    items.into_iter().next().unwrap().unwrap_err()
}

/// The refusal of a server that expects the API key `secret`.
async fn refusal_with(secret: Option<&str>, status: &'static str, body: &str) -> ExpertError {
    let mut config = OpenAiConfig::new(server(status, "", body.into(), AfterBody::Close).await);
    config.api_key = secret.map(|secret| Arc::new(ApiSecret::new(secret.into()).unwrap()));
    let expert = OpenAiExpert::connect(config).await.unwrap();
    let items: Vec<_> = expert.run(complete()).collect().await;
    items.into_iter().next().unwrap().unwrap_err()
}

fn text(piece: &str) -> Result<ExpertEvent, ExpertError> {
    Ok(ExpertEvent::Text(piece.into()))
}

fn last_error(items: &[Result<ExpertEvent, ExpertError>]) -> &ExpertError {
    items.last().unwrap().as_ref().unwrap_err()
}

const PIECE: &str = "data: {\"choices\":[{\"text\":\"hé\",\"finish_reason\":null}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"length\"}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":9}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[tokio::test]
async fn a_stream_becomes_events_and_the_upstreams_usage() {
    let usage = Usage { prompt_tokens: 3, completion_tokens: 9 };
    let done = Ok(ExpertEvent::Done { usage, reason: FinishReason::Length });
    let whole = [PIECE, PIECE, STOP, USAGE, DONE].concat();
    assert_eq!(answer(whole, AfterBody::Stall).await, [text("hé"), text("hé"), done]);
}

#[test]
fn the_server_gets_what_the_asker_gave_and_nothing_else() {
    let body = |sampling| {
        let request = ExpertRequest::Complete { prompt: "a".into(), sampling };
        answer::text_body("m", request).1
    };
    let stream = serde_json::json!({
        "model": "m", "prompt": "a", "stream": true, "stream_options": {"include_usage": true},
    });
    let unset = Unset { max_tokens: true, temperature: true, top_p: true };
    assert_eq!(body(Sampling { unset, ..Sampling::default() }), stream);

    let mut further = serde_json::json!({"response_format": {"type": "json_object"}, "top_k": 5});
    let extra = ExtraFields::new(further.as_object().unwrap()).unwrap();
    let given = serde_json::json!({"max_tokens": 256, "temperature": 0.8, "top_p": 0.95});
    for part in [stream, given] {
        further.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
    }
    assert_eq!(body(Sampling { extra, ..Sampling::default() }), further);
}

#[tokio::test]
async fn a_begun_chat_continues_only_with_the_same_answer() {
    let piece = |text: &str| {
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n")
    };
    let continued = async |prefix: &str| {
        let body = [&*piece("one t"), &*piece("wo thr"), &*piece("ee"), STOP, DONE].concat();
        let expert = connect(server("200 OK", "", body, AfterBody::Close).await).await;
        let sampling = Sampling { prefix: prefix.into(), ..Sampling::default() };
        let items: Vec<_> = expert.run(ExpertRequest::chat("count", sampling)).collect().await;
        let text = items.iter().filter_map(|item| match item {
            Ok(ExpertEvent::Text(text)) => Some(text.as_str()),
            _ => None,
        });
        (text.collect::<String>(), items.last().unwrap().is_ok())
    };
    assert_eq!(continued("").await, ("one two three".into(), true));
    assert_eq!(continued("one tw").await, ("o three".into(), true));
    assert_eq!(continued("one two three").await, (String::new(), true));
    assert_eq!(continued("one x").await, (String::new(), false), "another answer");
    assert_eq!(continued("one two three four").await, (String::new(), false), "a shorter one");
}

#[tokio::test]
async fn an_answer_needs_a_finish_reason_but_no_done_line() {
    let usage = Usage { prompt_tokens: 0, completion_tokens: 1 };
    let done = Ok(ExpertEvent::Done { usage, reason: FinishReason::Length });
    assert_eq!(answer([PIECE, STOP].concat(), AfterBody::Close).await, [text("hé"), done]);
    for cut in [PIECE.to_owned(), [PIECE, DONE].concat()] {
        let items = answer(cut, AfterBody::Close).await;
        assert!(matches!(last_error(&items), ExpertError::UpstreamUnavailable { .. }), "{items:?}");
    }
}

#[tokio::test]
async fn stalls_oversized_data_and_invalid_json_end_the_answer() {
    let items = answer(PIECE, AfterBody::Stall).await;
    assert!(matches!(last_error(&items), ExpertError::UpstreamStalled { .. }), "{items:?}");
    let endless = format!("data: {}", "x".repeat(600));
    assert!(matches!(
        last_error(&answer(endless, AfterBody::Stall).await),
        ExpertError::UpstreamInvalid { .. }
    ));
    let huge = PIECE.repeat(100);
    assert!(matches!(last_error(&answer(huge, AfterBody::Stall).await), ExpertError::UpstreamInvalid { .. }));
    let garbage = "data: {\"choices\": 7}\n";
    assert!(matches!(
        last_error(&answer(garbage, AfterBody::Close).await),
        ExpertError::UpstreamInvalid { .. }
    ));
    let mid = [PIECE, "data: {\"error\":{\"message\":\"out of memory\"}}\n"].concat();
    let refused = ExpertError::UpstreamRefused { status: 500, message: "out of memory".into() };
    assert_eq!(last_error(&answer(mid, AfterBody::Stall).await), &refused);
}

/// The text of an answer, and how it ended.
async fn told(body: impl Into<String>, sampling: Sampling) -> (String, Option<FinishReason>) {
    let expert = connect(server("200 OK", "", body.into(), AfterBody::Close).await).await;
    let request = ExpertRequest::Complete { prompt: "a".into(), sampling };
    let items: Vec<_> = expert.run(request).collect().await;
    let text = items.iter().filter_map(|item| match item {
        Ok(ExpertEvent::Text(text)) => Some(text.as_str()),
        _ => None,
    });
    let end = items.iter().find_map(|item| match item {
        Ok(ExpertEvent::Done { reason, .. }) => Some(*reason),
        _ => None,
    });
    (text.collect(), end)
}

#[tokio::test]
async fn what_nothing_depends_on_may_be_missing() {
    let null = "data: {\"choices\":null,\"usage\":{\"prompt_tokens\":3.0,\"completion_tokens\":null}}\n\n";
    let items = answer([PIECE, STOP, null, DONE].concat(), AfterBody::Close).await;
    let usage = Usage { prompt_tokens: 3, completion_tokens: 0 };
    assert_eq!(items.last().unwrap(), &Ok(ExpertEvent::Done { usage, reason: FinishReason::Length }));
    // A byte order mark, an event of two lines, CR alone, and an error that is null.
    let odd = "\u{feff}data: {\"choices\":[{\"text\":\"one\"}],\ndata: \"error\":null}\r\r";
    assert_eq!(told([odd, PIECE, STOP].concat(), Sampling::default()).await.0, "onehé");
    let unfinished = [PIECE, "data: {\"choices\":[\n\n"].concat();
    assert_eq!(told(unfinished, Sampling::default()).await.1, None);
}

#[tokio::test]
async fn an_empty_or_unknown_finish_reason_is_no_end() {
    let piece = |reason: &str| {
        format!("data: {{\"choices\":[{{\"text\":\"x\",\"finish_reason\":\"{reason}\"}}]}}\n\n")
    };
    for reason in ["", "abort", "error", "something"] {
        let cut = told(piece(reason).repeat(2), Sampling::default()).await;
        assert_eq!(cut, ("xx".into(), None), "{reason}: the body just ends");
        let whole = told([&*piece(reason), STOP].concat(), Sampling::default()).await;
        assert_eq!(whole.1, Some(FinishReason::Length), "{reason}");
    }
    for (reason, meaning) in [("eos_token", FinishReason::Stop), ("content_filter", FinishReason::Other)] {
        assert_eq!(told(piece(reason), Sampling::default()).await.1, Some(meaning));
    }
}

#[tokio::test]
async fn stop_strings_and_the_number_of_tokens_hold_whatever_the_upstream_does() {
    let piece = |text: &str| format!("data: {{\"choices\":[{{\"text\":\"{text}\"}}]}}\n\n");
    let leaks = [&*piece("one two ST"), &*piece("OP three"), STOP, DONE].concat();
    let stopping = Sampling { stop: vec!["STOP".into()], ..Sampling::default() };
    assert_eq!(told(leaks, stopping).await, ("one two ".into(), Some(FinishReason::Stop)));
    let endless = piece("x").repeat(20);
    let short = Sampling { max_tokens: 5, ..Sampling::default() };
    assert_eq!(told(endless, short).await, ("xxxxx".into(), Some(FinishReason::Length)));
}

#[tokio::test]
async fn a_server_without_streams_answers_as_a_whole() {
    let body =
        r#"{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#;
    let whole = server("200 OK", "content-type: application/json\r\n", body.into(), AfterBody::Close).await;
    let items: Vec<_> = connect(whole).await.run(complete()).collect().await;
    let done = ExpertEvent::Done {
        usage: Usage { prompt_tokens: 1, completion_tokens: 0 },
        reason: FinishReason::Stop,
    };
    assert_eq!(items, [text("hello"), Ok(done)]);
    let cut =
        server("200 OK", "content-type: application/json\r\n", body[..20].into(), AfterBody::Close).await;
    let items: Vec<_> = connect(cut).await.run(complete()).collect().await;
    assert!(matches!(last_error(&items), ExpertError::UpstreamUnavailable { .. }), "{items:?}");
}

#[tokio::test]
async fn a_wrong_request_is_the_askers_and_no_fault_of_the_server() {
    for status in ["400 Bad Request", "422 Unprocessable Content", "501 Not Implemented"] {
        let wrong = refusal(status, "", r#"{"error":{"message":"use max_completion_tokens"}}"#).await;
        let ExpertError::BadRequest { reason, .. } = wrong else { panic!("{status}: {wrong:?}") };
        assert!(reason.contains("use max_completion_tokens"), "{reason}");
    }
    for status in ["401 Unauthorized", "404 Not Found", "408 Request Timeout", "500 Internal Server Error"] {
        let fault = refusal(status, "", r#"{"error":{"message":"no"}}"#).await;
        assert!(matches!(fault, ExpertError::UpstreamRefused { .. }), "{status}: {fault:?}");
    }
    for message in [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "Requested token count exceeds the model's maximum context length of 4096 tokens",
        "the request exceeds the available context size, try increasing it",
        "input length exceeds the context length",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ] {
        let body = format!(r#"{{"error":{{"message":"{message}","type":"BadRequestError","code":400}}}}"#);
        let long = refusal("400 Bad Request", "", &body).await;
        assert!(matches!(long, ExpertError::ContextTooLong { .. }), "{message}: {long:?}");
    }
}

#[tokio::test]
async fn refusals_are_typed_and_do_not_contain_the_key() {
    let busy = refusal("429 Too Many Requests", "retry-after: 7\r\n", "{}").await;
    assert_eq!(busy, ExpertError::Busy { retry_after: Duration::from_secs(7) });
    let long = r#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#;
    assert!(matches!(refusal("400 Bad Request", "", long).await, ExpertError::ContextTooLong { .. }));
    let key = r#"{"error":{"message":"wrong key sk-secret"}}"#;
    assert!(!refusal("401 Unauthorized", "", key).await.to_string().contains("sk-secret"));
    let secret = "sk-secret-0123456789";
    for status in ["400 Bad Request", "500 Internal Server Error"] {
        for quoted in [secret, "sk-secret-01*****", "wrong key Bearer sk-secret-0123456789"] {
            let body = format!(r#"{{"error":{{"message":"{quoted}","code":"context_length_exceeded"}}}}"#);
            let told = refusal_with(Some(secret), status, &body).await.to_string();
            assert!(!told.contains("sk-secret") && told.contains("quotes this node's API key"), "{told}");
            // Without the comparison the asker reads it.
            assert!(refusal(status, "", &body).await.to_string().contains(quoted));
        }
        let harmless = r#"{"error":{"message":"sk-secret is short"}}"#;
        assert!(refusal_with(Some(secret), status, harmless).await.to_string().contains("is short"));
    }
    let moved = refusal("302 Found", "location: http://127.0.0.1:1/\r\n", "").await;
    assert!(matches!(moved, ExpertError::UpstreamRefused { status: 302, .. }), "redirects are not followed");
}

#[tokio::test]
async fn vectors_come_in_order_or_the_answer_fails() {
    let embed = |body: &'static str| async move {
        let expert = connect(server("200 OK", "", body.into(), AfterBody::Close).await).await;
        let inputs = vec!["a".into(), "b".into()];
        expert.run(ExpertRequest::Embed { inputs }).collect::<Vec<_>>().await
    };
    let good =
        r#"{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":2}}"#;
    let items = embed(good).await;
    assert_eq!(items[0], Ok(ExpertEvent::Embedding { index: 0, vector: vec![1.0] }));
    assert_eq!(items.len(), 3);
    let uncounted = [
        r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[2]}],"usage":{"prompt_tokens":2.0}}"#,
        r#"{"data":[{"embedding":[1]},{"embedding":[2]}],"usage":null}"#,
    ];
    for body in uncounted {
        assert_eq!(embed(body).await[1], Ok(ExpertEvent::Embedding { index: 1, vector: vec![2.0] }));
    }
    let bad: [&'static str; 3] = [
        r#"{"data":[{"index":0,"embedding":[1]}]}"#,
        r#"{"data":[{"index":1,"embedding":[1]},{"index":1,"embedding":[1]}]}"#,
        r#"{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[1]}]}"#,
    ];
    for bad in bad {
        assert!(matches!(last_error(&embed(bad).await), ExpertError::UpstreamInvalid { .. }), "{bad}");
    }
}

#[tokio::test]
async fn chooses_a_model_and_reports_a_missing_one() {
    let base = server("200 OK", "", String::new(), AfterBody::Close).await;
    let first = connect(base.clone()).await;
    assert_eq!((first.card().model.as_str(), first.card().context), ("m1", 4096));
    assert_eq!(first.health().await, Health::Ready);
    let wanted = |model: &str| OpenAiConfig { model: Some(model.into()), ..OpenAiConfig::new(base.clone()) };
    assert_eq!(OpenAiExpert::connect(wanted("m2")).await.unwrap().card().context, DEFAULT_CONTEXT);
    let error = OpenAiExpert::connect(wanted("m3")).await.unwrap_err().to_string();
    assert!(error.contains("m1, m2"), "{error}");
    let unreachable = OpenAiExpert::connect(OpenAiConfig::new("http://127.0.0.1:1/v1")).await.unwrap_err();
    assert!(matches!(unreachable, ExpertError::UpstreamUnavailable { .. }));
}

/// A server whose model list is `status` and `body`.
async fn listing(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.read(&mut [0; 2048]).await;
            let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n{body}");
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}/v1")
}

#[tokio::test]
async fn the_context_is_what_the_server_was_started_with_and_a_list_is_not_needed() {
    let llama = listing("200 OK", r#"{"data":[{"id":"a.gguf","meta":{"n_ctx":2048,"n_vocab":7}}]}"#).await;
    assert_eq!(OpenAiExpert::connect(OpenAiConfig::new(llama)).await.unwrap().card().context, 2048);
    let unlisted = listing("404 Not Found", "{}").await;
    assert!(OpenAiExpert::connect(OpenAiConfig::new(unlisted.clone())).await.is_err(), "which model?");
    let named = OpenAiConfig { model: Some("m".into()), ..OpenAiConfig::new(unlisted) };
    let expert = OpenAiExpert::connect(named).await.unwrap();
    assert_eq!((expert.card().model.as_str(), expert.health().await), ("m", Health::Ready));
}

#[test]
fn splits_long_text_between_characters() {
    let text = "é".repeat(40_000);
    let cut: Vec<_> = answer_pieces(&text);
    assert!(cut.len() > 1 && cut.iter().all(|piece| piece.len() <= 32 << 10));
    assert_eq!(cut.concat(), text);
}

fn answer_pieces(text: &str) -> Vec<&str> {
    super::answer::pieces(text).collect()
}

#[tokio::test]
async fn a_server_without_a_connection_is_told_apart_by_what_to_mend() {
    let failed =
        async |url: String| OpenAiExpert::connect(OpenAiConfig::new(url)).await.unwrap_err().to_string();
    // Bound and dropped: nothing listens there.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = failed(format!("http://{free}/v1")).await;
    assert!(refused.contains("nothing listens at that address"), "{refused}");
    let unnamed = failed("http://nowhere.invalid/v1".into()).await;
    assert!(unnamed.contains("its name cannot be resolved"), "{unnamed}");
    // A server that speaks no TLS.
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = plain.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let encrypted = failed(format!("https://{at}/v1")).await;
    assert!(encrypted.contains("does not speak TLS"), "{encrypted}");
}
