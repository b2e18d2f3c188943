//! Anchor keys, and who signs checkpoints with them.
//!
//! A node registers the address of a secp256k1 key; no two nodes have the same. At each election those of the
//! elected validators that have one become the set that signs the checkpoint of the *next* election: the checkpoint
//! of this one names it as the successors of the set that signs this one. So sets follow one another without a
//! gap, and a contract can follow them too.
//!
//! The set changes only when those with a key have more than two thirds of the elected power; until then the former
//! one keeps signing. A forger then needs more than two thirds of two thirds of the power, which is more than a third.

use std::sync::Arc;

use imbl::OrdMap;
use nervure_anchor::{AnchorAddress, AnchorSet};
use nervure_consensus::checkpoint::{Quorum, ValidatorSet};
use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

/// What a node signs checkpoints with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredKey {
    /// The address of the key.
    pub address: AnchorAddress,
    /// The block at which it was registered.
    pub block: u64,
    /// What is deposited for it; nothing for a key of the mesh spec.
    pub deposit: Amount,
}

/// All anchor keys, and the sets made of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchors {
    pub(crate) keys: OrdMap<NodeId, RegisteredKey>,
    /// Whose each key is: follows from `keys`.
    holders: OrdMap<AnchorAddress, NodeId>,
    pub(crate) sets: Option<Sets>,
}

/// Those who sign checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sets {
    /// Who signs the checkpoint of the last election; none before the second election with keys.
    pub(crate) signers: Option<Arc<AnchorSet>>,
    /// Who signs the checkpoint of the next election.
    pub(crate) successors: Arc<AnchorSet>,
}

impl Anchors {
    /// The anchor key of a node.
    pub fn key_of(&self, node: &NodeId) -> Option<&RegisteredKey> {
        self.keys.get(node)
    }

    /// The node that has an anchor key.
    pub fn holder_of(&self, address: &AnchorAddress) -> Option<&NodeId> {
        self.holders.get(address)
    }

    /// Who signs the checkpoint of the last election.
    pub fn signers(&self) -> Option<&AnchorSet> {
        self.sets.as_ref().and_then(|sets| sets.signers.as_deref())
    }

    /// Who signs the checkpoint of the next election: what a contract is deployed with, or has learnt from the
    /// checkpoint of the last one.
    pub fn successors(&self) -> Option<&AnchorSet> {
        self.sets.as_ref().map(|sets| &*sets.successors)
    }

    /// Gives a node another key; `false` when another node has it.
    #[must_use]
    pub(crate) fn insert(&mut self, node: NodeId, key: RegisteredKey) -> bool {
        if self.holders.get(&key.address).is_some_and(|holder| *holder != node) {
            return false;
        }
        // The former address of the node becomes free.
        self.remove(&node);
        self.holders.insert(key.address, node);
        self.keys.insert(node, key);
        true
    }

    /// Takes a node's key away; returns what was deposited for it, in base units.
    pub(crate) fn remove(&mut self, node: &NodeId) -> u64 {
        let Some(key) = self.keys.remove(node) else { return 0 };
        self.holders.remove(&key.address);
        key.deposit.base_units()
    }

    /// After an election: the successors sign now, and those `elected` who have keys come after them.
    pub(crate) fn hand_over(&mut self, elected: &ValidatorSet) {
        let keyed = elected.members().iter().filter_map(|member| {
            let key = self.keys.get(&member.node)?;
            Some((key.address, member.power))
        });
        let keyed: Vec<_> = keyed.collect();
        let with_keys = keyed.iter().map(|(_, power)| *power).fold(0, u64::saturating_add);
        let all = elected.total_power();
        // All of the power is in the set, also that of validators without keys: a quorum of the set is one of the mesh.
        let next = Quorum::TWO_THIRDS
            .is_met(with_keys, all)
            .then(|| AnchorSet::of_all(keyed, all.saturating_sub(with_keys)).ok())
            .flatten();
        // The successors of the last election become the signers of this one, so no contract misses a set.
        let former = self.sets.take().map(|sets| sets.successors);
        // The same set stays the same object: whatever compares two states sees at once that nothing changed.
        let successors = match (next, former.clone()) {
            (Some(next), Some(former)) if *former == next => former,
            (Some(next), _) => Arc::new(next),
            (None, Some(former)) => former,
            (None, None) => return,
        };
        self.sets = Some(Sets { signers: former, successors });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 32])
    }

    fn key(byte: u8) -> RegisteredKey {
        RegisteredKey { address: AnchorAddress::from_bytes([byte; 20]), block: 1, deposit: Amount::ZERO }
    }

    fn elected(powers: &[(u8, u64)]) -> ValidatorSet {
        ValidatorSet::from_stakes(powers.iter().map(|(byte, power)| (node(*byte), *power))).unwrap()
    }

    #[test]
    fn a_key_has_one_holder_and_a_holder_one_key() {
        let mut anchors = Anchors::default();
        assert!(anchors.insert(node(1), key(1)));
        assert!(!anchors.insert(node(2), key(1)), "it is another's");
        assert!(anchors.insert(node(1), key(2)));
        assert!(anchors.insert(node(2), key(1)), "it is free again");
        assert_eq!(anchors.holder_of(&key(2).address), Some(&node(1)));
        anchors.remove(&node(1));
        assert_eq!((anchors.key_of(&node(1)), anchors.holder_of(&key(2).address)), (None, None));
    }

    #[test]
    fn sets_follow_one_another_once_two_thirds_have_keys() {
        let mut anchors = Anchors::default();
        let all = elected(&[(1, 10), (2, 10), (3, 10)]);
        for byte in [1, 2] {
            anchors.hand_over(&all);
            assert_eq!(anchors.successors(), None, "two thirds are not more than two thirds");
            assert!(anchors.insert(node(byte), key(byte)));
        }
        anchors.hand_over(&all);
        assert_eq!(anchors.successors(), None);
        assert!(anchors.insert(node(3), key(3)));
        anchors.hand_over(&all);
        let first = anchors.successors().unwrap().clone();
        assert_eq!((anchors.signers(), first.total_power()), (None, 30));
        let others = elected(&[(1, 10), (2, 10), (3, 10), (4, 20)]);
        anchors.hand_over(&others);
        assert_eq!(anchors.successors(), Some(&first), "30 of 50 have keys: the former set keeps signing");
        assert!(anchors.insert(node(4), key(4)));
        anchors.hand_over(&others);
        assert_eq!(anchors.signers(), Some(&first));
        assert_eq!(anchors.successors().unwrap().total_power(), 50);
    }

    /// Validators with 67 of 100 have keys. Those who sign a checkpoint have more than two thirds of all.
    #[test]
    fn a_quorum_of_the_set_is_a_quorum_of_all_voting_power() {
        let mut anchors = Anchors::default();
        let all = elected(&[(1, 45), (2, 22), (3, 33)]);
        for byte in [1, 2] {
            assert!(anchors.insert(node(byte), key(byte)));
        }
        anchors.hand_over(&all);
        let set = anchors.successors().unwrap();
        assert_eq!((set.total_power(), set.signers().count()), (100, 2));
        assert!(!Quorum::TWO_THIRDS.is_met(45, set.total_power()), "45 % sign nothing");
        assert!(Quorum::TWO_THIRDS.is_met(67, set.total_power()));
        // A set of those with keys alone, and 45 % of the voting power anchor what they like.
        let keyed = AnchorSet::new([(key(1).address, 45), (key(2).address, 22)]).unwrap();
        assert!(Quorum::TWO_THIRDS.is_met(45, keyed.total_power()));
    }
}
