//! A kind of transaction of protocol version 2, which no mesh has yet. Only programs that are built with the feature
//! `next-version` know it: it shows that programs of both versions agree until the height of an upgrade.

use nervure_primitives::NodeId;
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
use crate::state::LedgerState;

/// Does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noop {}

/// Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoopOutcome {}

impl TransactionKind for Noop {
    type Outcome = NoopOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    const SINCE: u32 = 2;

    fn weight(&self) -> u64 {
        weight::TRANSFER
    }

    fn apply(&self, _: &mut LedgerState, _: NodeId) -> Result<Self::Outcome, Rejection> {
        Ok(NoopOutcome {})
    }

    fn description(_: &Self::Outcome) -> Description {
        Description { future: "does nothing".into(), past: "did nothing".into() }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        super::Sample {
            call: Self {},
            call_hash: "",
            outcome: NoopOutcome {},
            outcome_hash: "",
            future: "does nothing",
            past: "did nothing",
        }
    }
}
