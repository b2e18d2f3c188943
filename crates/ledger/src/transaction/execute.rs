//! What holds for every transaction, whatever its kind: expiry, nonce, payment.
//!
//! A transaction is either admitted to a block or not. Admitted, it is paid for and uses its nonce, whether its call
//! succeeds or is rejected. What cannot be admitted makes a block invalid: an honest proposer leaves it out, and a
//! dishonest one gains nothing by including it.

use nervure_primitives::{Amount, BlockHeight, NodeId};

use super::{
    Call, Checked, FundsRejection, InclusionRejection, NodeRejection, Outcome, Rejection, SignerKey,
    Transaction,
};
use crate::{block_weight::BlockWeight, lane::LaneScope, state::LedgerState};

/// Who pays for a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payment {
    /// No account: it is in the lane of validators.
    Lane(LaneScope),
    /// An account.
    Account(Charge),
}

/// What an account pays for a transaction in the block after a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    /// Whose account.
    pub(crate) payer: NodeId,
    /// Its weight at the base fee, in base units: recycled.
    pub(crate) base: u64,
    /// What the proposer gets, in base units.
    pub(crate) tip: u64,
}

/// A transaction that may be in the next block of a state.
pub(crate) struct Admitted<'a> {
    transaction: &'a Transaction,
    signer: NodeId,
    payment: Payment,
    /// The weight of the block with it.
    pub(crate) block: BlockWeight,
}

/// A transaction that was carried out.
pub(crate) struct Execution {
    /// What it did, or why it did nothing.
    pub(crate) outcome: Result<Outcome, Rejection>,
    /// What was paid for it.
    pub(crate) paid: Amount,
    /// The part of it that the proposer gets.
    pub(crate) tip: Amount,
}

impl Charge {
    /// What is taken from the account; saturating, as no account can hold so much.
    pub(crate) const fn total(&self) -> u64 {
        self.base.saturating_add(self.tip)
    }
}

impl LedgerState {
    /// What signer and height allow: expiry and nonce are not looked at, nor whether the account has enough.
    ///
    /// # Errors
    /// When the fee is below what the transaction costs now, the signing node is unknown, or its quota is used up.
    pub(crate) fn payment(&self, checked: &Checked, transaction: &Transaction) -> Result<Payment, Rejection> {
        let signer = checked.signer;
        self.check_kind(&transaction.call)?;
        let payer = self.payer(transaction.call.signer(), signer)?;
        // Only kinds that a node key signs have a place in the lane.
        if transaction.fee.is_zero()
            && let Some(scope) = self.lane_scope(&transaction.call, &signer)?
        {
            return Ok(Payment::Lane(scope));
        }
        let (fee, base) = (transaction.fee.base_units(), self.base_fee.cost(checked.weight));
        let left =
            fee.checked_sub(base).ok_or(InclusionRejection::Fee { least: Amount::from_base_units(base) })?;
        Ok(Payment::Account(Charge { payer, base, tip: transaction.tip.base_units().min(left) }))
    }

    /// Refuses a kind that belongs to a later version of the protocol. Programs that know only the version of this height
    /// find it malformed, and so does this one.
    fn check_kind(&self, call: &Call) -> Result<(), Rejection> {
        let (since, now) = (call.since(), self.upgrades.version_at(BlockHeight(self.height)));
        match since <= now {
            true => Ok(()),
            false => Err(InclusionRejection::Malformed {
                why: format!("its kind is of protocol version {since}, and this height has version {now}")
                    .as_str()
                    .into(),
            }
            .into()),
        }
    }

    /// Whose account pays for what `signer` sends, unless it is free.
    ///
    /// # Errors
    /// When there is no such node.
    pub(crate) fn payer(&self, key: SignerKey, signer: NodeId) -> Result<NodeId, Rejection> {
        match key {
            SignerKey::Owner => Ok(signer),
            SignerKey::Node => {
                Ok(self.nodes.get(&signer).ok_or(NodeRejection::NoSuchNode { node: signer })?.owner)
            }
        }
    }

    /// What the payer of `call` has to have beside the fee, in base units: the existential deposit, unless the account is
    /// closed.
    pub(crate) fn kept_by_payer(&self, call: &Call) -> u64 {
        if call.closes_account() { 0 } else { self.params.existential_deposit() }
    }

    /// Counts a transaction of `signer`.
    pub(crate) fn advance_nonce(&mut self, key: SignerKey, signer: NodeId) {
        match key {
            SignerKey::Owner => self.accounts.advance_nonce(signer),
            SignerKey::Node => self.nodes.advance_nonce(&signer),
        }
    }

    /// The nonce that the next transaction of `signer` has to carry.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn next_nonce(&self, key: SignerKey, signer: &NodeId) -> Result<u64, Rejection> {
        match key {
            SignerKey::Owner => Ok(self.accounts.get(signer).nonce),
            SignerKey::Node => {
                Ok(self.nodes.get(signer).ok_or(NodeRejection::NoSuchNode { node: *signer })?.nonce)
            }
        }
    }

    /// Refuses what is no longer valid in a block of `height`, or would be for too long.
    pub(crate) fn check_expiry(&self, expiry: BlockHeight, height: u64) -> Result<(), Rejection> {
        // A transaction can still be applied at its last valid height.
        if expiry.0 < height {
            return Err(InclusionRejection::Expired { expiry }.into());
        }
        let last = BlockHeight(height.saturating_add(self.params.max_lifetime));
        if expiry > last { Err(InclusionRejection::ExpiryTooFar { last }.into()) } else { Ok(()) }
    }
}

/// Admits a transaction to the block of `state`, which has the weight `block` so far.
///
/// # Errors
/// Why a block with it would be invalid.
pub(crate) fn admit<'a>(
    state: &LedgerState,
    checked: &'a Checked,
    block: BlockWeight,
) -> Result<Admitted<'a>, Rejection> {
    let transaction = checked.transaction.as_ref().map_err(Clone::clone)?;
    // Signatures were verified before, possibly for another state: a mistake of the caller stops here.
    if checked.mesh != state.mesh {
        return Err(InclusionRejection::Malformed { why: "it was verified for another mesh".into() }.into());
    }
    state.check_expiry(transaction.expiry, state.height)?;
    let expected = state.next_nonce(transaction.call.signer(), &checked.signer)?;
    if transaction.nonce != expected {
        return Err(InclusionRejection::Nonce { expected, given: transaction.nonce }.into());
    }
    let payment = state.payment(checked, transaction)?;
    if let Payment::Account(charge) = payment {
        let needed = charge.total().saturating_add(state.kept_by_payer(&transaction.call));
        let needed = Amount::from_base_units(needed);
        if state.accounts.get(&charge.payer).balance < needed {
            return Err(FundsRejection::Balance { needed }.into());
        }
    }
    let block = block.with(checked.weight, matches!(payment, Payment::Lane(_)), state.limit)?;
    Ok(Admitted { transaction, signer: checked.signer, payment, block })
}

impl Admitted<'_> {
    /// Carries it out: it is paid for and uses its nonce, even if its call is rejected.
    pub(crate) fn execute(self, state: &mut LedgerState) -> Execution {
        let Self { transaction, signer, payment, .. } = self;
        let (mut paid, mut tip) = (0, 0);
        // First of all, so that the call cannot spend it.
        match payment {
            Payment::Lane(scope) => state.lane.count(scope, signer),
            Payment::Account(charge) => {
                if state.accounts.debit(&charge.payer, charge.total()) {
                    (paid, tip) = (charge.total(), charge.tip);
                    // The base fee goes to no validator: it lowers the issuance and can be minted again.
                    state.take_base_fee(charge.base);
                }
            }
        }
        state.advance_nonce(transaction.call.signer(), signer);
        // `apply` checks everything before it changes anything, so that a rejection needs no rollback.
        let outcome = transaction.call.apply(state, signer);
        if let Payment::Account(charge) = payment {
            // A transfer of all that was rejected can leave too little.
            state.reap(&charge.payer);
        }
        Execution { outcome, paid: Amount::from_base_units(paid), tip: Amount::from_base_units(tip) }
    }
}
