//! The set that signs a checkpoint, with its voting powers, as a contract knows it.
//!
//! The same rules as for a [`ValidatorSet`](nervure_consensus::checkpoint::ValidatorSet), with the addresses of anchor
//! keys instead of node keys: sorted, no duplicates, none without power, at most [`MAX_VALIDATORS`], at most
//! [`MAX_TOTAL_POWER`] together. Every decoded set has these properties.

use nervure_primitives::Hash;
use serde::{Deserialize, Serialize};

use super::{
    abi::{Word, address, hash, number},
    key::AnchorAddress,
};
use nervure_consensus::checkpoint::{MAX_TOTAL_POWER, MAX_VALIDATORS};

/// A member of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorValidator {
    /// Its anchor key.
    #[serde(rename = "a")]
    pub address: AnchorAddress,
    /// Its voting power, above zero.
    #[serde(rename = "p")]
    pub power: u64,
}

/// The validators that sign the next checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<AnchorValidator>", into = "Vec<AnchorValidator>")]
pub struct AnchorSet {
    members: Vec<AnchorValidator>,
    total: u64,
    hash: Hash,
}

/// Why a set is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorSetError {
    /// No member: nothing could ever be anchored.
    #[error("the set is empty")]
    Empty,
    /// More than [`MAX_VALIDATORS`].
    #[error("{0} validators are more than the {MAX_VALIDATORS} that a set can have")]
    TooMany(usize),
    /// Repeated, or not in the order of the addresses.
    #[error("{0} is a duplicate or out of order")]
    Unsorted(AnchorAddress),
    /// An entry without power.
    #[error("{0} has no voting power")]
    NoPower(AnchorAddress),
    /// More than [`MAX_TOTAL_POWER`] together.
    #[error("the powers add up to more than {MAX_TOTAL_POWER}")]
    TooMuchPower,
}

/// In whose name a set has the power of the validators without an anchor key. It is a text and not a hash of a key: to find a
/// key of this address takes 2^160 tries, and the ledger takes no address without a proof of its key.
const NO_KEY: AnchorAddress = AnchorAddress::from_bytes(*b"nervure: no key held");

impl AnchorSet {
    /// The set of validators with these addresses and powers, in any order, and of `without` power of validators without an
    /// anchor key. That power never signs and counts against the quorum: more than two thirds of the set's power are more
    /// than two thirds of all voting power.
    ///
    /// # Errors
    /// When they are not a valid set.
    pub fn of_all(
        powers: impl IntoIterator<Item = (AnchorAddress, u64)>,
        without: u64,
    ) -> Result<Self, AnchorSetError> {
        Self::new(powers.into_iter().chain((without > 0).then_some((NO_KEY, without))))
    }

    /// The members that can sign.
    pub fn signers(&self) -> impl Iterator<Item = &AnchorValidator> {
        self.members.iter().filter(|member| member.address != NO_KEY)
    }

    /// The set of these addresses and powers, in any order.
    ///
    /// # Errors
    /// When they are not a valid set.
    pub fn new(powers: impl IntoIterator<Item = (AnchorAddress, u64)>) -> Result<Self, AnchorSetError> {
        let mut members: Vec<_> =
            powers.into_iter().map(|(address, power)| AnchorValidator { address, power }).collect();
        members.sort_unstable_by_key(|member| member.address);
        Self::try_from(members)
    }

    /// The members, sorted by address.
    pub fn members(&self) -> &[AnchorValidator] {
        &self.members
    }

    /// The total voting power.
    pub const fn total_power(&self) -> u64 {
        self.total
    }

    /// The power of `address`, if it is a member.
    pub fn power_of(&self, address: &AnchorAddress) -> Option<u64> {
        let at = self.members.binary_search_by_key(address, |member| member.address).ok()?;
        self.members.get(at).map(|member| member.power)
    }

    /// The hash of the set: keccak-256 of `abi.encode((address, uint64)[])`.
    pub const fn hash(&self) -> Hash {
        self.hash
    }
}

impl TryFrom<Vec<AnchorValidator>> for AnchorSet {
    type Error = AnchorSetError;

    fn try_from(members: Vec<AnchorValidator>) -> Result<Self, AnchorSetError> {
        if members.is_empty() {
            return Err(AnchorSetError::Empty);
        }
        if members.len() > MAX_VALIDATORS {
            return Err(AnchorSetError::TooMany(members.len()));
        }
        if let Some(pair) = members.windows(2).find(|pair| pair[0].address >= pair[1].address) {
            return Err(AnchorSetError::Unsorted(pair[1].address));
        }
        if let Some(idle) = members.iter().find(|member| member.power == 0) {
            return Err(AnchorSetError::NoPower(idle.address));
        }
        let total: u128 = members.iter().map(|member| u128::from(member.power)).sum();
        let total = u64::try_from(total).ok().filter(|total| *total <= MAX_TOTAL_POWER);
        let total = total.ok_or(AnchorSetError::TooMuchPower)?;
        let hash = Hash::from_bytes(hash_of(&members));
        Ok(Self { members, total, hash })
    }
}

impl From<AnchorSet> for Vec<AnchorValidator> {
    fn from(set: AnchorSet) -> Self {
        set.members
    }
}

/// Of the ABI's encoding of an array: where it begins, its length, its elements.
fn hash_of(members: &[AnchorValidator]) -> Word {
    let mut words = vec![number(32), number(members.len() as u64)];
    for member in members {
        words.extend([address(member.address.as_bytes()), number(member.power)]);
    }
    hash(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(byte: u8, power: u64) -> AnchorValidator {
        AnchorValidator { address: AnchorAddress::from_bytes([byte; 20]), power }
    }

    #[test]
    fn refuses_invalid_sets() {
        let of = |members: &[(u8, u64)]| {
            AnchorSet::try_from(members.iter().map(|(byte, power)| member(*byte, *power)).collect::<Vec<_>>())
        };
        assert_eq!(of(&[]), Err(AnchorSetError::Empty));
        assert_eq!(of(&[(1, 1), (1, 2)]), Err(AnchorSetError::Unsorted(member(1, 0).address)));
        assert_eq!(of(&[(2, 1), (1, 2)]), Err(AnchorSetError::Unsorted(member(1, 0).address)));
        assert_eq!(of(&[(1, 1), (2, 0)]), Err(AnchorSetError::NoPower(member(2, 0).address)));
        assert_eq!(of(&[(1, MAX_TOTAL_POWER), (2, 1)]), Err(AnchorSetError::TooMuchPower));
        assert_eq!(of(&(1..=65).map(|n| (n, 1)).collect::<Vec<_>>()), Err(AnchorSetError::TooMany(65)));
        let set = of(&[(1, 3), (2, 4)]).unwrap();
        assert_eq!((set.total_power(), set.power_of(&member(2, 0).address)), (7, Some(4)));
        assert_eq!(set.power_of(&member(3, 0).address), None);
    }

    #[test]
    fn power_without_a_key_counts_against_the_quorum_and_signs_nothing() {
        let set = AnchorSet::of_all([(member(1, 0).address, 50), (member(2, 0).address, 20)], 30).unwrap();
        assert_eq!((set.total_power(), set.members().len(), set.signers().count()), (100, 3, 2));
        let all = AnchorSet::of_all([(member(1, 0).address, 50)], 0).unwrap();
        assert_eq!((all.members().len(), all.signers().count()), (1, 1));
        assert_eq!(all, AnchorSet::new([(member(1, 0).address, 50)]).unwrap());
    }

    #[test]
    fn the_hash_covers_addresses_and_powers() {
        let of = |members: &[(u8, u64)]| {
            let powers = members.iter().map(|(byte, power)| (member(*byte, 0).address, *power));
            AnchorSet::new(powers).unwrap().hash()
        };
        assert_eq!(of(&[(1, 1), (2, 2)]), of(&[(2, 2), (1, 1)]), "in any order");
        assert_ne!(of(&[(1, 1), (2, 2)]), of(&[(1, 2), (2, 1)]));
    }
}
