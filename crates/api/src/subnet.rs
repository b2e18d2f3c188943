//! Subnets and neurons, for clients that trust the node.

use std::collections::BTreeMap;

use nervure_ledger::subnet::{Backing, Hyperparameters};
use nervure_primitives::{Amount, BlockHeight, MechanismSpec, Netuid, NodeId, Uid};
use serde::{Deserialize, Serialize};

use crate::{FeesView, ValidatorView};

/// All subnets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubnetPage {
    /// The height of the last block; all values are those of the state after it.
    pub height: BlockHeight,
    /// The tokens that registering another subnet in the next block would lock.
    pub lock_cost: Amount,
    /// The subnets.
    pub subnets: Vec<SubnetView>,
}

/// A subnet. Amounts are base units, times are blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubnetView {
    /// Its number.
    pub netuid: Netuid,
    /// Its name.
    pub name: String,
    /// The owner's key.
    pub owner: Option<NodeId>,
    /// The owner's node.
    pub owner_node: Option<NodeId>,
    /// The block at which it was registered.
    pub registered: BlockHeight,
    /// The tokens that the owner locked.
    pub locked: Amount,
    /// The tokens that the owner earned from it.
    pub earned: Amount,
    /// The price of a slot.
    pub price: Amount,
    /// The emission that its next epoch distributes.
    pub pending: Amount,
    /// The number of the current epoch.
    pub epoch: u64,
    /// The block at which the current epoch ends.
    pub due: BlockHeight,
    /// The stake behind it: how much what its validators find counts outside of it.
    pub backing: BackingView,
    /// The number of taken slots.
    pub neurons: u32,
    /// The number of slots.
    pub slots: u32,
    /// Its hyperparameters.
    pub hyperparameters: Hyperparameters,
    /// How its validators set tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<MechanismSpec>,
}

/// The stake behind a subnet: the mesh's validators that hold a permit there and set weights lately. Those of its owner
/// do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BackingView {
    /// The power of the validators that stand behind it.
    pub behind: u64,
    /// The power of all validators that could.
    pub of: u64,
    /// How much it counts outside, in thousandths: twice the part that stands behind it, at most 1,000.
    pub factor_milli: u16,
}

impl BackingView {
    /// As text: how much stands behind it, and how much it counts outside.
    pub fn in_words(&self) -> String {
        let Self { behind, of, factor_milli } = self;
        if *of == 0 {
            return "all validators of the mesh are its owner's; its trust counts 1.000 outside".into();
        }
        let (percent, factor) = (*behind as f64 * 100.0 / *of as f64, f64::from(*factor_milli) / 1_000.0);
        format!(
            "{percent:.1} % of the power of the validators that are not its owner's; its trust counts {factor:.3} outside"
        )
    }
}

impl From<Backing> for BackingView {
    fn from(backing: Backing) -> Self {
        let (part, whole) = backing.part();
        // A product of 70 bits; the quotient is at most 1,000.
        let factor = u128::from(part) * 1_000 / u128::from(whole);
        Self { behind: backing.behind, of: backing.of, factor_milli: factor as u16 }
    }
}

/// A subnet and its neurons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubnetDetail {
    /// The height of the last block; all values are those of the state after it.
    pub height: BlockHeight,
    /// The subnet.
    pub subnet: SubnetView,
    /// Its neurons, by uid.
    pub neurons: Vec<NeuronView>,
}

/// A neuron after its subnet's last epoch. Proportions are of 65,535.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NeuronView {
    /// Its slot number.
    pub uid: Uid,
    /// The node.
    pub node: NodeId,
    /// The key that owns the node.
    pub owner: NodeId,
    /// Its stake, with that of its stakers.
    pub stake: Amount,
    /// Whether it may set weights.
    pub permit: bool,
    /// The part of the weights for it that consensus did not clip; absent where this node did not compute the epoch.
    pub trust: Option<u16>,
    /// The largest weight that the majority of stake gives it.
    pub consensus: u16,
    /// Its share of the miners' emission.
    pub incentive: u16,
    /// Its share of the validators' emission.
    pub dividends: u16,
    /// The part of its weights that consensus did not clip.
    pub validator_trust: u16,
    /// Its emission in the epoch.
    pub emission: Amount,
    /// The block of its last weights.
    pub last_update: BlockHeight,
    /// The block at which it was registered.
    pub registered: BlockHeight,
    /// The block until which it cannot lose its slot.
    pub immune_until: BlockHeight,
}

/// A node on the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NodeView {
    /// The node.
    pub node: NodeId,
    /// The key that owns it.
    pub owner: NodeId,
    /// The part of the stakers' dividends that the owner keeps, of 65,535.
    pub take: u16,
    /// The nonce of the next transaction of its key, after those that are pending on this node.
    pub nonce: u64,
    /// What transactions cost now. Its owner pays for those that are not free.
    pub fees: FeesView,
    /// Its stake, with that of its stakers.
    pub stake: Amount,
    /// Its slots, by subnet.
    pub slots: BTreeMap<Netuid, Uid>,
    /// The node as a validator that makes blocks.
    pub validator: ValidatorView,
    /// The height of the last block; all values are those of the state after it.
    pub height: BlockHeight,
}
