//! Granting a key the right to act for an owner.

use nervure_primitives::{Amount, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, ProxyRejection, Rejection, SignerKey, TransactionKind, weight};
use crate::{
    deposits::RecordKind,
    proxies::{Proxy, ProxyGrant},
    state::LedgerState,
};

/// Makes `proxy` a proxy of the signer, or changes what it may do. What it announced before is cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetProxy {
    /// The key that may act.
    pub proxy: NodeId,
    /// What it may do.
    pub grant: ProxyGrant,
}

/// A key that may act for an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetProxyOutcome {
    /// The key.
    pub proxy: NodeId,
    /// What it may do.
    pub grant: ProxyGrant,
}

impl TransactionKind for SetProxy {
    type Outcome = SetProxyOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::SET_PROXY
    }

    fn spends(&self, state: &LedgerState) -> u64 {
        state.params.deposit(RecordKind::Proxy)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { proxy, grant } = self.clone();
        grant.check(state.height)?;
        if proxy == signer {
            return Err(ProxyRejection::Grant.into());
        }
        state.proxies.check_room(&signer, &proxy)?;
        let former = state.proxies.get(&signer, &proxy).map_or(Amount::ZERO, |found| found.deposit);
        let deposit = Amount::from_base_units(state.params.deposit(RecordKind::Proxy));
        state.replace_deposit(&signer, former, deposit)?;
        let granted = Proxy::new(grant.clone(), state.height, deposit);
        let given_back = state.proxies.set((signer, proxy), granted);
        state.credit(proxy, given_back);
        Ok(SetProxyOutcome { proxy, grant })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let SetProxyOutcome { proxy, grant } = outcome;
        Description {
            future: format!("lets {proxy} act for your account ({grant})"),
            past: format!("{proxy} may act for your account ({grant})"),
        }
    }

    fn intent(&self) -> Option<String> {
        Some(format!("lets {} act for the account ({})", self.proxy, self.grant))
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{grant, node};
        super::Sample {
            call: Self { proxy: node(), grant: grant() },
            call_hash: "7c92283a2e3b1b15e9650b8ca4fa26a4991969674db48f099d7beb200e811e46",
            outcome: SetProxyOutcome { proxy: node(), grant: grant() },
            outcome_hash: "0668265289ead075606c32a5b40f5d1f88fa2b214a0641d7b56ae0d204eeb5b5",
            future: "lets NODE act for your account (transfers, staking; at most 1.5 tokens in 7200 blocks; 100 blocks \
                     after it announces a call; until block 300)",
            past: "NODE may act for your account (transfers, staking; at most 1.5 tokens in 7200 blocks; 100 blocks \
                   after it announces a call; until block 300)",
        }
    }
}
