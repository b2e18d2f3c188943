//! Paying an amount that becomes free little by little.

use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, FundsRejection, Rejection, SignerKey, TransactionKind, weight};
use crate::{proxies::ProxyScope, state::LedgerState, vesting::Vesting};

/// Pays `amount` to `to`, evenly from `start` to `end`, and nothing before `cliff`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferVested {
    /// Who is paid.
    pub to: NodeId,
    /// How much; at least `min_stake`, because it takes a record of its own.
    pub amount: Amount,
    /// The block from which it grows.
    pub start: BlockHeight,
    /// The block before which nothing is free.
    pub cliff: BlockHeight,
    /// The block at which all of it is free.
    pub end: BlockHeight,
}

/// A vested amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TransferVestedOutcome {
    /// Who is paid.
    pub to: NodeId,
    /// How much.
    pub amount: Amount,
    /// The block before which nothing is free.
    pub cliff: BlockHeight,
    /// The block at which all of it is free.
    pub end: BlockHeight,
}

impl TransactionKind for TransferVested {
    type Outcome = TransferVestedOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::TRANSFER_VESTED
    }

    fn spends(&self, _: &LedgerState) -> u64 {
        self.amount.base_units()
    }

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Transfers)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { to, amount, start, cliff, end } = *self;
        if !(start <= cliff && cliff <= end && start < end && end.0 > state.height) {
            return Err(FundsRejection::Schedule.into());
        }
        let least = Amount::from_base_units(state.params.least_vested());
        if amount < least || amount.is_zero() {
            return Err(FundsRejection::VestedAmount { least }.into());
        }
        state.check_spend(&signer, amount.base_units())?;
        let (start, stop) = (start.0, end.0);
        let vesting = Vesting { amount, claimed: Amount::ZERO, start, cliff: cliff.0, end: stop };
        state.accounts.vest(to, signer, vesting).ok_or(FundsRejection::TooManyVestings)?;
        state.spend(&signer, amount.base_units())?;
        Ok(TransferVestedOutcome { to, amount, cliff, end })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let TransferVestedOutcome { to, amount, cliff, end } = outcome;
        let schedule = format!("the first of it can be claimed at block {cliff}, all of it at block {end}");
        Description {
            future: format!("pays {amount} tokens to {to}; {schedule}, and it cannot be taken back"),
            past: format!("paid {amount} tokens to {to}; {schedule}"),
        }
    }

    fn intent(&self) -> Option<String> {
        let Self { to, amount, start, cliff, end } = self;
        Some(format!(
            "pays {amount} tokens to {to}, evenly from block {start} to block {end} and nothing before block {cliff}"
        ))
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, BLOCK, node};
        let cliff = BlockHeight(200);
        super::Sample {
            call: Self { to: node(), amount: AMOUNT, start: BlockHeight(100), cliff, end: BLOCK },
            call_hash: "bb9a862fa20500bd198820578c67bc6a7a981fd25cdb9349fcffb87525fd9fbd",
            outcome: TransferVestedOutcome { to: node(), amount: AMOUNT, cliff, end: BLOCK },
            outcome_hash: "db1a3b29ab7a5ad0e1697e5cd3f71af02528da42527bba07b1d82dec98e82ed1",
            future: "pays 1.5 tokens to NODE; the first of it can be claimed at block 200, all of it at block 300, and it \
                     cannot be taken back",
            past: "paid 1.5 tokens to NODE; the first of it can be claimed at block 200, all of it at block 300",
        }
    }
}
