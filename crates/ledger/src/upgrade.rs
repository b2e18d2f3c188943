//! Which version of the rules each height has.
//!
//! A version stands for everything that nodes have to do alike: the format of blocks and what execution makes of them.
//! Token holders vote on the heights at which a version becomes active ([`crate::governance`]), and the mesh spec can list
//! such heights, too. So the version of a height is a function of the state before it and of the spec, old and new programs
//! make the same blocks until that height, and a program that does not know the version stops before it.
//!
//! The list in the spec is not part of the mesh id: an upgrade must not make another mesh. Nodes whose lists differ do not
//! agree on the block at the activation height, so operators change the list before it, with the program. What was voted is
//! part of the state, and all nodes have it.

use nervure_primitives::{BlockHeight, PROTOCOL_VERSION};
use serde::{Deserialize, Serialize};

/// A version and the height from which on it is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    /// The first height with this version.
    pub height: BlockHeight,
    /// The version.
    pub version: u32,
}

/// The upgrades of a mesh, ascending by height and by version, and the last version that this program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrades {
    /// Those of the mesh spec.
    list: Vec<Upgrade>,
    /// Those that were voted.
    voted: Vec<Upgrade>,
    known: u32,
}

/// A program has to stop: a block has a version that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "block {height} has protocol version {version}, and this program knows versions up to {known}: it stops before that \
     block"
)]
pub struct UnknownVersion {
    /// The height.
    pub height: BlockHeight,
    /// Its version.
    pub version: u32,
    /// The last version that the program knows.
    pub known: u32,
}

impl Upgrades {
    /// Of a mesh with these upgrades.
    pub const fn new(list: Vec<Upgrade>) -> Self {
        Self { list, voted: Vec::new(), known: PROTOCOL_VERSION }
    }

    /// For a program that knows the versions up to `known`, to test an upgrade before there is one.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub const fn knowing(mut self, known: u32) -> Self {
        self.known = known;
        self
    }

    /// The same, with those that were voted.
    #[must_use]
    pub(crate) fn with_voted(mut self, voted: Vec<Upgrade>) -> Self {
        self.voted = voted;
        self
    }

    /// Those that were voted, in the order of their votes.
    pub fn voted(&self) -> &[Upgrade] {
        &self.voted
    }

    /// All of them, ascending, as a mesh spec lists them.
    pub(crate) fn listed(&self) -> Vec<Upgrade> {
        let mut all: Vec<Upgrade> = self.all().collect();
        all.sort_unstable_by_key(|upgrade| (upgrade.version, upgrade.height));
        // The spec can list what was voted, too.
        all.dedup_by_key(|upgrade| upgrade.version);
        all
    }

    /// Adds one that was voted.
    pub(crate) fn vote(&mut self, upgrade: Upgrade) {
        self.voted.push(upgrade);
    }

    /// The upgrade with the last version, of all that are planned.
    pub fn last(&self) -> Option<Upgrade> {
        self.all().max_by_key(|upgrade| upgrade.version)
    }

    /// The version at `height`: that of the last upgrade up to it, else 1.
    pub fn version_at(&self, height: BlockHeight) -> u32 {
        let active = self.all().filter(|upgrade| upgrade.height <= height);
        active.map(|upgrade| upgrade.version).max().unwrap_or(1)
    }

    /// The first upgrade after `height`.
    pub fn next_after(&self, height: BlockHeight) -> Option<Upgrade> {
        self.all().filter(|upgrade| upgrade.height > height).min_by_key(|upgrade| upgrade.height)
    }

    fn all(&self) -> impl Iterator<Item = Upgrade> {
        self.list.iter().chain(&self.voted).copied()
    }

    /// The version at `height`, if this program knows it.
    ///
    /// # Errors
    /// When it does not: nothing is made or executed at that height.
    pub fn known_at(&self, height: BlockHeight) -> Result<u32, UnknownVersion> {
        let version = self.version_at(height);
        self.check(height, version).map(|()| version)
    }

    /// Refuses a version of a block at `height` that this program does not know.
    pub(crate) const fn check(&self, height: BlockHeight, version: u32) -> Result<(), UnknownVersion> {
        let known = self.known;
        if version > known { Err(UnknownVersion { height, version, known }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::{
        chain::{BlockError, Draft, Tip},
        spec::{MeshSpec, SpecError},
        testing::Chain,
        tree::MemoryTree,
    };

    const AT: Upgrade = Upgrade { height: BlockHeight(2), version: 2 };

    fn upgrade(height: u64, version: u32) -> Upgrade {
        Upgrade { height: BlockHeight(height), version }
    }

    #[test]
    fn a_version_is_active_from_its_height_on() {
        let upgrades = Upgrades::new(vec![upgrade(10, 2), upgrade(20, 5)]);
        let versions = [0, 9, 10, 19, 20, u64::MAX].map(|height| upgrades.version_at(BlockHeight(height)));
        assert_eq!(versions, [1, 1, 2, 2, 5, 5]);
        assert_eq!(upgrades.next_after(BlockHeight(9)), Some(upgrade(10, 2)));
        assert_eq!(upgrades.next_after(BlockHeight(20)), None);
        let refused = upgrades.known_at(BlockHeight(10));
        assert_eq!(refused, Err(UnknownVersion { height: BlockHeight(10), version: 2, known: 1 }));
        assert_eq!(upgrades.known_at(BlockHeight(9)), Ok(1));
    }

    #[test]
    fn a_spec_lists_upgrades_in_order_and_keeps_its_id() {
        let mut spec = MeshSpec::local("upgrades");
        let id = spec.mesh_id();
        spec.upgrades = vec![upgrade(10, 2), upgrade(20, 3)];
        assert_eq!(spec.mesh_id(), id, "the mesh stays the same");
        assert_eq!(MeshSpec::parse(&spec.to_toml()), Ok(spec.clone()));
        for wrong in [[upgrade(20, 2), upgrade(10, 3)], [upgrade(10, 2), upgrade(20, 2)], [upgrade(0, 2), AT]]
        {
            spec.upgrades = wrong.to_vec();
            assert!(matches!(MeshSpec::parse(&spec.to_toml()), Err(SpecError::Upgrades { .. })), "{wrong:?}");
        }
    }

    /// The genesis of a mesh with an upgrade at height 2, for a program that knows versions up to `known`.
    fn genesis(known: u32) -> (Tip, MemoryTree) {
        let mut spec = MeshSpec::test("upgrades");
        spec.upgrades = vec![AT];
        let (mut tip, update) = Tip::genesis(&spec).unwrap();
        tip.state.upgrades = Upgrades::clone(&tip.state.upgrades).knowing(known).into();
        let mut tree = MemoryTree::default();
        tree.accept(update);
        (tip, tree)
    }

    /// The next block, which becomes the tip.
    fn grow((tip, tree): &mut (Tip, MemoryTree)) -> Result<crate::block::Block, BlockError> {
        let next = tip.next(tree, Draft::uncertified(tip, Vec::new()), NonZeroUsize::MIN)?;
        tree.accept(next.update.clone());
        *tip = next.tip();
        Ok(next.block)
    }

    #[test]
    fn old_and_new_programs_agree_until_the_upgrade_and_the_old_one_stops_before_it() {
        let (mut old, mut new) = (genesis(1), genesis(2));
        assert_eq!(grow(&mut old).unwrap(), grow(&mut new).unwrap());
        let unknown = UnknownVersion { height: AT.height, version: 2, known: 1 };
        assert_eq!(grow(&mut old).unwrap_err(), BlockError::UnknownVersion(unknown));
        let before = new.0.clone();
        let block = grow(&mut new).unwrap();
        assert_eq!(block.header.version, 2);
        assert_eq!(old.0.check(&old.1, &block, NonZeroUsize::MIN).unwrap_err(), unknown.into());
        assert_eq!(old.0.header.height, BlockHeight(1), "it keeps what it has");
        // Who knows the version does not take a block of the former one.
        let mut former = block;
        former.header.version = 1;
        let refused = before.check(&new.1, &former, NonZeroUsize::MIN).unwrap_err();
        assert_eq!(refused, BlockError::Version { expected: 2, given: 1 });
    }

    /// A node whose spec does not list the upgrade notices it by the header that the others agreed on.
    #[test]
    fn an_unlisted_upgrade_is_noticed_by_its_first_header() {
        let mut chain = Chain::new(4);
        let tip = chain.tip.clone();
        chain.grow(1);
        let mut block = chain.blocks[0].clone();
        block.header.version = 9;
        let unknown = UnknownVersion { height: BlockHeight(1), version: 9, known: PROTOCOL_VERSION };
        let tree = MemoryTree::of(&tip.state).unwrap();
        assert_eq!(tip.check(&tree, &block, NonZeroUsize::MIN).unwrap_err(), unknown.into());
    }
}
