//! What the asker is told when no expert may be asked.

use nervure_primitives::Amount;
use nervure_protocol::ExpertRequest;
use nervure_subnet::Policy;

use super::*;
use crate::fake::{FakeExpert, FakeMesh, node, query, unreachable};

/// Experts with these capabilities and prices, of the models `m0`, `m1` and so on.
fn mesh(experts: &[(&str, u64)]) -> FakeMesh {
    let expert = |(number, (capability, price)): (u8, &(&str, u64))| {
        let mut expert = FakeExpert::new(number, unreachable()).with_model(&format!("m{number}"));
        (expert.record.capability, expert.record.price) = (capability.parse().unwrap(), *price);
        expert
    };
    FakeMesh::new((0..).zip(experts).map(expert).collect())
}

fn selected(mesh: &FakeMesh, query: &Query) -> Result<Route, ServiceError> {
    let environment = &mesh.router.environment;
    select(environment, &environment.trust.snapshot(), query)
}

fn to(target: QueryTarget) -> Query {
    Query { target, ..query("best") }
}

fn capability(name: &str) -> QueryTarget {
    QueryTarget::Capability(name.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn unknown_capabilities_and_models_come_with_the_known_ones() {
    let mesh = mesh(&[("text.generate.rust", 0)]);
    let Err(ServiceError::NoExpert { known, .. }) = selected(&mesh, &to(capability("image"))) else {
        panic!()
    };
    assert_eq!(known, ["text.generate.rust"]);
    let unknown = to(QueryTarget::Model("x".into()));
    let Err(ServiceError::UnknownModel { known, .. }) = selected(&mesh, &unknown) else { panic!() };
    assert_eq!(known, ["m0"]);
    assert!(selected(&mesh, &to(QueryTarget::Named("m0".into()))).is_ok());
}

#[tokio::test(start_paused = true)]
async fn known_names_are_bounded() {
    let names: Vec<String> = (0..MAX_KNOWN_NAMES + 5).map(|number| format!("text.a{number}")).collect();
    let experts: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 0)).collect();
    let Err(ServiceError::NoExpert { known, .. }) = selected(&mesh(&experts), &to(capability("image")))
    else {
        panic!()
    };
    assert_eq!(known.len(), MAX_KNOWN_NAMES);
}

#[tokio::test(start_paused = true)]
async fn a_price_over_the_budget_is_named_and_a_budget_that_covers_it_is_enough() {
    let mesh = mesh(&[("text.generate", 7), ("text.generate", 5)]);
    let cheapest = Amount::from_base_units(5);
    let error = selected(&mesh, &to(capability("text"))).unwrap_err();
    assert_eq!(error, ServiceError::OverBudget { cheapest, budget: Amount::ZERO });
    let route = selected(&mesh, &Query { budget: cheapest, ..to(capability("text")) }).unwrap();
    assert_eq!((route.choices.len(), route.filtered.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_filter_shows_its_mistake_and_whether_anything_passes() {
    let mesh = mesh(&[("text.generate", 0)]);
    let filtered = |filter: &str| Query { filter: Some(filter.into()), ..to(capability("text")) };
    let error = selected(&mesh, &filtered("context >")).unwrap_err();
    assert!(matches!(error, ServiceError::InvalidFilter { .. }));
    let error = selected(&mesh, &filtered("context > 9999")).unwrap_err();
    assert_eq!(error, ServiceError::NoMatch { known: 1 });
    assert!(selected(&mesh, &filtered("context >= 256")).is_ok());
}

#[tokio::test(start_paused = true)]
async fn paused_experts_are_busy_and_not_absent() {
    let mesh = mesh(&[("text.generate", 0)]);
    let now = mesh.router.environment.clock.now();
    (0..3).for_each(|_| mesh.catalog.observations().failed(node(0), "e0", now));
    let error = selected(&mesh, &to(capability("text"))).unwrap_err();
    assert_eq!(error, ServiceError::Busy { retry_after: BUSY_RETRY_AFTER });
}

#[tokio::test(start_paused = true)]
async fn trust_decides_the_order_and_the_request_only_the_price() {
    let mesh = mesh(&[("text.generate", 0), ("text.generate", 0), ("text.generate", 0)]);
    let request = ExpertRequest::Embed { inputs: vec!["x".into()] };
    let query = Query { policy: Policy::Trusted, request, ..to(capability("text")) };
    let route = selected(&mesh, &query).unwrap();
    let order: Vec<_> = route.choices.iter().map(|choice| choice.record.node).collect();
    assert_eq!(order, [0, 1, 2].map(node));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_names_subnets_asks_there_or_is_refused() {
    let expert = |number: u8, netuid: u16| {
        let mut expert = FakeExpert::new(number, unreachable());
        expert.record.netuid = Netuid(netuid);
        expert
    };
    let mesh = FakeMesh::new(vec![expert(0, 1), expert(1, 18), expert(2, 22)]);
    let in_subnets = |netuids: &[u16]| Query {
        subnets: netuids.iter().copied().map(Netuid).collect(),
        ..to(capability("text"))
    };
    assert_eq!(selected(&mesh, &in_subnets(&[])).unwrap().choices.len(), 3, "all of them");
    let two = selected(&mesh, &in_subnets(&[18, 22])).unwrap().choices;
    assert!(two.len() == 2 && two.iter().all(|choice| choice.record.netuid != Netuid(1)));
    let error = selected(&mesh, &in_subnets(&[7])).unwrap_err();
    let found = vec![Netuid(1), Netuid(18), Netuid(22)];
    assert_eq!(error, ServiceError::NotInSubnets { subnets: vec![Netuid(7)], found });
}
