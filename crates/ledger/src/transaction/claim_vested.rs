//! Claiming what has vested.

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, FundsRejection, Rejection, SignerKey, TransactionKind, weight};
use crate::{deposits::RecordKind, proxies::ProxyScope, state::LedgerState};

/// Moves what is free of the amounts that `from` gave the signer to its balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimVested {
    /// Who gave them; the signer itself for an amount of the genesis.
    pub from: NodeId,
}

/// What was claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClaimVestedOutcome {
    /// Who gave it.
    pub from: NodeId,
    /// How much.
    pub amount: Amount,
}

impl TransactionKind for ClaimVested {
    type Outcome = ClaimVestedOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::CLAIM_VESTED
    }

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Staking)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let (from, stays) = (self.from, state.params.deposit(RecordKind::Vesting));
        let claimable = state.accounts.claimable((signer, from), state.height, stays);
        let least = state.params.existential_deposit();
        if claimable == 0 {
            return Err(FundsRejection::NothingVested.into());
        }
        // Of a threshold account or through a proxy: whose fee another account pays.
        if claimable < least && !state.accounts.exists(&signer) {
            return Err(FundsRejection::AccountTooSmall { least: Amount::from_base_units(least) }.into());
        }
        let amount = state.accounts.take_vested((signer, from), state.height, stays);
        state.credit(signer, amount);
        Ok(ClaimVestedOutcome { from, amount: Amount::from_base_units(amount) })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let ClaimVestedOutcome { from, amount } = outcome;
        Description {
            future: format!("claims {amount} tokens of what {from} gave"),
            past: format!("claimed {amount} tokens of what {from} gave"),
        }
    }

    fn intent(&self) -> Option<String> {
        Some(format!("claims what has vested of what {} gave", self.from))
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, node};
        super::Sample {
            call: Self { from: node() },
            call_hash: "3c175b43e735a036c8c27dea2143dacc2a3954de53e11c0ba78461382b965f2a",
            outcome: ClaimVestedOutcome { from: node(), amount: AMOUNT },
            outcome_hash: "2af4313461d1799f915b28b7aa07eafb1b27bbf0d466452e480d9eb9811b6be5",
            future: "claims 1.5 tokens of what NODE gave",
            past: "claimed 1.5 tokens of what NODE gave",
        }
    }
}
