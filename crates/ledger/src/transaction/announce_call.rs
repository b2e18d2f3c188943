//! Announcing a call of a proxy that acts with a delay.
//!
//! The whole call is kept, not its hash, so that the owner's wallet shows what will happen and the owner can cancel it.

use nervure_primitives::{BlockHeight, Hash, MeshId, NodeId, cbor};
use serde::{Deserialize, Serialize};

use super::{
    Call, Description, FormError, ProxyRejection, Rank, Rejection, SignerKey, TransactionKind,
    form::check_inner, weight,
};
use crate::{
    deposits::RecordKind,
    proxies::{Announcement, MAX_ANNOUNCED_BYTES, announcement_id},
    state::LedgerState,
};

/// Announces that the signer will do `call` for `owner`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnnounceCall {
    /// For whom.
    pub owner: NodeId,
    /// What the owner will do.
    pub call: Box<Call>,
}

/// A call that was announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnnounceCallOutcome {
    /// For whom.
    pub owner: NodeId,
    /// Its id among the announcements for the owner, by which it can be cancelled.
    pub id: Hash,
    /// The first block that may carry it out.
    pub ready: BlockHeight,
}

impl TransactionKind for AnnounceCall {
    type Outcome = AnnounceCallOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    const RANK: Rank = Rank::Proxy;

    fn weight(&self) -> u64 {
        weight::ANNOUNCE_CALL
    }

    fn inside(&self) -> &[Call] {
        std::slice::from_ref(self.call.as_ref())
    }

    fn check(&self, mesh: &MeshId) -> Result<(), FormError> {
        check_inner(Self::RANK, &self.call, mesh)
    }

    fn spends(&self, state: &LedgerState) -> u64 {
        state.params.deposit(RecordKind::Announcement)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { owner, call } = self;
        let delay = state.proxies.permitted((*owner, signer), call, state.height)?.delay;
        if delay == 0 {
            return Err(ProxyRejection::NoDelay.into());
        }
        let is_large = cbor::encode(call).map_or(true, |bytes| bytes.len() > MAX_ANNOUNCED_BYTES);
        if is_large {
            return Err(ProxyRejection::AnnouncementTooLarge.into());
        }
        let (id, ready) = (announcement_id(&signer, call), state.height.saturating_add(delay));
        state.proxies.check_announcement(owner, id)?;
        let deposit = state.deposit(&signer, RecordKind::Announcement)?;
        let announcement = Announcement { proxy: signer, ready, call: call.clone(), deposit };
        state.proxies.announce(*owner, id, announcement);
        Ok(AnnounceCallOutcome { owner: *owner, id, ready: BlockHeight(ready) })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let AnnounceCallOutcome { owner, id, ready } = outcome;
        let until = format!("it can be sent from block {ready} on, unless {owner} cancels it as {id}");
        Description {
            future: format!("announces the call; {until}"),
            past: format!("the call is announced; {until}"),
        }
    }

    fn intent(&self) -> Option<String> {
        Some(format!("announces that it {}, for {}", self.call.intent(), self.owner))
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{BLOCK, node, staking};
        super::Sample {
            call: Self { owner: node(), call: staking().into() },
            call_hash: "ec72b091a8890f05cff0634e96dd2cab38ee1f0dee779773ab489142da9edae8",
            outcome: AnnounceCallOutcome { owner: node(), id: Hash::from_bytes([5; 32]), ready: BLOCK },
            outcome_hash: "733d354eb4db95d5b422c42aec6efc418ecf4ebfaf61279237748b756a0c87ce",
            future: "announces the call; it can be sent from block 300 on, unless NODE cancels it as \
                     0505050505050505050505050505050505050505050505050505050505050505",
            past: "the call is announced; it can be sent from block 300 on, unless NODE cancels it as \
                   0505050505050505050505050505050505050505050505050505050505050505",
        }
    }
}
