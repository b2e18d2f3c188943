//! The identity of an expert, to which scores and trust are bound.
//!
//! It is a hash of everything that makes an expert what validators tested: its node and that node's registration, its
//! subnet, its name, its capability and its model. A node that registers again, or puts another model or capability
//! behind a name, has another expert, which inherits nothing. The hash binds the fields with their lengths, so that no
//! two experts of a node have one identity.

use std::fmt;

use nervure_primitives::{BlockHeight, Hash};
use serde::{Deserialize, Serialize};

use crate::{ExpertRecord, domains};

/// The identity of an expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExpertId(Hash);

impl ExpertId {
    /// The expert that `record` advertises, of a node that was registered in the record's subnet at `registered`.
    pub fn of(record: &ExpertRecord, registered: BlockHeight) -> Self {
        let parts: [&[u8]; 6] = [
            record.node.as_bytes(),
            &record.netuid.0.to_be_bytes(),
            &registered.0.to_be_bytes(),
            record.expert.as_bytes(),
            record.capability.as_str().as_bytes(),
            record.model.raw().as_bytes(),
        ];
        Self(Hash::of(domains::SCORED_EXPERT, &parts))
    }

    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Hash::from_bytes(bytes))
    }
}

impl fmt::Display for ExpertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;

    #[test]
    fn every_part_of_an_expert_makes_another_one() {
        let of = |change: fn(&mut ExpertRecord)| {
            let mut record = record(1, "a", "text.generate");
            change(&mut record);
            ExpertId::of(&record, BlockHeight(5))
        };
        let same = of(|_| {});
        assert_eq!(same, of(|record| (record.price, record.load, record.seq) = (9, 9, 9)));
        let others = [
            of(|record| record.expert = "b".into()),
            of(|record| record.capability = "text.generate.rust".parse().unwrap()),
            of(|record| record.model = "other".into()),
            of(|record| record.netuid = nervure_primitives::Netuid(2)),
            ExpertId::of(&crate::testing::record(2, "a", "text.generate"), BlockHeight(5)),
            ExpertId::of(&crate::testing::record(1, "a", "text.generate"), BlockHeight(6)),
        ];
        assert!(others.iter().all(|other| *other != same));
    }
}
