//! What a testnet consists of: which nodes, under which names, serving what.

use nervure_ledger::spec::Role;

use crate::TestnetError;

/// What the miners serve, in turn. Two of each in the default testnet, so that there is a choice and a second one when
/// the first is killed; the second is a worse one, so that validators have something to find out.
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

/// Most nodes in one testnet: a slip of the keyboard should not start a thousand processes.
pub const MAX_NODES: usize = 64;

/// How many nodes of each role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Validators; all of them are bootstrap nodes, so there is at least one.
    pub validators: usize,
    /// Miners, each with one expert.
    pub miners: usize,
    /// Gateways.
    pub gateways: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { validators: 4, miners: 8, gateways: 1 }
    }
}

impl Shape {
    /// How many nodes in all.
    pub fn nodes(&self) -> usize {
        self.validators.saturating_add(self.miners).saturating_add(self.gateways)
    }

    /// The nodes, validators first; the miners serve `experts` in turn, [`EXPERTS`] when there are none.
    ///
    /// # Errors
    /// [`TestnetError::BadShape`] without a validator, or with more than [`MAX_NODES`] nodes.
    pub fn plan(&self, experts: &[String]) -> Result<Vec<NodePlan>, TestnetError> {
        if self.validators == 0 {
            return Err(TestnetError::BadShape("a testnet needs a validator for the others to find".into()));
        }
        if self.nodes() > MAX_NODES {
            return Err(TestnetError::BadShape(format!(
                "{} nodes are more than the {MAX_NODES} that a testnet may have",
                self.nodes()
            )));
        }
        let roles = [
            (Role::Validator, "validator", self.validators),
            (Role::Miner, "miner", self.miners),
            (Role::Gateway, "gateway", self.gateways),
        ];
        Ok(roles
            .into_iter()
            .flat_map(|(role, name, count)| {
                (0..count).map(move |index| NodePlan::new(role, name, index, experts))
            })
            .collect())
    }
}

/// One node to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlan {
    /// Its name, for instance `miner-3`.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// What it serves, in the form of `--expert`.
    pub expert: Option<String>,
}

impl NodePlan {
    fn new(role: Role, name: &str, index: usize, experts: &[String]) -> Self {
        let expert = (role == Role::Miner).then(|| match experts.len() {
            0 => EXPERTS[index % EXPERTS.len()].to_owned(),
            count => experts[index % count].clone(),
        });
        Self { name: format!("{name}-{}", index + 1), role, expert }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_has_thirteen_nodes_and_every_expert_once() {
        let plan = Shape::default().plan(&[]).unwrap();
        assert_eq!(plan.len(), 13);
        assert_eq!(
            (plan[0].name.as_str(), plan[0].role, &plan[0].expert),
            ("validator-1", Role::Validator, &None)
        );
        assert_eq!((plan[12].name.as_str(), plan[12].role), ("gateway-1", Role::Gateway));
        for expert in EXPERTS {
            assert_eq!(
                plan.iter().filter(|node| node.expert.as_deref() == Some(expert)).count(),
                1,
                "{expert}"
            );
        }
    }

    #[test]
    fn named_experts_are_served_in_turn() {
        let experts = ["a".to_owned(), "b".to_owned()];
        let plan = Shape { validators: 1, miners: 3, gateways: 0 }.plan(&experts).unwrap();
        let served: Vec<_> = plan.iter().filter_map(|node| node.expert.as_deref()).collect();
        assert_eq!(served, ["a", "b", "a"]);
    }

    #[test]
    fn names_are_unique() {
        let plan = Shape { validators: 7, miners: 20, gateways: 3 }.plan(&[]).unwrap();
        let names: std::collections::BTreeSet<_> = plan.iter().map(|node| &node.name).collect();
        assert_eq!(names.len(), plan.len());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(Shape { validators: 0, ..Shape::default() }.plan(&[]).is_err());
        assert!(Shape { miners: 100, ..Shape::default() }.plan(&[]).is_err());
        assert!(Shape { miners: usize::MAX, ..Shape::default() }.plan(&[]).is_err());
    }
}
