//! `GET /openapi.json`: the API as an OpenAPI 3.1 document, made from the table of routes and the types of its bodies.
//!
//! The schemas of responses say what this node sends, those of requests what it accepts: a field with a default is
//! always in a response, and may be absent from a request.

use std::collections::BTreeMap;

use axum::{
    body::Bytes,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use nervure_api::{ApiErrorCode, ErrorBody, QueryTerms};
use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value, json};

use super::{
    App,
    answer::{EXPERT_HEADER, ROUTE_HEADER},
    routes::{Answer, ContentKind, Route, RouteAccess, served_groups},
    terms::TERM_HEADERS,
};

/// Where the document has its schemas.
const DEFINITIONS: &str = "/components/schemas";

/// The handler.
pub(super) async fn openapi(State(app): State<App>) -> Response {
    let openai = app.config.openai;
    let text = app.openapi.get_or_init(|| Bytes::from(openapi_document(openai).to_string())).clone();
    ([(header::CONTENT_TYPE, ContentKind::Json.media_type())], text).into_response()
}

/// The document of a node; with `openai`, that of a gateway.
#[must_use]
pub fn openapi_document(openai: bool) -> Value {
    let mut schemas = Schemas::new();
    let paths = paths(&mut schemas, openai);
    let tags: Vec<_> = served_groups(openai)
        .map(|group| json!({ "name": group.name, "description": group.summary }))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "The HTTP API of a Nervure node",
            "description": "Queries to a mesh of machine-learning subnets, and the state of a node and its ledger. \
                The words, the access rules and what a hostile client can do are in docs/protocol/http.md.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "This node." }],
        "security": [{ "key": [] }, {}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.into_components(),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Only where the operator has set keys.",
                },
            },
        },
    })
}

/// The schemas of both directions.
struct Schemas {
    requests: SchemaGenerator,
    responses: SchemaGenerator,
    terms: Map<String, Value>,
    error: Value,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            let settings = SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = DEFINITIONS.into();
                settings.meta_schema = None;
            });
            settings.with_transform(PlainDescriptions)
        };
        let mut requests = settings().for_deserialize().into_generator();
        let mut responses = settings().for_serialize().into_generator();
        let terms = properties(&plain(QueryTerms::json_schema(&mut requests)));
        let error = responses.subschema_for::<ErrorBody>().to_value();
        Self { requests, responses, terms, error }
    }

    /// All documents by name. No document is both sent and accepted with different schemas; a test checks it.
    fn into_components(mut self) -> Map<String, Value> {
        let mut all = self.responses.take_definitions(true);
        all.extend(self.requests.take_definitions(true));
        all.sort_keys();
        all
    }
}

/// The paths with their operations.
fn paths(schemas: &mut Schemas, openai: bool) -> Map<String, Value> {
    let mut paths = Map::new();
    for group in served_groups(openai) {
        for route in group.routes {
            let operation = operation(schemas, route, group.name);
            let path = paths.entry(route.path_template()).or_insert_with(|| json!({}));
            path[route.method().to_lowercase()] = operation;
        }
    }
    paths
}

fn operation(schemas: &mut Schemas, route: &Route, tag: &str) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "description": route.description,
        "tags": [tag],
        "responses": responses(schemas, route),
    });
    let parameters = parameters(schemas, route);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = route.body {
        let schema = body(&mut schemas.requests);
        operation["requestBody"] =
            json!({ "required": true, "content": { ContentKind::Json.media_type(): { "schema": schema } } });
    }
    if route.access == RouteAccess::Open {
        operation["security"] = json!([]);
    }
    operation
}

/// `get_checkpoints_height` for `GET /checkpoints/{height}`.
fn operation_id(route: &Route) -> String {
    let path = route.path_template();
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    [route.method().to_lowercase().as_str()].into_iter().chain(words).collect::<Vec<_>>().join("_")
}

fn parameters(schemas: &mut Schemas, route: &Route) -> Vec<Value> {
    let mut parameters = Vec::new();
    if let Some(parameter) = route.path_parameter {
        let path = route.path_template();
        let name = path.split(['{', '}']).nth(1).unwrap_or_default();
        let schema = (parameter.schema)(&mut schemas.requests);
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": parameter.description, "schema": schema,
        }));
    }
    if let Some(query) = route.query {
        for (name, mut schema) in properties(&plain(query(&mut schemas.requests))) {
            let description = take_field(&mut schema, "description");
            // The handlers parse texts, so that an error names the parameter. An empty text is never valid, so a
            // parameter without another default is required.
            let required = match schema.get("default") {
                Some(Value::String(text)) => text.is_empty(),
                _ => false,
            };
            if required || schema["default"].is_null() {
                take_field(&mut schema, "default");
            }
            parameters.push(json!({
                "name": name, "in": "query", "required": required, "description": description, "schema": schema,
            }));
        }
    }
    if route.term_headers {
        parameters.extend(TERM_HEADERS.map(|(header, field)| {
            let description = take_field(&mut schemas.terms[field].clone(), "description");
            json!({
                "name": header, "in": "header", "description": description, "schema": { "type": "string" },
            })
        }));
    }
    parameters
}

fn responses(schemas: &mut Schemas, route: &Route) -> Value {
    let mut responses: BTreeMap<String, Value> = BTreeMap::new();
    for answer in route.answers.into_iter().flatten() {
        let response = responses.entry(answer.status.to_string()).or_insert_with(|| json!({ "content": {} }));
        add_answer(schemas, route, response, answer);
    }
    let mut by_status: BTreeMap<u16, Vec<ApiErrorCode>> = BTreeMap::new();
    for code in route.errors() {
        by_status.entry(code.status()).or_default().push(code);
    }
    for (status, codes) in by_status {
        let names: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
        responses.entry(status.to_string()).or_insert_with(|| {
            json!({
                "description": format!("An error: {}.", names.join(", ")),
                "content": { ContentKind::Json.media_type(): { "schema": schemas.error } },
            })
        });
    }
    json!(responses)
}

fn add_answer(schemas: &mut Schemas, route: &Route, response: &mut Value, answer: Answer) {
    let schema = (answer.schema)(&mut schemas.responses);
    response["content"][answer.content.media_type()] = json!({ "schema": schema });
    response["description"] = match answer.content {
        ContentKind::Lines => "The answer, a JSON document per line; the schema is that of a line.".into(),
        ContentKind::Json | ContentKind::Events | ContentKind::Metrics => answer.description.into(),
    };
    if route.asks {
        let text = |description| json!({ "description": description, "schema": { "type": "string" } });
        response["headers"] = json!({
            EXPERT_HEADER: text("The expert that began to answer: `NODE/EXPERT`, in printable ASCII."),
            ROUTE_HEADER: text("How it was chosen, as JSON."),
            "link": text(
                "The certificate of the block whose incentives were used; with `explain`, also the trace.",
            ),
        });
    }
}

/// The properties of an object's schema.
fn properties(schema: &Value) -> Map<String, Value> {
    schema["properties"].as_object().cloned().unwrap_or_default()
}

/// Takes a field out of a schema; `null` if it has none.
fn take_field(schema: &mut Value, field: &str) -> Value {
    schema.as_object_mut().and_then(|schema| schema.remove(field)).unwrap_or_default()
}

/// A schema outside the generator's definitions, with plain descriptions.
fn plain(mut schema: Schema) -> Value {
    PlainDescriptions.transform(&mut schema);
    schema.to_value()
}

/// Replaces the links of doc comments by the names that they show: only rustdoc resolves them.
#[derive(Debug, Clone)]
struct PlainDescriptions;

impl Transform for PlainDescriptions {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = without_links(text);
        }
        transform_subschemas(self, schema);
    }
}

/// ``[`name`](target)`` and ``[`name`]`` as `` `name` ``, and lines joined.
fn without_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((name, after)) = link.split_once("`]") else { break };
        let after = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
        plain.push_str(&format!("{before}`{name}`"));
        rest = after;
    }
    plain.push_str(rest);
    plain.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::routes::served;

    #[test]
    fn descriptions_have_no_rustdoc_links() {
        let text = "The [`Fact`](nervure_ledger::tree::Fact) of [`A::b`],\nand [text](http://x).";
        assert_eq!(without_links(text), "The `Fact` of `A::b`, and [text](http://x).");
        assert_eq!(without_links("open [`x"), "open [`x");
    }

    #[test]
    fn no_document_is_sent_and_accepted_in_different_forms() {
        let mut schemas = Schemas::new();
        paths(&mut schemas, true);
        let (sent, accepted) =
            (schemas.responses.take_definitions(true), schemas.requests.take_definitions(true));
        for (name, schema) in &sent {
            assert!(accepted.get(name).is_none_or(|other| other == schema), "{name} has two schemas");
        }
    }

    #[test]
    fn operation_ids_differ() {
        let ids: Vec<_> = served(true).map(operation_id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
        assert!(ids.contains(&"get_checkpoints_height".to_owned()), "{ids:?}");
    }
}
