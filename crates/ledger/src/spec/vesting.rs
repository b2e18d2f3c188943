//! Amounts of the genesis that become free little by little.

use nervure_primitives::{Amount, BlockHeight};
use serde::{Deserialize, Serialize};

use crate::vesting::Vesting;

/// An amount that an account gets beside its balance, evenly from the genesis on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VestingSpec {
    /// All of it, in base units.
    pub amount: Amount,
    /// The block before which nothing is free.
    #[serde(default)]
    pub cliff: BlockHeight,
    /// The block at which all of it is free.
    pub end: BlockHeight,
}

impl VestingSpec {
    /// Whether it is at least `least`, and its blocks are in order.
    pub(super) fn is_sound(&self, least: Amount) -> bool {
        !self.amount.is_zero() && self.amount >= least && self.cliff <= self.end && self.end.0 > 0
    }

    /// The record of it.
    pub(crate) const fn record(&self) -> Vesting {
        let Self { amount, cliff, end } = self;
        Vesting { amount: *amount, claimed: Amount::ZERO, start: 0, cliff: cliff.0, end: end.0 }
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::NodeKey;

    use super::*;
    use crate::{
        spec::{AccountSpec, MeshSpec, SpecError},
        state::LedgerState,
    };

    #[test]
    fn a_vested_amount_of_the_genesis_is_held_and_is_written() {
        let owner = NodeKey::from_seed(&[7; 32]).node_id();
        let units = Amount::from_base_units;
        let mut spec = MeshSpec::test("vesting").with_account(owner, units(5_000_000));
        let plain = spec.mesh_id();
        let vesting =
            VestingSpec { amount: units(70_000_000_000), cliff: BlockHeight(3), end: BlockHeight(10) };
        spec.accounts[0].vesting = Some(vesting.clone());
        assert_ne!(spec.mesh_id(), plain);
        assert_eq!(MeshSpec::parse(&spec.to_toml()).as_ref(), Ok(&spec));
        let state = LedgerState::genesis(&spec).unwrap();
        assert_eq!((state.held(), state.issuance()), (70_005_000_000, 70_005_000_000));
        let held: Vec<_> = state.accounts().vesting(&owner).collect();
        assert_eq!((held.len(), held[0].0.from, held[0].1.free(5)), (1, owner, 35_000_000_000));
        for wrong in [
            VestingSpec { amount: Amount::ZERO, ..vesting.clone() },
            VestingSpec { cliff: BlockHeight(11), ..vesting.clone() },
            VestingSpec { cliff: BlockHeight(0), end: BlockHeight(0), ..vesting },
        ] {
            spec.accounts[0] =
                AccountSpec { vesting: Some(wrong), ..AccountSpec::new(owner, units(5_000_000)) };
            assert_eq!(spec.check(), Err(SpecError::Vesting { owner }));
        }
    }
}
