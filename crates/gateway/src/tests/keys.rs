//! Named keys over HTTP.

use serde_json::{Value, json};

use super::{Reply, Running, start};
use crate::{ApiKeyFile, KeyGrant, NamedKeys};

/// Secrets of two keys.
const ALICE: &str = "alice-is-a-key-of-the-tests";
const ROOT: &str = "root-is-a-key-of-the-tests";

/// An API with Alice's key as `change` makes it, and one that sees all.
async fn keyed(dir: &std::path::Path, change: impl FnOnce(&mut KeyGrant)) -> Running {
    let mut alice = KeyGrant::new("alice", ALICE).unwrap();
    change(&mut alice);
    let root = KeyGrant { operator: true, ..KeyGrant::new("root", ROOT).unwrap() };
    ApiKeyFile { keys: vec![alice, root] }.write(dir).unwrap();
    let keys = NamedKeys::open(dir).unwrap();
    start(|config| config.named_keys = keys).await
}

async fn ask(api: &Running, key: &str) -> Reply {
    let body =
        json!({ "model": "words", "messages": [{ "role": "user", "content": "Hi" }], "max_tokens": 40 });
    let request = api.http.post(api.url("/v1/chat/completions")).header("x-api-key", key).json(&body);
    Reply::of(request.send().await.unwrap()).await
}

async fn usage(api: &Running, key: &str) -> Vec<Value> {
    let request = api.http.get(api.url("/usage")).bearer_auth(key);
    let reply = Reply::of(request.send().await.unwrap()).await;
    super::conformance::check("GET", "/usage", &reply);
    reply.json()["keys"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_key_sees_its_own_use_and_the_operator_all() {
    let dir = tempfile::tempdir().unwrap();
    let api = keyed(dir.path(), |_| ()).await;
    assert_eq!(ask(&api, ALICE).await.status, 200);
    ask(&api, "mallory-is-no-key-of-these").await.error(401, "invalid_api_key");
    let own = usage(&api, ALICE).await;
    assert_eq!((own.len(), &own[0]["name"], &own[0]["requests"]), (1, &json!("alice"), &json!(1)));
    assert!(own[0]["tokens"].as_u64().unwrap() > 0);
    assert_eq!(usage(&api, ROOT).await.len(), 2);
}

#[tokio::test]
async fn a_limit_is_refused_with_its_reset_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    // The first question reserves 42 tokens and uses fewer; the second one finds too few left.
    let api = keyed(dir.path(), |alice| alice.tokens_per_day = 43.try_into().ok()).await;
    assert_eq!(ask(&api, ALICE).await.status, 200);
    let refused = ask(&api, ALICE).await;
    let message = refused.error(429, "key_limit_reached");
    assert!(message.contains("alice") && message.contains("resets in"), "{message}");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(ask(&api, ROOT).await.status, 200, "another key has limits of its own");
    api.stop.cancel();
    api.task.await.unwrap();
    let api = start(|config| config.named_keys = NamedKeys::open(dir.path()).unwrap()).await;
    ask(&api, ALICE).await.error(429, "key_limit_reached");
}

#[tokio::test]
async fn a_key_asks_only_what_it_is_bound_to() {
    for (model, status) in [("words", 200), ("another", 403)] {
        let dir = tempfile::tempdir().unwrap();
        let api = keyed(dir.path(), |alice| alice.models = [model.to_owned()].into()).await;
        let reply = ask(&api, ALICE).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        if status == 403 {
            reply.error(403, "key_not_allowed");
        }
    }
}

#[tokio::test]
async fn an_alias_asks_what_it_stands_for_and_an_unknown_name_is_told_the_nearest() {
    let ask = |name: &str| json!({ "model": name, "messages": [{ "role": "user", "content": "Hi" }] });
    let api = start(|config| {
        config.model_names.aliases = [("gpt-4o-mini".to_owned(), "words".to_owned())].into();
        config.model_names.default_model = Some("words".into());
    })
    .await;
    for name in ["gpt-4o-mini", "default"] {
        assert_eq!(api.post("/v1/chat/completions", &ask(name)).await.status, 200, "{name}");
        assert_eq!(api.service.last().target, nervure_api::QueryTarget::Named("words".into()));
    }
    let message = api.post("/v1/chat/completions", &ask("unknown")).await.error(404, "model_not_found");
    assert!(message.contains("gpt-4o-mini") || message.contains("known"), "{message}");
}

#[tokio::test]
async fn names_of_the_operator_are_listed_while_they_stand_for_something() {
    let api = start(|config| {
        let aliases = [("gpt-4o-mini", "org/words"), ("text", "text.generate"), ("gone", "no-model")];
        config.model_names.aliases = aliases.map(|(name, meant)| (name.to_owned(), meant.to_owned())).into();
        config.model_names.default_model = Some("text.generate".into());
    })
    .await;
    let list = api.get("/v1/models").await.json();
    let found = |id: &str| {
        let mut all = list["data"].as_array().unwrap().iter().filter(|model| model["id"] == id);
        let found = all.next().map(|model| model["nervure"].clone());
        assert!(all.next().is_none(), "{id} twice");
        found
    };
    let alias = found("gpt-4o-mini").unwrap();
    assert_eq!((&alias["kind"], &alias["context"]), (&json!("alias"), &json!(4096)));
    // As in a query, where the operator's name comes first.
    assert_eq!(found("text").unwrap()["capability"], "text.generate");
    assert!(found("default").is_some() && found("gone").is_none());
    assert_eq!(api.get("/v1/models/gpt-4o-mini").await.json()["id"], "gpt-4o-mini");
}

#[tokio::test]
async fn an_answer_has_ten_minutes_unless_the_operator_or_the_request_says_otherwise() {
    let ask = json!({ "model": "words", "messages": [{ "role": "user", "content": "Hi" }] });
    for (operator, seconds) in [(None, 600), (Some(30), 30)] {
        let api = start(|config| {
            if let Some(seconds) = operator {
                config.limits.default_deadline = std::time::Duration::from_secs(seconds);
            }
        })
        .await;
        assert_eq!(api.post("/v1/chat/completions", &ask).await.status, 200);
        let left = api.service.last().deadline.as_secs();
        assert!(left <= seconds && (left > 30) == operator.is_none(), "{left} s");
    }
}
