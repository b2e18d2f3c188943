//! What an asker is told when nobody may be asked.

use std::time::Duration;

use nervure_experts::{ExpertRequest, Sampling};
use nervure_ledger::spec::{MeshSpec, NodeSpec, Role};
use nervure_primitives::{Amount, Netuid, NodeKey};
use nervure_subnet::{ExpertRecord, Policy, SignedRecord};

use super::*;
use crate::{runtime::registry::LedgerRegistry, service::Strategy};

fn catalog(records: &[(&str, u64)]) -> ExpertCatalog {
    let key = NodeKey::from_seed(&[1; 32]);
    let mut spec = MeshSpec::local("a");
    let id = key.node_id();
    spec.nodes.push(NodeSpec {
        id,
        owner: None,
        role: Role::Miner,
        netuids: vec![Netuid(1)],
        stake: Amount::ZERO,
        anchor: None,
    });
    let catalog = ExpertCatalog::new(spec.mesh_id(), LedgerRegistry::of(&spec).unwrap());
    for (number, (capability, price)) in records.iter().enumerate() {
        let record = ExpertRecord {
            node: id,
            netuid: Netuid(1),
            expert: format!("e{number}"),
            capability: capability.parse().unwrap(),
            model: format!("m{number}"),
            context: 256,
            max_output: 4096,
            price: *price,
            byte_level: true,
            load: 0,
            addresses: vec![([127, 0, 0, 1], 1).into()],
            seq: 1,
            issued_at: clock::now(),
            expires_at: clock::now().plus(Duration::from_secs(30)),
            withdrawn: false,
        };
        catalog.insert_own(SignedRecord::sign(&key, &spec.mesh_id(), record).unwrap());
    }
    catalog
}

fn ask(target: QueryTarget) -> Query {
    let request = ExpertRequest::Complete {
        prompt: "x".into(),
        sampling: Sampling { max_tokens: 1000, ..Sampling::default() },
    };
    Query {
        target,
        request,
        strategy: Strategy::Best,
        policy: Policy::Balanced,
        budget: Amount::ZERO,
        deadline: Duration::from_secs(1),
        explain: false,
        receipt: false,
        filter: None,
    }
}

fn capability(name: &str) -> QueryTarget {
    QueryTarget::Capability(name.parse().unwrap())
}

fn refusal(catalog: &ExpertCatalog, ask: &Query) -> ServiceError {
    select(catalog, &Trusts::new(), ask).err().unwrap()
}

#[test]
fn unknown_capabilities_and_models_come_with_what_is_known() {
    let catalog = catalog(&[("text.generate.rust", 0)]);
    let ServiceError::NoExpert { known, .. } = refusal(&catalog, &ask(capability("image"))) else { panic!() };
    assert_eq!(known, ["text.generate.rust"]);
    let ServiceError::UnknownModel { known, .. } = refusal(&catalog, &ask(QueryTarget::Model("x".into())))
    else {
        panic!()
    };
    assert_eq!(known, ["m0"]);
    assert!(select(&catalog, &Trusts::new(), &ask(QueryTarget::Named("m0".into()))).is_ok());
}

#[test]
fn a_price_over_the_budget_is_named_and_a_budget_that_covers_it_is_enough() {
    let catalog = catalog(&[("text.generate", 7), ("text.generate", 5)]);
    let cheapest = Amount::from_base_units(5);
    let error = refusal(&catalog, &ask(capability("text")));
    assert_eq!(error, ServiceError::OverBudget { cheapest, budget: Amount::ZERO });
    let route =
        select(&catalog, &Trusts::new(), &Query { budget: cheapest, ..ask(capability("text")) }).unwrap();
    assert_eq!((route.choices.len(), route.filtered.len()), (1, 1));
}

#[test]
fn a_filter_shows_its_mistake_and_whether_anything_passes() {
    let catalog = catalog(&[("text.generate", 0)]);
    let filtered = |filter: &str| Query { filter: Some(filter.into()), ..ask(capability("text")) };
    assert!(matches!(refusal(&catalog, &filtered("context >")), ServiceError::InvalidFilter { .. }));
    assert_eq!(refusal(&catalog, &filtered("context > 9999")), ServiceError::NoMatch { known: 1 });
    assert!(select(&catalog, &Trusts::new(), &filtered("context >= 256")).is_ok());
}

#[test]
fn experts_that_rest_are_busy_and_not_absent() {
    let catalog = catalog(&[("text.generate", 0)]);
    let node = catalog.find(&Find::default()).records[0].node;
    (0..3).for_each(|_| catalog.observations().failed(node, "e0", clock::now()));
    assert!(matches!(refusal(&catalog, &ask(capability("text"))), ServiceError::Busy { .. }));
}
