//! A route: the requests that it takes, the responses that it gives, and its handler.
//!
//! The types of bodies and parameters give their JSON schemas, so that the documentation cannot differ from them.

use axum::routing::{MethodFilter, MethodRouter};
use nervure_api::ApiErrorCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::{App, connections::RESERVED_PATHS};

/// Routes with one purpose: a section of the documentation.
#[derive(Debug, Clone, Copy)]
pub struct RouteGroup {
    /// Its name.
    pub name: &'static str,
    /// Its purpose, in a sentence.
    pub summary: &'static str,
    /// Whether only gateways serve it.
    pub gateways_only: bool,
    /// Its routes.
    pub routes: &'static [Route],
}

/// A route of the API.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    pub(crate) method: MethodFilter,
    /// As axum writes it.
    pub(crate) template: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    pub(crate) access: RouteAccess,
    pub(crate) path_parameter: Option<PathParameter>,
    /// An object with a property for each parameter of the query string.
    pub(crate) query: Option<SchemaSource>,
    pub(crate) body: Option<SchemaSource>,
    /// Whether it asks the mesh: its response has the headers that name the expert.
    pub(crate) asks: bool,
    /// Whether it takes the headers `x-nervure-*`.
    pub(crate) term_headers: bool,
    pub(crate) answers: [Option<Answer>; 2],
    pub(crate) failures: &'static [&'static [ApiErrorCode]],
    pub(crate) handler: fn(MethodFilter) -> MethodRouter<App>,
}

/// Makes the schema of a type: a reference, where the type is a document of its own.
pub(crate) type SchemaSource = fn(&mut SchemaGenerator) -> Schema;

/// The variable part of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathParameter {
    pub(crate) description: &'static str,
    pub(crate) schema: SchemaSource,
}

/// A response that is not an error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) description: &'static str,
    pub(crate) content: ContentKind,
    /// Of the whole body, or of each item of a stream.
    pub(crate) schema: SchemaSource,
}

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentKind {
    /// One JSON value.
    Json,
    /// A JSON value per line.
    Lines,
    /// Server-sent events, each with a JSON value as its data.
    Events,
    /// OpenMetrics text.
    Metrics,
}

/// Which requests a route answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteAccess {
    /// With keys, those that show one; without, those of this host.
    Guarded,
    /// With keys, every request; without, those of this host.
    Open,
}

/// What the guard refuses, on every route.
const GUARD_FAILURES: [ApiErrorCode; 3] =
    [ApiErrorCode::InvalidApiKey, ApiErrorCode::WrongHost, ApiErrorCode::WrongOrigin];

impl Route {
    pub(super) const fn get(
        template: &'static str,
        summary: &'static str,
        handler: fn(MethodFilter) -> MethodRouter<App>,
    ) -> Self {
        Self::new(MethodFilter::GET, template, summary, handler)
    }

    pub(super) const fn post(
        template: &'static str,
        summary: &'static str,
        handler: fn(MethodFilter) -> MethodRouter<App>,
    ) -> Self {
        Self::new(MethodFilter::POST, template, summary, handler)
    }

    const fn new(
        method: MethodFilter,
        template: &'static str,
        summary: &'static str,
        handler: fn(MethodFilter) -> MethodRouter<App>,
    ) -> Self {
        Self {
            method,
            template,
            summary,
            description: "",
            access: RouteAccess::Guarded,
            path_parameter: None,
            query: None,
            body: None,
            asks: false,
            term_headers: false,
            answers: [None; 2],
            failures: &[],
            handler,
        }
    }

    /// What a client needs to know besides the summary.
    pub(super) const fn about(self, description: &'static str) -> Self {
        Self { description, ..self }
    }

    /// Needs no key.
    pub(super) const fn open(self) -> Self {
        Self { access: RouteAccess::Open, ..self }
    }

    /// The variable part of the path.
    pub(super) const fn path<T: JsonSchema>(self, description: &'static str) -> Self {
        Self { path_parameter: Some(PathParameter { description, schema: schema_of::<T> }), ..self }
    }

    /// The parameters of the query string: the fields of `T`.
    pub(super) const fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(T::json_schema), ..self }
    }

    /// The body of the request.
    pub(super) const fn takes<T: JsonSchema>(self) -> Self {
        Self { body: Some(schema_of::<T>), ..self }
    }

    /// The response with status 200.
    pub(super) const fn returns<T: JsonSchema>(self, content: ContentKind) -> Self {
        let answer = Answer { status: 200, description: "The answer.", content, schema: schema_of::<T> };
        Self { answers: [Some(answer), None], ..self }
    }

    /// A second response that is not an error.
    pub(super) const fn or<T: JsonSchema>(
        self,
        status: u16,
        content: ContentKind,
        description: &'static str,
    ) -> Self {
        let answer = Answer { status, description, content, schema: schema_of::<T> };
        Self { answers: [self.answers[0], Some(answer)], ..self }
    }

    /// Asks the mesh.
    pub(super) const fn asks(self) -> Self {
        Self { asks: true, ..self }
    }

    /// Takes the terms of a query as headers.
    pub(super) const fn term_headers(self) -> Self {
        Self { term_headers: true, ..self }
    }

    /// The codes of its errors, besides those of the guard.
    pub(super) const fn fails(self, failures: &'static [&'static [ApiErrorCode]]) -> Self {
        Self { failures, ..self }
    }

    /// `GET` or `POST`.
    #[must_use]
    pub fn method(&self) -> &'static str {
        if self.method == MethodFilter::POST { "POST" } else { "GET" }
    }

    /// The path, with its parameter in braces.
    #[must_use]
    pub fn path_template(&self) -> String {
        // axum marks a parameter that may contain slashes with an asterisk, which means nothing to a client.
        self.template.replace("{*", "{")
    }

    /// Its purpose, for lists.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// Which requests it answers.
    #[must_use]
    pub fn access(&self) -> RouteAccess {
        self.access
    }

    /// The codes of its errors, each once, in the order of the documentation.
    #[must_use]
    pub fn errors(&self) -> Vec<ApiErrorCode> {
        let mut all: Vec<_> =
            self.failures.iter().copied().flatten().chain(&GUARD_FAILURES).copied().collect();
        if !RESERVED_PATHS.contains(&self.template) {
            // On a connection of the reserve.
            all.push(ApiErrorCode::Unavailable);
        }
        if self.access == RouteAccess::Open {
            all.retain(|code| *code != ApiErrorCode::InvalidApiKey);
        }
        all.sort();
        all.dedup();
        all
    }
}

impl ContentKind {
    /// The media type, without parameters.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
            Self::Metrics => "application/openmetrics-text",
        }
    }
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
