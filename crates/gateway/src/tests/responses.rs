//! `/v1/responses`: whole and as a stream, with calls, and over several turns.

use nervure_protocol::{ExpertRequest, Role};
use serde_json::{Value, json};

use super::{Running, mock_service::WORDS, start};

const PATH: &str = "/v1/responses";

/// The events of a stream, each with the name of its SSE event.
async fn stream(api: &Running, mut body: Value) -> Vec<(String, Value)> {
    body["stream"] = json!(true);
    let reply = api.post(PATH, &body).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/event-stream"), "{}", reply.text);
    let event = |event: &str| {
        let (name, data) = event.split_once("\ndata: ").unwrap();
        (name.strip_prefix("event: ").unwrap().to_owned(), serde_json::from_str(data).unwrap())
    };
    reply.text.trim_end().split("\n\n").map(event).collect()
}

/// The messages that the expert was asked: roles and texts.
fn asked(api: &Running) -> Vec<(Role, String)> {
    let ExpertRequest::Chat { messages, .. } = api.service.last().request else { panic!() };
    messages.into_iter().map(|message| (message.role, message.content)).collect()
}

#[tokio::test]
async fn answers_with_a_message_and_says_what_was_asked() {
    let api = start(|_| ()).await;
    let body = json!({ "model": "words", "input": "Hi", "instructions": "Be brief.", "max_output_tokens": 9, "temperature": 0.5 });
    let reply = api.post(PATH, &body).await.json();
    assert_eq!((&reply["object"], &reply["status"]), (&json!("response"), &json!("completed")));
    let part = json!({ "type": "output_text", "text": WORDS.concat(), "annotations": [], "logprobs": [] });
    let message = &reply["output"][0];
    assert_eq!(
        (&message["type"], &message["role"], &message["content"]),
        (&json!("message"), &json!("assistant"), &json!([part]))
    );
    assert_eq!((&reply["usage"]["input_tokens"], &reply["usage"]["total_tokens"]), (&json!(5), &json!(8)));
    for (name, value) in body.as_object().unwrap().iter().filter(|(name, _)| *name != "input") {
        assert_eq!(&reply[name], value);
    }
    assert_eq!(asked(&api), [(Role::System, "Be brief.".to_owned()), (Role::User, "Hi".to_owned())]);
}

#[tokio::test]
async fn a_stream_builds_the_whole_response() {
    let api = start(|_| ()).await;
    for model in ["words", "tools"] {
        let body =
            json!({ "model": model, "input": "Hi", "tools": [{ "type": "function", "name": "weather" }] });
        let whole = api.post(PATH, &body).await.json();
        let events = stream(&api, body).await;
        for (number, (name, data)) in events.iter().enumerate() {
            assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(number)));
        }
        let (name, last) = events.last().unwrap();
        assert_eq!(name, "response.completed");
        let done: Vec<&Value> = events
            .iter()
            .filter(|(name, _)| name == "response.output_item.done")
            .map(|(_, data)| &data["item"])
            .collect();
        assert_eq!(json!(done), last["response"]["output"], "{model}");
        // The ids are another response's.
        let without_ids = |output: &Value| {
            let mut output = output.clone();
            output.as_array_mut().unwrap().iter_mut().for_each(|item| item["id"] = Value::Null);
            output
        };
        assert_eq!(without_ids(&last["response"]["output"]), without_ids(&whole["output"]), "{model}");
        let pieces = |kind: &str, field: &str| -> String {
            events
                .iter()
                .filter(|(name, _)| name == kind)
                .map(|(_, data)| data[field].as_str().unwrap())
                .collect()
        };
        match model {
            "words" => assert_eq!(pieces("response.output_text.delta", "delta"), WORDS.concat()),
            _ => {
                assert_eq!(pieces("response.reasoning_text.delta", "delta"), "Hm.");
                let arguments = pieces("response.function_call_arguments.delta", "delta");
                assert_eq!(arguments, pieces("response.function_call_arguments.done", "arguments"));
                let call = last["response"]["output"].as_array().unwrap().last().unwrap();
                assert_eq!(
                    (&call["type"], &call["call_id"], &call["name"]),
                    (&json!("function_call"), &json!("a"), &json!("weather"))
                );
                assert_eq!(call["arguments"], json!(arguments));
            }
        }
    }
}

#[tokio::test]
async fn a_response_continues_the_one_before() {
    let api = start(|_| ()).await;
    let first = api
        .post(PATH, &json!({ "model": "words", "input": "One", "instructions": "Be brief." }))
        .await
        .json();
    let second = json!({ "model": "words", "input": "Two", "previous_response_id": first["id"] });
    let (_, last) = stream(&api, second).await.pop().unwrap();
    assert_eq!(last["response"]["previous_response_id"], first["id"]);
    let words = || WORDS.concat();
    let two = [(Role::User, "One".to_owned()), (Role::Assistant, words()), (Role::User, "Two".to_owned())];
    assert_eq!(asked(&api), two, "without the instructions");
    let third = json!({ "model": "words", "input": "Three", "previous_response_id": last["response"]["id"], "store": false });
    let third = api.post(PATH, &third).await.json();
    assert_eq!(asked(&api).len(), 5);

    for unknown in [third["id"].as_str().unwrap(), "resp_0"] {
        let body = json!({ "model": "words", "input": "x", "previous_response_id": unknown });
        let reply = api.post(PATH, &body).await;
        assert!(
            reply.error(400, "invalid_request").contains("send the whole conversation"),
            "{}",
            reply.text
        );
        assert_eq!(reply.json()["error"]["param"], "previous_response_id");
    }
}

#[tokio::test]
async fn one_that_breaks_off_ends_with_an_error() {
    let api = start(|_| ()).await;
    for model in ["fails", "cut"] {
        let events = stream(&api, json!({ "model": model, "input": "Hi" })).await;
        let [.., (failed, response), (error, detail)] = &events[..] else { panic!() };
        assert_eq!((failed.as_str(), error.as_str()), ("response.failed", "error"));
        assert_eq!(response["response"]["error"]["code"], "interrupted");
        // By this field the official client knows an error.
        assert_eq!(detail["error"]["code"], "interrupted");
        let output = &response["response"]["output"][0];
        assert_eq!(
            (&output["status"], &output["content"][0]["text"]),
            (&json!("incomplete"), &json!(WORDS[0]))
        );
        api.post(PATH, &json!({ "model": model, "input": "Hi" })).await.error(502, "interrupted");
    }
}

#[tokio::test]
async fn errors_have_the_names_of_its_own_fields() {
    let api = start(|_| ()).await;
    for (body, param) in [
        (json!({ "max_output_tokens": 0 }), "max_output_tokens"),
        (json!({ "input": [] }), "input"),
        (json!({ "input": [{ "role": "robot", "content": "x" }] }), "input"),
        (json!({ "input": "x".repeat(300_000) }), "input"),
        (json!({ "text": { "format": 5 } }), "text.format"),
        (json!({ "temperature": 3 }), "temperature"),
    ] {
        let mut whole = json!({ "model": "words", "input": "Hi" });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let reply = api.post(PATH, &whole).await;
        reply.error(400, "invalid_request");
        assert_eq!(reply.json()["error"]["param"], param, "{}", reply.text);
    }
    let reply = api.post(PATH, &json!({ "model": "words", "input": "x", "background": true })).await;
    reply.error(400, "unsupported_parameter");
}
