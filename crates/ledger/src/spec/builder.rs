//! Specs, nodes and accounts from their essential fields. Everything else has a default here, so that a new field of a
//! spec is not a change of everything that makes one.

use nervure_anchor::AnchorAddress;
use nervure_primitives::{Amount, Netuid, NodeId};

use super::{AccountSpec, MeshSpec, NodeSpec, Role};

impl MeshSpec {
    /// A mesh for tests and measurements: a local one without nodes and accounts.
    pub fn test(name: &str) -> Self {
        let mut spec = Self::local(name);
        // Stakes of a few base units make validators.
        spec.economy.min_self_stake = 1;
        // An account holds 500 base units.
        spec.economy.deposit_per_byte = 1;
        spec
    }

    /// The same mesh with one more node, registered in all subnets that the spec has so far.
    #[must_use]
    pub fn with_node(mut self, id: NodeId, role: Role, stake: Amount) -> Self {
        let netuids = self.subnets.iter().map(|subnet| subnet.netuid);
        let node = NodeSpec::new(id, role).in_subnets(netuids).with_stake(stake);
        self.nodes.push(node);
        self
    }

    /// The same mesh with one more validator; see [`Self::with_node`].
    #[must_use]
    pub fn with_validator(self, id: NodeId, stake: Amount) -> Self {
        self.with_node(id, Role::Validator, stake)
    }

    /// The same mesh with one more miner, without stake; see [`Self::with_node`].
    #[must_use]
    pub fn with_miner(self, id: NodeId) -> Self {
        self.with_node(id, Role::Miner, Amount::ZERO)
    }

    /// The same mesh with one more account.
    #[must_use]
    pub fn with_account(mut self, owner: NodeId, balance: Amount) -> Self {
        self.accounts.push(AccountSpec::new(owner, balance));
        self
    }
}

impl NodeSpec {
    /// A node without stake that owns itself and is registered in no subnet.
    pub const fn new(id: NodeId, role: Role) -> Self {
        Self { id, owner: None, role, netuids: Vec::new(), stake: Amount::ZERO, anchor: None }
    }

    /// The same node, registered in these subnets and no others.
    #[must_use]
    pub fn in_subnets(mut self, netuids: impl IntoIterator<Item = Netuid>) -> Self {
        self.netuids = netuids.into_iter().collect();
        self
    }

    /// The same node with this stake.
    #[must_use]
    pub const fn with_stake(mut self, stake: Amount) -> Self {
        self.stake = stake;
        self
    }

    /// The same node with this owner.
    #[must_use]
    pub const fn with_owner(mut self, owner: NodeId) -> Self {
        self.owner = Some(owner);
        self
    }

    /// The same node with the address of its anchor key.
    #[must_use]
    pub const fn with_anchor(mut self, anchor: Option<AnchorAddress>) -> Self {
        self.anchor = anchor;
        self
    }
}

impl AccountSpec {
    /// An account with a balance.
    pub const fn new(owner: NodeId, balance: Amount) -> Self {
        Self { owner, balance, vesting: None }
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::NodeKey;

    use super::*;

    #[test]
    fn a_built_spec_is_consistent_and_a_genesis() {
        let key = |seed: u8| NodeKey::from_seed(&[seed; 32]).node_id();
        let spec = MeshSpec::test("built")
            .with_validator(key(1), Amount::from_base_units(5))
            .with_miner(key(2))
            .with_account(key(3), Amount::from_base_units(700));
        assert_eq!(MeshSpec::parse(&spec.to_toml()).as_ref(), Ok(&spec));
        let registry = spec.registry();
        assert!(registry.may_advertise(&key(2), Netuid(1)) && !registry.may_advertise(&key(1), Netuid(1)));
        let state = crate::state::LedgerState::genesis(&spec).unwrap();
        assert_eq!(state.accounts().get(&key(3)).balance, Amount::from_base_units(700));
    }
}
