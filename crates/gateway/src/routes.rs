//! The routes: one table that makes the router, the list of endpoints in an error, `/openapi.json` and the tables of
//! `docs/protocol/http.md`.

mod route;
mod table;

use axum::{
    Router,
    extract::{Request, State},
    middleware,
};
use nervure_primitives::Excerpt;

use super::{App, error::ApiError, guard, metrics, origin};

pub(crate) use route::{Answer, ContentKind};
pub use route::{Route, RouteAccess, RouteGroup};
pub use table::ROUTES;

/// The groups that a node serves; with `openai`, those of a gateway too.
pub(crate) fn served_groups(openai: bool) -> impl Iterator<Item = &'static RouteGroup> {
    ROUTES.iter().filter(move |group| openai || !group.gateways_only)
}

/// The routes that a node serves.
pub(crate) fn served(openai: bool) -> impl Iterator<Item = &'static Route> {
    served_groups(openai).flat_map(|group| group.routes)
}

/// Whether the path needs no key.
pub(super) fn is_open(path: &str) -> bool {
    served(true).any(|route| route.access == RouteAccess::Open && route.template == path)
}

/// The routes, behind the guard and the counters.
pub(super) fn router(app: App) -> Router {
    served(app.config.openai)
        .fold(Router::new(), |router, route| router.route(route.template, (route.handler)(route.method)))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(middleware::from_fn_with_state(app.clone(), origin::cors))
        .layer(middleware::from_fn_with_state(app.clone(), metrics::count))
        .with_state(app)
}

/// 404 that names the list of endpoints.
async fn not_found(State(app): State<App>, request: Request) -> ApiError {
    let path = request.uri().path();
    let note = if path.starts_with("/v1") && !app.config.openai {
        " (this node is not a gateway: /v1 is served by nodes that joined with --role gateway)"
    } else {
        ""
    };
    ApiError::not_found(format!("no endpoint {}{note}; GET /openapi.json lists them", Excerpt::new(path)))
}

/// 405 for a known path. axum adds the `Allow` header.
async fn wrong_method(request: Request) -> ApiError {
    ApiError::wrong_method(format!(
        "{} does not take {}",
        Excerpt::new(request.uri().path()),
        request.method()
    ))
}

#[cfg(test)]
mod tests {
    use nervure_api::paths;

    use super::*;

    #[test]
    fn opens_the_health_check_and_proofs_alone_without_a_key() {
        let open: Vec<_> = served(true).filter(|route| route.access() == RouteAccess::Open).collect();
        assert_eq!(open.len(), 3, "the health check and what clients without a state ask");
        assert!(is_open(paths::HEALTHZ) && is_open(paths::LIGHT) && !is_open(paths::STATUS));
    }

    #[test]
    fn every_route_says_what_it_is_for_and_what_it_returns() {
        for route in served(true) {
            let path = route.path_template();
            assert!(!route.summary().is_empty() && route.description.ends_with('.'), "{path}");
            assert!(route.answers[0].is_some(), "{path} returns nothing");
            assert_eq!(path.contains('{'), route.path_parameter.is_some(), "{path}");
            assert_eq!(route.method() == "POST", route.body.is_some(), "{path}");
        }
    }
}
