//! The identity of an expert, to which scores and trust are bound.
//!
//! It is a hash of everything that makes an expert what validators tested: its node and that node's registration, its
//! subnet, its name, its capability, its model and what its node states about that model (digest, type of the weights,
//! runtime, sampler). A node that registers again, or puts another model, other weights or another capability behind a
//! name, has another expert, which inherits nothing. The hash binds the fields with their lengths, so that no two experts
//! of a node have one identity.
//!
//! What a hostile node can do: swap the weights and state the former ones. Then its receipts state them too, and audits
//! compare its answers with them.

use std::fmt;

use nervure_primitives::{BlockHeight, Hash, Hasher};
use serde::{Deserialize, Serialize};

use crate::{ExpertRecord, domains};

/// The identity of an expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExpertId(Hash);

impl ExpertId {
    /// The expert that `record` advertises, of a node that was registered in the record's subnet at `registered`.
    pub fn of(record: &ExpertRecord, registered: BlockHeight) -> Self {
        let mut hasher = Hasher::new(domains::SCORED_EXPERT);
        hasher.update(record.node.as_bytes());
        hasher.update(&record.netuid.0.to_be_bytes());
        hasher.update(&registered.0.to_be_bytes());
        hasher.update(record.expert.as_bytes());
        hasher.update(record.capability.as_str().as_bytes());
        hasher.update(record.model.raw().as_bytes());
        for (_, stated) in record.identity.parts() {
            // A stated part is never empty, so that an empty one says that it is not stated.
            hasher.update(stated.unwrap_or_default().as_bytes());
        }
        Self(hasher.finish())
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
    use std::collections::BTreeSet;

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
            of(|record| record.identity.digest = Some("sha256:00".into())),
            of(|record| record.identity.digest = Some("sha256:01".into())),
            of(|record| record.identity.quant = Some("sha256:00".into())),
            of(|record| record.identity.runtime = Some("sha256:00".into())),
            of(|record| record.identity.sampler = Some("sha256:00".into())),
            of(|record| record.netuid = nervure_primitives::Netuid(2)),
            ExpertId::of(&crate::testing::record(2, "a", "text.generate"), BlockHeight(5)),
            ExpertId::of(&crate::testing::record(1, "a", "text.generate"), BlockHeight(6)),
        ];
        let distinct: BTreeSet<_> = others.iter().chain([&same]).collect();
        assert_eq!(distinct.len(), others.len() + 1);
    }
}
