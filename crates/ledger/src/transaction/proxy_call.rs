//! Acting for an owner as its proxy.
//!
//! What leaves the owner's balance is measured by the balance itself, before and after, so that no kind of call can spend
//! more than it says. The proxy pays the fee.

use nervure_primitives::{MeshId, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Call, Description, FormError, Outcome, Rank, Rejection, SignerKey, TransactionKind, form::check_inner,
    weight,
};
use crate::{proxies::announcement_id, state::LedgerState};

/// Does `call` for `owner`. A proxy with a delay has announced it before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyCall {
    /// For whom.
    pub owner: NodeId,
    /// What the owner does.
    pub call: Box<Call>,
}

/// What a proxy did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProxyOutcome {
    /// For whom.
    pub owner: NodeId,
    /// What its call did.
    pub outcome: Box<Outcome>,
}

impl ProxyCall {
    /// Takes the announcement where one is needed, carries the call out, and counts what was spent.
    fn act(&self, state: &mut LedgerState, proxy: NodeId) -> Result<Outcome, Rejection> {
        let Self { owner, call } = self;
        let (owner, height) = (*owner, state.height);
        if state.proxies.permitted((owner, proxy), call, height)?.delay > 0 {
            let taken = state.proxies.take_ready(owner, announcement_id(&proxy, call), height)?;
            state.credit(proxy, taken.deposit.base_units());
        }
        let balance = |state: &LedgerState| state.accounts.get(&owner).balance.base_units();
        let before = balance(state);
        let outcome = call.apply(state, owner)?;
        let spent = before.saturating_sub(balance(state));
        state.proxies.spend((owner, proxy), spent, height)?;
        Ok(outcome)
    }
}

impl TransactionKind for ProxyCall {
    type Outcome = ProxyOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    const RANK: Rank = Rank::Proxy;

    fn weight(&self) -> u64 {
        weight::PROXY_CALL.saturating_add(self.call.weight())
    }

    fn inside(&self) -> &[Call] {
        std::slice::from_ref(self.call.as_ref())
    }

    fn check(&self, mesh: &MeshId) -> Result<(), FormError> {
        check_inner(Self::RANK, &self.call, mesh)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        // Shares everything with the state: only what the call changes is copied.
        let before = state.clone();
        match self.act(state, signer) {
            Ok(outcome) => Ok(ProxyOutcome { owner: self.owner, outcome: outcome.into() }),
            Err(rejection) => {
                *state = before;
                Err(rejection)
            }
        }
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let ProxyOutcome { owner, outcome } = outcome;
        let Description { future, past } = outcome.description();
        Description { future: format!("{future}, for {owner}"), past: format!("{past}, for {owner}") }
    }

    fn intent(&self) -> Option<String> {
        Some(format!("{}, for {}", self.call.intent(), self.owner))
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::{
            StakeOutcome,
            sample::{AMOUNT, node, other, staking},
        };
        let staked = Outcome::Staked(StakeOutcome { node: other(), amount: AMOUNT, validates: true });
        super::Sample {
            call: Self { owner: node(), call: staking().into() },
            call_hash: "13910234f910a694f20c710b722e302a8b18d592280b582219d607857499a511",
            outcome: ProxyOutcome { owner: node(), outcome: staked.into() },
            outcome_hash: "8026395d470b301c6b73e51190b5f592a1992e6eead2e8da51ed75595f86c49d",
            future: "stakes 1.5 tokens on OTHER, for NODE",
            past: "staked 1.5 tokens on OTHER, for NODE",
        }
    }
}
