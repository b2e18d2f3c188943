//! Several calls of one owner in one transaction: all of them or none.
//!
//! What a hostile sender can do: pay for calls of which the last one fails, so that the work of the others is undone.
//! It pays for all of it. What it cannot: leave a trace of a batch that failed, or put more work into one transaction
//! than [`MAX_BATCH_WEIGHT`].

use nervure_primitives::{MeshId, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Call, CallRejection, Description, FormError, Outcome, Rank, Rejection, SignerKey, TransactionKind,
    form::check_inner, weight,
};
use crate::state::LedgerState;

/// Most calls of a batch.
pub const MAX_BATCH_CALLS: usize = 16;

/// Most weight of the calls of a batch: a twelfth of the smallest block.
pub const MAX_BATCH_WEIGHT: u64 = 400_000;

/// Carries out all calls in their order, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The calls, which an owner key signs.
    pub calls: Vec<Call>,
}

/// What the calls of a batch did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BatchOutcome {
    /// What each call did, in their order.
    pub outcomes: Vec<Outcome>,
}

impl Batch {
    fn calls_weight(&self) -> u64 {
        let each = |call: &Call| weight::BATCHED_CALL.saturating_add(call.weight());
        self.calls.iter().map(each).fold(0, u64::saturating_add)
    }
}

impl TransactionKind for Batch {
    type Outcome = BatchOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    const RANK: Rank = Rank::Batch;

    fn weight(&self) -> u64 {
        self.calls_weight()
    }

    fn inside(&self) -> &[Call] {
        &self.calls
    }

    fn check(&self, mesh: &MeshId) -> Result<(), FormError> {
        if self.calls.is_empty() || self.calls.len() > MAX_BATCH_CALLS {
            return Err(FormError::BatchLength);
        }
        self.calls.iter().try_for_each(|call| check_inner(Self::RANK, call, mesh))?;
        if self.calls_weight() > MAX_BATCH_WEIGHT { Err(FormError::BatchWeight) } else { Ok(()) }
    }

    fn spends(&self, state: &LedgerState) -> u64 {
        self.calls.iter().map(|call| call.spends(state)).fold(0, u64::saturating_add)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        // Shares everything with the state: what the calls change is copied piece by piece.
        let before = state.clone();
        let mut outcomes = Vec::with_capacity(self.calls.len());
        for (at, call) in self.calls.iter().enumerate() {
            match call.apply(state, signer) {
                Ok(outcome) => outcomes.push(outcome),
                Err(why) => {
                    *state = before;
                    let call = u8::try_from(at + 1).unwrap_or(u8::MAX);
                    return Err(CallRejection::Batch { call, why: why.into() }.into());
                }
            }
        }
        Ok(BatchOutcome { outcomes })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let all: Vec<Description> = outcome.outcomes.iter().map(Outcome::description).collect();
        let join = |part: fn(&Description) -> &str| all.iter().map(part).collect::<Vec<_>>().join("; and ");
        Description { future: join(|one| &one.future), past: join(|one| &one.past) }
    }

    fn intent(&self) -> Option<String> {
        Some(self.calls.iter().map(Call::intent).collect::<Vec<_>>().join("; and "))
    }

    /// That of the call that failed.
    fn hint(&self, rejection: &Rejection) -> &'static str {
        match rejection {
            Rejection::Call(CallRejection::Batch { call, why }) => {
                let call = usize::from(*call).checked_sub(1).and_then(|at| self.calls.get(at));
                call.map_or_else(|| why.hint(), |call| call.hint(why))
            }
            other => other.hint(),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::{
            Stake, StakeOutcome, Transfer, TransferOutcome,
            sample::{AMOUNT, node, other},
        };
        super::Sample {
            call: Self {
                calls: vec![
                    Call::Transfer(Transfer { to: node(), amount: AMOUNT, memo: None }),
                    Call::Stake(Stake { node: other(), amount: AMOUNT }),
                ],
            },
            call_hash: "d4ad69a5d800f994f99d05128109facf1e9a47bce8b765c40a79456f22af407d",
            outcome: BatchOutcome {
                outcomes: vec![
                    Outcome::Transferred(TransferOutcome { to: node(), amount: AMOUNT, memo: None }),
                    Outcome::Staked(StakeOutcome { node: other(), amount: AMOUNT, validates: true }),
                ],
            },
            outcome_hash: "612faab4faaa2050642d7f5b347c7440effa12e1e73b6211da8212af534849de",
            future: "pays 1.5 tokens to NODE; and stakes 1.5 tokens on OTHER",
            past: "paid 1.5 tokens to NODE; and staked 1.5 tokens on OTHER",
        }
    }
}
