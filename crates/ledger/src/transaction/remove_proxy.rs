//! Taking the right to act for an owner back.

use nervure_primitives::NodeId;
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
use crate::state::LedgerState;

/// Removes a proxy of the signer, and cancels what it announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveProxy {
    /// The proxy.
    pub proxy: NodeId,
}

/// A key that acts for an owner no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RemoveProxyOutcome {
    /// The key.
    pub proxy: NodeId,
}

impl TransactionKind for RemoveProxy {
    type Outcome = RemoveProxyOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::SET_PROXY
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let proxy = self.proxy;
        let (removed, given_back) = state.proxies.remove(signer, proxy)?;
        state.credit(signer, removed.deposit.base_units());
        state.credit(proxy, given_back);
        Ok(RemoveProxyOutcome { proxy })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let RemoveProxyOutcome { proxy } = outcome;
        Description {
            future: format!("removes the proxy {proxy} and cancels what it announced"),
            past: format!("{proxy} is no longer a proxy of your account"),
        }
    }

    fn intent(&self) -> Option<String> {
        Some(format!("removes the proxy {} and cancels what it announced", self.proxy))
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::node;
        super::Sample {
            call: Self { proxy: node() },
            call_hash: "7a576a11cd8425d5b5e8029a2b2673d354459415d2f80e28fbb604434587b089",
            outcome: RemoveProxyOutcome { proxy: node() },
            outcome_hash: "f593616f3b098aa09e177556c0c5b483eb9595e8dabcccedc0c8c29e50917864",
            future: "removes the proxy NODE and cancels what it announced",
            past: "NODE is no longer a proxy of your account",
        }
    }
}
