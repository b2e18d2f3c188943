//! The OpenAPI document: valid, complete, and without references into nothing.

use std::collections::BTreeSet;

use boon::{Compiler, Schemas};
use serde_json::Value;

use super::{python::run_script, start};
use crate::{ROUTES, openapi_document};

/// The official schema of OpenAPI 3.1 documents: https://spec.openapis.org/oas/3.1/schema/2022-10-07.
const OPENAPI_SCHEMA: &str = include_str!("../../tests/fixtures/openapi-3.1-schema-2022-10-07.json");

/// The validator of the Python package; it prints `SKIPPED` and succeeds where the package is missing.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/validate_openapi.py");

#[test]
fn is_valid_by_the_official_schema() {
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    let official: Value = serde_json::from_str(OPENAPI_SCHEMA).unwrap();
    compiler.add_resource("http://localhost/official.json", official).unwrap();
    let index = compiler.compile("http://localhost/official.json", &mut schemas).unwrap();
    for openai in [false, true] {
        let mut document = openapi_document(openai);
        schemas.validate(&document, index).unwrap_or_else(|error| panic!("{error:#}"));
        document["paths"]["/status"]["get"]["response"] = "not a field".into();
        assert!(schemas.validate(&document, index).is_err(), "the check finds nothing");
    }
}

#[test]
fn its_schemas_are_valid() {
    let document = openapi_document(true);
    let names: Vec<_> = document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    compiler.add_resource("http://localhost/openapi.json", document).unwrap();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        let url = format!("http://localhost/openapi.json#/components/schemas/{name}");
        compiler.compile(&url, &mut schemas).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    }
}

#[test]
fn has_every_route_and_no_other() {
    for openai in [false, true] {
        let served = ROUTES.iter().filter(|group| openai || !group.gateways_only);
        let routes = served.flat_map(|group| group.routes);
        let routes: BTreeSet<_> =
            routes.map(|route| (route.path_template(), route.method().to_lowercase())).collect();
        let document = openapi_document(openai);
        let mut documented = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            documented
                .extend(operations.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())));
        }
        assert_eq!(documented, routes);
    }
}

#[test]
fn every_reference_resolves_and_every_schema_is_used() {
    let document = openapi_document(true);
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(references.contains(&format!("#/components/schemas/{name}")), "{name} is not used");
    }
}

fn collect_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| collect_references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_field_of_every_document_is_described() {
    let document = openapi_document(true);
    let mut missing = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            if schema["description"].as_str().is_none_or(str::is_empty) {
                missing.push(format!("{name}.{field}"));
            }
        }
    }
    assert!(missing.is_empty(), "without a description: {missing:?}");
}

#[tokio::test]
async fn is_served_by_every_node_for_what_it_serves() {
    let api = start(|_| ()).await;
    assert_eq!(api.get("/openapi.json").await.json(), openapi_document(true));
    let api = start(|config| config.openai = false).await;
    let document = api.get("/openapi.json").await.json();
    assert_eq!(document, openapi_document(false));
    assert!(document["paths"]["/v1/models"].is_null() && document["paths"]["/status"].is_object());
}

#[tokio::test]
async fn the_python_validator_accepts_it() {
    let api = start(|_| ()).await;
    if let Some(out) = run_script(SCRIPT, &[&api.url("/openapi.json")]).await {
        assert!(out.contains("SKIPPED") || out.contains("ok: "), "{out}");
    }
}
