//! Cancelling what a proxy announced.

use nervure_primitives::{Hash, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
use crate::{proxies::Announcement, state::LedgerState};

/// Cancels an announced call for `owner`: signed by the owner, or by the proxy that announced it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelAnnouncement {
    /// For whom it was announced.
    pub owner: NodeId,
    /// Its id.
    pub id: Hash,
}

/// A call that a proxy cannot send any more, unless it announces it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CancelAnnouncementOutcome {
    /// For whom it was announced.
    pub owner: NodeId,
    /// Its id.
    pub id: Hash,
    /// Who announced it.
    pub proxy: NodeId,
}

impl TransactionKind for CancelAnnouncement {
    type Outcome = CancelAnnouncementOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::CANCEL_ANNOUNCEMENT
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { owner, id } = *self;
        let Announcement { proxy, deposit, .. } = state.proxies.cancel(owner, id, signer)?;
        state.credit(proxy, deposit.base_units());
        Ok(CancelAnnouncementOutcome { owner, id, proxy })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let CancelAnnouncementOutcome { proxy, .. } = outcome;
        Description {
            future: format!("cancels what the proxy {proxy} announced"),
            past: format!("what the proxy {proxy} announced is cancelled"),
        }
    }

    fn intent(&self) -> Option<String> {
        Some(format!("cancels the announced call {}", self.id))
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{node, other};
        let id = Hash::from_bytes([5; 32]);
        super::Sample {
            call: Self { owner: node(), id },
            call_hash: "109ceaf610004f4e4f9deb129961c71539a144ff5828193583b69bb928b10aa3",
            outcome: CancelAnnouncementOutcome { owner: node(), id, proxy: other() },
            outcome_hash: "a21cbf5263247637749682bf07ce20b560fd3347e63f220c9440e472812102e7",
            future: "cancels what the proxy OTHER announced",
            past: "what the proxy OTHER announced is cancelled",
        }
    }
}
