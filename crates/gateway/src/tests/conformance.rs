//! Every response that the tests of this crate get is checked against the schema that `/openapi.json` promises.

use std::{cell::RefCell, collections::HashMap};

use boon::{Compiler, SchemaIndex, Schemas};
use nervure_api::ApiErrorCode;
use serde_json::Value;

use super::Reply;
use crate::{ROUTES, Route, openapi_document};

/// Where the schema compiler finds the document.
const DOCUMENT_URL: &str = "http://localhost/openapi.json";

thread_local! {
    static CHECKER: RefCell<Checker> = RefCell::new(Checker::new());
}

/// The schemas of the document, compiled as they are needed.
struct Checker {
    document: Value,
    compiler: Compiler,
    schemas: Schemas,
    compiled: HashMap<String, SchemaIndex>,
}

/// Panics unless `reply` is a response that the document promises for this request.
#[track_caller]
pub(super) fn check(method: &str, path: &str, reply: &Reply) {
    let Some(route) = ROUTES.iter().flat_map(|group| group.routes).find(|route| serves(route, method, path))
    else {
        return;
    };
    let checked = CHECKER.with_borrow_mut(|checker| checker.check(route, reply));
    if let Err(problem) = checked {
        panic!("{method} {path} is not as documented: {problem}\n{}", reply.text);
    }
}

/// Whether a path belongs to a route.
fn serves(route: &Route, method: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let same = |(part, want): (&str, &str)| want.starts_with('{') || part == want;
    let (parts, wanted): (Vec<_>, Vec<_>) = (path.split('/').collect(), route.template.split('/').collect());
    let rest = route.template.contains("{*") && parts.len() > wanted.len();
    route.method() == method
        && (parts.len() == wanted.len() || rest)
        && parts.into_iter().zip(wanted).all(same)
}

impl Checker {
    fn new() -> Self {
        let document = openapi_document(true);
        let mut compiler = Compiler::new();
        compiler.add_resource(DOCUMENT_URL, document.clone()).unwrap();
        Self { document, compiler, schemas: Schemas::new(), compiled: HashMap::new() }
    }

    fn check(&mut self, route: &Route, reply: &Reply) -> Result<(), String> {
        if self.check_code(route, reply)? {
            return Ok(());
        }
        let media_type = reply.header("content-type").split(';').next().unwrap_or_default();
        let place = [
            "paths",
            &route.path_template(),
            &route.method().to_lowercase(),
            "responses",
            &reply.status.to_string(),
            "content",
            media_type,
            "schema",
        ]
        .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
        .concat();
        if self.document.pointer(&place).is_none() {
            return Err(format!("no {place}"));
        }
        let error = self.index("/components/schemas/ErrorBody")?;
        let index = self.index(&place)?;
        for (item, may_fail) in items(media_type, &reply.text) {
            let valid = self.schemas.validate(&item, index);
            if may_fail && valid.is_err() && self.schemas.validate(&item, error).is_ok() {
                continue;
            }
            valid.map_err(|error| format!("{error:#}"))?;
        }
        Ok(())
    }

    /// Whether the response is an error of the router, not of the route; an undocumented code is a problem.
    fn check_code(&self, route: &Route, reply: &Reply) -> Result<bool, String> {
        let body: Value = serde_json::from_str(&reply.text).unwrap_or_default();
        let Some(code) = body["error"]["code"].as_str() else { return Ok(false) };
        let code = ApiErrorCode::ALL.into_iter().find(|known| known.as_str() == code);
        let code = code.ok_or("an unknown error code")?;
        if code.status() != reply.status {
            return Err(format!("{code} with another status"));
        }
        if route.errors().contains(&code) {
            return Ok(false);
        }
        let router = matches!(code, ApiErrorCode::UnknownUrl | ApiErrorCode::MethodNotAllowed);
        if router { Ok(true) } else { Err(format!("{code} is not among the errors of the route")) }
    }

    fn index(&mut self, place: &str) -> Result<SchemaIndex, String> {
        if let Some(index) = self.compiled.get(place) {
            return Ok(*index);
        }
        let url = format!("{DOCUMENT_URL}#{place}");
        let index =
            self.compiler.compile(&url, &mut self.schemas).map_err(|error| format!("{place}: {error:#}"))?;
        self.compiled.insert(place.to_owned(), index);
        Ok(index)
    }
}

/// The items that the schema describes, each with whether it may be an error body instead.
fn items(media_type: &str, text: &str) -> Vec<(Value, bool)> {
    let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    match media_type {
        "application/x-ndjson" => text.lines().map(|line| (json(line), false)).collect(),
        "text/event-stream" => {
            let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
            data.filter(|data| *data != "[DONE]").map(|data| (json(data), true)).collect()
        }
        "application/json" => vec![(json(text), false)],
        _ => vec![(Value::String(text.to_owned()), false)],
    }
}

#[test]
fn a_response_that_is_not_as_documented_is_found() {
    let reply = |status, text: &str| {
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        Reply { status, headers, text: text.into() }
    };
    let route = ROUTES[0].routes.iter().find(|route| route.path_template() == "/peers").unwrap();
    let mut checker = Checker::new();
    assert_eq!(checker.check(route, &reply(200, r#"{"peers": []}"#)), Ok(()));
    assert!(checker.check(route, &reply(200, r#"{"peers": [{}]}"#)).unwrap_err().contains("node"));
    assert!(checker.check(route, &reply(202, "{}")).unwrap_err().contains("/responses/202/"));
    let error = |code: &str| {
        format!(r#"{{"error": {{"message": "m", "type": "t", "param": null, "code": "{code}"}}}}"#)
    };
    assert_eq!(checker.check(route, &reply(401, &error("invalid_api_key"))), Ok(()));
    assert!(checker.check(route, &reply(404, &error("not_found"))).unwrap_err().contains("not among"));
    assert!(checker.check(route, &reply(400, &error("new_code"))).unwrap_err().contains("unknown"));
}
