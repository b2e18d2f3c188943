//! The plan of a testnet: its nodes, their names, and the experts that they serve.

use std::collections::BTreeSet;

use nervure_ledger::spec::Role;
use nervure_primitives::Netuid;

use crate::{
    TestnetError,
    subnets::{self, netuid_of},
};

/// The experts that the miners serve, in turn: two of each model, so that one can be killed. The second has a lower
/// quality, so that their scores differ.
pub const EXPERTS: [&str; 8] = [
    "builtin:rust",
    "builtin:python",
    "builtin:prose",
    "builtin:manual",
    "builtin:rust,quality=60",
    "builtin:python,quality=60",
    "builtin:prose,quality=60",
    "builtin:manual,quality=60",
];

/// Most nodes in one testnet: a typing error should not start a thousand processes.
pub const MAX_NODES: usize = 64;

/// How many nodes of each role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Validators; all of them are bootstrap nodes, so there is at least one.
    pub validators: usize,
    /// Miners, each with one expert in its first subnet.
    pub miners: usize,
    /// Gateways.
    pub gateways: usize,
}

/// The experts that the miners serve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MinerExperts {
    /// One for each miner, in turn; [`EXPERTS`] when there are none.
    pub(crate) each: Vec<String>,
    /// Those of further subnets, best first; each is given to one miner, as long as there are miners.
    pub(crate) further: Vec<Vec<String>>,
}

impl Default for Shape {
    fn default() -> Self {
        Self { validators: 4, miners: 8, gateways: 1 }
    }
}

impl Shape {
    /// Total number of nodes.
    pub fn nodes(&self) -> usize {
        self.validators.saturating_add(self.miners).saturating_add(self.gateways)
    }

    /// Checks that there can be a testnet of this shape.
    ///
    /// # Errors
    /// [`TestnetError::BadShape`] without a validator, or with more than [`MAX_NODES`] nodes.
    pub fn check(&self) -> Result<(), TestnetError> {
        if self.validators == 0 {
            return Err(TestnetError::BadShape("a testnet needs a validator for the others to find".into()));
        }
        if self.nodes() > MAX_NODES {
            return Err(TestnetError::BadShape(format!(
                "{} nodes are more than the {MAX_NODES} that a testnet may have",
                self.nodes()
            )));
        }
        Ok(())
    }

    /// The nodes, validators first.
    ///
    /// # Errors
    /// Those of [`Shape::check`].
    pub(crate) fn plan(&self, serving: &MinerExperts) -> Result<Vec<NodePlan>, TestnetError> {
        self.check()?;
        let named = |name: &str, count: usize| (1..=count).map(|n| format!("{name}-{n}")).collect::<Vec<_>>();
        let plain = |name, count, role, netuids: &[Netuid]| {
            let plan = |name| NodePlan { name, role, experts: Vec::new(), netuids: netuids.to_vec() };
            named(name, count).into_iter().map(plan).collect::<Vec<_>>()
        };
        let mut nodes = plain("validator", self.validators, Role::Validator, &subnets::ALL);
        let served = serving.of_miners(self.miners);
        nodes.extend(named("miner", self.miners).into_iter().zip(served).map(|(name, experts)| {
            let netuids: BTreeSet<Netuid> = experts.iter().map(|expert| netuid_of(expert)).collect();
            NodePlan { name, role: Role::Miner, experts, netuids: netuids.into_iter().collect() }
        }));
        nodes.extend(plain("gateway", self.gateways, Role::Gateway, &[]));
        Ok(nodes)
    }
}

impl MinerExperts {
    /// The experts of each miner. Further subnets continue with the miner after the last one, which spreads the experts
    /// evenly.
    fn of_miners(&self, miners: usize) -> Vec<Vec<String>> {
        let each = |index: usize| match self.each.len() {
            0 => EXPERTS[index % EXPERTS.len()].to_owned(),
            count => self.each[index % count].clone(),
        };
        let mut served: Vec<Vec<String>> = (0..miners).map(|index| vec![each(index)]).collect();
        let mut next = 0;
        for experts in &self.further {
            for expert in experts.iter().take(miners) {
                served[next % miners].push(expert.clone());
                next += 1;
            }
        }
        served
    }
}

/// A planned node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodePlan {
    /// Its name, for instance `miner-3`.
    pub(crate) name: String,
    /// Its role.
    pub(crate) role: Role,
    /// Its experts, in the form of `--expert`.
    pub(crate) experts: Vec<String>,
    /// The subnets that it is registered in.
    pub(crate) netuids: Vec<Netuid>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subnets::{EMBEDDING, TEXT_API, TEXT_GENERATION};

    fn of(each: &[&str]) -> MinerExperts {
        MinerExperts { each: each.iter().map(|expert| (*expert).to_owned()).collect(), further: Vec::new() }
    }

    #[test]
    fn plans_thirteen_nodes_with_every_expert_once_by_default() {
        let further = subnets::experts(None, Some("http://127.0.0.1:1/v1")).to_vec();
        let plan = Shape::default().plan(&MinerExperts { further, ..of(&[]) }).unwrap();
        assert_eq!(plan.len(), 13);
        assert_eq!((plan[0].name.as_str(), plan[0].role), ("validator-1", Role::Validator));
        assert_eq!(plan[0].netuids, [TEXT_GENERATION, TEXT_API, EMBEDDING]);
        assert_eq!((plan[12].name.as_str(), plan[12].role), ("gateway-1", Role::Gateway));
        for expert in EXPERTS {
            let first = |node: &&NodePlan| node.experts.first().is_some_and(|first| first == expert);
            assert_eq!(plan.iter().filter(first).count(), 1, "{expert}");
        }
        let served: Vec<_> = plan[4..12].iter().map(|node| node.experts.len()).collect();
        assert_eq!(served, [2, 2, 2, 2, 2, 2, 1, 1], "three in each further subnet, one a miner");
        assert_eq!(plan[4].netuids, [TEXT_GENERATION, TEXT_API]);
        assert_eq!(plan[7].netuids, [TEXT_GENERATION, EMBEDDING]);
    }

    #[test]
    fn lets_few_miners_serve_in_several_subnets_once_in_each() {
        let further = subnets::experts(None, Some("http://127.0.0.1:1/v1")).to_vec();
        for miners in 1..4 {
            let plan = Shape { validators: 1, miners, gateways: 0 };
            let plan = plan.plan(&MinerExperts { further: further.clone(), ..of(&[]) }).unwrap();
            for node in &plan[1..] {
                assert_eq!((node.experts.len(), node.netuids.len()), (3, 3), "{node:?}");
            }
        }
        assert_eq!(MinerExperts { further, ..of(&[]) }.of_miners(0), Vec::<Vec<String>>::new());
    }

    #[test]
    fn assigns_named_experts_in_turn() {
        let serving = of(&["a", "b,netuid=18"]);
        let plan = Shape { validators: 1, miners: 3, gateways: 0 }.plan(&serving).unwrap();
        let served: Vec<_> = plan.iter().flat_map(|node| node.experts.clone()).collect();
        assert_eq!(served, ["a", "b,netuid=18", "a"]);
        assert_eq!((&plan[1].netuids[..], &plan[2].netuids[..]), (&[TEXT_GENERATION][..], &[TEXT_API][..]));
    }

    #[test]
    fn gives_unique_names() {
        let plan = Shape { validators: 7, miners: 20, gateways: 3 }.plan(&of(&[])).unwrap();
        let names: BTreeSet<_> = plan.iter().map(|node| &node.name).collect();
        assert_eq!(names.len(), plan.len());
    }

    #[test]
    fn refuses_an_impossible_shape() {
        assert!(Shape { validators: 0, ..Shape::default() }.check().is_err());
        assert!(Shape { miners: 100, ..Shape::default() }.check().is_err());
        assert!(Shape { miners: usize::MAX, ..Shape::default() }.check().is_err());
    }
}
