//! The validators of a height and their voting power.
//!
//! A set is sorted by node id, has each node once, no validator without power, and a total power of
//! at most [`MAX_TOTAL_POWER`]. Decoding checks these properties, so users of a set do not. Headers
//! and light clients refer to a set by its [`hash`](ValidatorSet::hash).
//!
//! Hazard: scaling ([`ValidatorSet::from_stakes`]) loses low bits of the stakes when their sum is
//! above the limit. Scaling is a function of the stakes alone, so every node loses the same bits.

use nervure_primitives::{Hash, NodeId};
use serde::{Deserialize, Serialize};

/// Upper bound for the validators of a set. Bounds every certificate and the work to verify one.
pub const MAX_VALIDATORS: usize = 64;

/// Upper bound for the total power of a set. Thresholds compute with three times the power, which
/// does not overflow 64 bits.
pub const MAX_TOTAL_POWER: u64 = 1 << 60;

/// A member of a validator set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// Its node id; the node key signs its votes.
    #[serde(rename = "n")]
    pub node: NodeId,
    /// Its voting power, above zero.
    #[serde(rename = "p")]
    pub power: u64,
}

/// The validators of a height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Validator>", into = "Vec<Validator>")]
pub struct ValidatorSet {
    members: Vec<Validator>,
    total: u64,
    hash: Hash,
}

/// Why validators are not a valid set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValidatorSetError {
    /// No validator has power, so no height could be decided.
    #[error("a validator set needs at least one validator with power")]
    Empty,
    /// More than [`MAX_VALIDATORS`].
    #[error("{0} validators are more than the {MAX_VALIDATORS} that a set can have")]
    TooMany(usize),
    /// Two entries for one node.
    #[error("{0} is in the set twice")]
    Duplicate(NodeId),
    /// The entries are not sorted by node id.
    #[error("{0} is out of order: a validator set is sorted by node id")]
    Unsorted(NodeId),
    /// An entry without power.
    #[error("{0} has no voting power")]
    NoPower(NodeId),
    /// More than [`MAX_TOTAL_POWER`] together.
    #[error("the powers add up to more than {MAX_TOTAL_POWER}")]
    TooMuchPower,
}

impl ValidatorSet {
    /// The set in which each validator's power is its stake. Stakes that add up to more than
    /// [`MAX_TOTAL_POWER`] are all divided by the smallest power of two that makes them fit;
    /// validators without remaining power are left out.
    ///
    /// # Errors
    /// When a node occurs twice, or too few or too many have stake.
    pub fn from_stakes(stakes: impl IntoIterator<Item = (NodeId, u64)>) -> Result<Self, ValidatorSetError> {
        let mut stakes: Vec<_> = stakes.into_iter().collect();
        stakes.sort_unstable_by_key(|(node, _)| *node);
        // 128 bits: the sum of the stakes can be above 2^64 although each of them is not.
        let total: u128 = stakes.iter().map(|(_, stake)| u128::from(*stake)).sum();
        // A shift keeps the ratios of the stakes; every node computes the same one.
        let shift = (0..128).find(|shift| total >> shift <= u128::from(MAX_TOTAL_POWER)).unwrap_or(0);
        let scaled = stakes
            .into_iter()
            .map(|(node, stake)| Validator { node, power: stake.checked_shr(shift).unwrap_or(0) });
        // A stake that the shift reduces to zero leaves the set: every member has power.
        Self::try_from(scaled.filter(|validator| validator.power > 0).collect::<Vec<_>>())
    }

    /// The members, sorted by node id.
    pub fn members(&self) -> &[Validator] {
        &self.members
    }

    /// The number of members.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The total power.
    pub const fn total_power(&self) -> u64 {
        self.total
    }

    /// The power of `node`, if it is a member.
    pub fn power_of(&self, node: &NodeId) -> Option<u64> {
        let at = self.members.binary_search_by_key(node, |member| member.node).ok()?;
        self.members.get(at).map(|member| member.power)
    }

    /// Whether `node` is a member.
    pub fn contains(&self, node: &NodeId) -> bool {
        self.power_of(node).is_some()
    }

    /// The hash that identifies this set.
    pub const fn hash(&self) -> Hash {
        self.hash
    }
}

impl TryFrom<Vec<Validator>> for ValidatorSet {
    type Error = ValidatorSetError;

    fn try_from(members: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        if members.is_empty() {
            return Err(ValidatorSetError::Empty);
        }
        if members.len() > MAX_VALIDATORS {
            return Err(ValidatorSetError::TooMany(members.len()));
        }
        for pair in members.windows(2) {
            match pair[0].node.cmp(&pair[1].node) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Err(ValidatorSetError::Duplicate(pair[1].node)),
                std::cmp::Ordering::Greater => return Err(ValidatorSetError::Unsorted(pair[1].node)),
            }
        }
        if let Some(powerless) = members.iter().find(|member| member.power == 0) {
            return Err(ValidatorSetError::NoPower(powerless.node));
        }
        let total: u128 = members.iter().map(|member| u128::from(member.power)).sum();
        let total = u64::try_from(total).ok().filter(|total| *total <= MAX_TOTAL_POWER);
        let total = total.ok_or(ValidatorSetError::TooMuchPower)?;
        // The order is checked above, so one set has one hash.
        let hash = hash_of(&members);
        Ok(Self { members, total, hash })
    }
}

impl From<ValidatorSet> for Vec<Validator> {
    fn from(set: ValidatorSet) -> Self {
        set.members
    }
}

/// Hash of the members in order: each one's 32 bytes and its power, big-endian.
fn hash_of(members: &[Validator]) -> Hash {
    let mut hasher = nervure_primitives::Hasher::new("nervure/validators");
    for member in members {
        hasher.update(member.node.as_bytes());
        hasher.update(&member.power.to_be_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use nervure_primitives::cbor::{self, Limits};
    use proptest::prelude::*;

    use super::*;

    fn node(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 32])
    }

    #[test]
    fn refuses_invalid_sets() {
        let of = |members: &[(u8, u64)]| {
            let members: Vec<_> =
                members.iter().map(|(n, power)| Validator { node: node(*n), power: *power }).collect();
            ValidatorSet::try_from(members)
        };
        assert_eq!(of(&[]), Err(ValidatorSetError::Empty));
        assert_eq!(of(&[(1, 1), (1, 2)]), Err(ValidatorSetError::Duplicate(node(1))));
        assert_eq!(of(&[(2, 1), (1, 2)]), Err(ValidatorSetError::Unsorted(node(1))));
        assert_eq!(of(&[(1, 1), (2, 0)]), Err(ValidatorSetError::NoPower(node(2))));
        assert_eq!(of(&[(1, MAX_TOTAL_POWER), (2, 1)]), Err(ValidatorSetError::TooMuchPower));
        let many: Vec<_> = (0..65).map(|n| (n, 1)).collect();
        assert_eq!(of(&many), Err(ValidatorSetError::TooMany(65)));
        let set = of(&[(1, 3), (2, 4)]).unwrap();
        assert_eq!((set.total_power(), set.power_of(&node(2)), set.contains(&node(3))), (7, Some(4), false));
    }

    #[test]
    fn the_hash_covers_nodes_and_powers() {
        let of = |stakes: &[(u8, u64)]| {
            ValidatorSet::from_stakes(stakes.iter().map(|(n, stake)| (node(*n), *stake))).unwrap().hash()
        };
        assert_eq!(of(&[(1, 1), (2, 2)]), of(&[(2, 2), (1, 1)]), "in any order");
        assert_ne!(of(&[(1, 1), (2, 2)]), of(&[(1, 2), (2, 1)]));
        assert_eq!(of(&[(1, 1), (2, 2)]).to_string(), FROZEN, "a change here forks every mesh");
    }

    /// Computed independently: sha256 over u64-big-endian lengths and parts.
    const FROZEN: &str = "adcc1d0501c175b08ad69700954197d4cfbcbf519a8d9a56be9ce6b918ef6e9b";

    proptest! {
        #[test]
        fn stakes_of_any_size_make_a_set(stakes in proptest::collection::btree_map(any::<u8>(), 1u64.., 1..64)) {
            let set = ValidatorSet::from_stakes(stakes.iter().map(|(n, stake)| (node(*n), *stake)));
            if let Ok(set) = set {
                prop_assert!(set.total_power() <= MAX_TOTAL_POWER);
                let bytes = cbor::encode(&set).unwrap();
                prop_assert_eq!(cbor::decode::<ValidatorSet>(&bytes, Limits::new(1 << 14)).unwrap(), set);
            }
        }
    }
}
