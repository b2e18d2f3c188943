//! A pending transaction, and on which terms it waits.

use nervure_primitives::NodeId;

use super::{MAX_LANE_NONCE_GAP, MAX_NONCE_GAP, MempoolError};
use crate::{
    economics::base_fee::WEIGHT_UNIT,
    lane::LaneScope,
    state::LedgerState,
    transaction::{InclusionRejection, Payment, Rejection, SignedTransaction, SignerKey, Transaction},
};

/// The transactions that one nonce counts. A key that is both a node's and an owner's has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sequence {
    pub(super) key: SignerKey,
    pub(super) signer: NodeId,
}

/// What a transaction pays, as long as it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terms {
    /// Nothing: a validator sends it.
    Lane {
        /// Where it counts.
        scope: LaneScope,
        /// The stake behind the validator, in base units.
        stake: u64,
    },
    /// An account pays.
    Account {
        /// Whose.
        payer: NodeId,
        /// The most that it takes from the account: its fee and what its call spends, in base units.
        reserved: u64,
        /// The tip for [`WEIGHT_UNIT`] units of weight, in base units; none when its fee is too low now.
        rate: Option<u64>,
    },
}

/// A pending transaction.
#[derive(Clone, Debug)]
pub(super) struct PendingTransaction {
    pub(super) signed: SignedTransaction,
    pub(super) transaction: Transaction,
    pub(super) terms: Terms,
    /// The signer's next nonce in the ledger.
    pub(super) next: u64,
    pub(super) arrival: u64,
    /// When the first transaction of its nonce came that could be in a block and that it, or one between them, replaced; its own
    /// arrival without one. Who raises a bid keeps its place in line.
    pub(super) since: u64,
}

impl PendingTransaction {
    /// One that could be in a block after `state`, or could be if its fee or an earlier nonce were there.
    pub(super) fn new(
        signed: SignedTransaction,
        arrival: u64,
        state: &LedgerState,
    ) -> Result<Self, Rejection> {
        let transaction = signed.checked.transaction().map_err(Clone::clone)?.clone();
        // The next block has a height above this one.
        state.check_expiry(transaction.expiry, state.height.saturating_add(1))?;
        let (key, signer, given) = (transaction.call.signer(), signed.checked.signer(), transaction.nonce);
        let expected = state.next_nonce(key, &signer)?;
        if given < expected {
            return Err(InclusionRejection::Nonce { expected, given }.into());
        }
        let terms = terms(&signed, &transaction, state)?;
        Ok(Self { signed, transaction, terms, next: expected, arrival, since: arrival })
    }

    pub(super) fn sequence(&self) -> Sequence {
        Sequence { key: self.transaction.call.signer(), signer: self.signed.checked.signer() }
    }

    pub(super) fn nonce(&self) -> u64 {
        self.transaction.nonce
    }

    /// Nonces before it that the ledger has not used yet.
    pub(super) fn depth(&self) -> u64 {
        self.transaction.nonce.saturating_sub(self.next)
    }

    pub(super) fn bytes(&self) -> usize {
        self.signed.envelope.body().len()
    }

    pub(super) fn weight(&self) -> u64 {
        self.signed.checked.weight()
    }

    pub(super) fn is_free(&self) -> bool {
        matches!(self.terms, Terms::Lane { .. })
    }

    /// Whether it is free, or its fee covers its weight now.
    pub(super) fn is_payable(&self) -> bool {
        match self.terms {
            Terms::Lane { .. } => true,
            Terms::Account { rate, .. } => rate.is_some(),
        }
    }

    /// What its weight costs now, in base units.
    pub(super) fn base_cost(&self, state: &LedgerState) -> u64 {
        state.base_fee.cost(self.weight())
    }

    /// Refuses a nonce that is far ahead.
    pub(super) fn check_gap(&self) -> Result<(), MempoolError> {
        let most = if self.is_free() { MAX_LANE_NONCE_GAP } else { MAX_NONCE_GAP };
        match self.depth() < most {
            true => Ok(()),
            false => Err(MempoolError::FarNonce { expected: self.next, given: self.nonce(), most }),
        }
    }
}

/// What the next block would take for it. A fee that is too low now is enough again when the base fee has fallen.
fn terms(
    signed: &SignedTransaction,
    transaction: &Transaction,
    state: &LedgerState,
) -> Result<Terms, Rejection> {
    let checked = &signed.checked;
    let signer = checked.signer();
    let (payer, rate) = match state.payment(checked, transaction) {
        Ok(Payment::Lane(scope)) => {
            let stake = state.nodes.get(&signer).map_or(0, |node| node.stake().base_units());
            return Ok(Terms::Lane { scope, stake });
        }
        Ok(Payment::Account(charge)) => {
            let rate = u128::from(charge.tip) * u128::from(WEIGHT_UNIT) / u128::from(checked.weight().max(1));
            (charge.payer, Some(u64::try_from(rate).unwrap_or(u64::MAX)))
        }
        // Without any fee it is never enough.
        Err(Rejection::Inclusion(InclusionRejection::Fee { .. })) if !transaction.fee.is_zero() => {
            (state.payer(transaction.call.signer(), signer)?, None)
        }
        Err(rejection) => return Err(rejection),
    };
    let spends = match transaction.call.signer() {
        SignerKey::Owner => transaction.call.spends(state),
        SignerKey::Node => 0,
    };
    let reserved = transaction.fee.base_units().saturating_add(spends);
    Ok(Terms::Account { payer, reserved, rate })
}
