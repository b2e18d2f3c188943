//! The next block's transactions: which of them it has, and what they do.

use nervure_primitives::{Amount, Hash, NodeId};

use super::{EpochRecord, LedgerState};
use crate::{
    block::BlockContext,
    block_weight::BlockWeight,
    event::Event,
    lane::LaneScope,
    mempool::MAX_LANE_NONCE_GAP,
    transaction::{Checked, Execution, Outcome, Rejection, Transaction, admit},
};

/// What a block did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advanced {
    /// What happened.
    pub events: Vec<Event>,
    /// What its epochs were computed from.
    pub epochs: Vec<EpochRecord>,
}

/// A transaction that no valid block has in this place: it is malformed or expired, its nonce is not the next one, no account
/// can pay for it, or the block has no room for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transaction {index} of the block, {id}, is not valid: {reason}")]
pub struct InvalidTransaction {
    /// Its place in the block, from 0.
    pub index: usize,
    /// Its id.
    pub id: Hash,
    /// Why.
    pub reason: Rejection,
}

/// What a transaction would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// What it would do.
    pub outcome: Outcome,
    /// What would be paid for it.
    pub paid: Amount,
}

/// A block while its transactions are carried out.
#[derive(Default)]
struct InProgress {
    weight: BlockWeight,
    /// What the proposer gets, in base units.
    tips: u64,
    events: Vec<Event>,
}

impl LedgerState {
    /// Applies the next block's transactions and says what happened. One that is rejected is an event.
    ///
    /// # Errors
    /// The first transaction that makes the block invalid. The state is useless then.
    pub fn advance(
        &mut self,
        context: &BlockContext,
        transactions: &[Checked],
    ) -> Result<Vec<Event>, InvalidTransaction> {
        self.advance_recorded(context, transactions).map(|advanced| advanced.events)
    }

    /// [`Self::advance`], with what the block's epochs were computed from.
    ///
    /// # Errors
    /// See [`Self::advance`].
    pub fn advance_recorded(
        &mut self,
        context: &BlockContext,
        transactions: &[Checked],
    ) -> Result<Advanced, InvalidTransaction> {
        self.begin_block(context);
        let mut block = InProgress::default();
        for (index, transaction) in transactions.iter().enumerate() {
            self.include(transaction, &mut block).map_err(|reason| InvalidTransaction {
                index,
                id: transaction.id,
                reason,
            })?;
        }
        Ok(self.end_block(context, block))
    }

    /// Makes a block of those of `candidates` that it can have, in their order, and tells `included` which these are.
    pub(crate) fn advance_with(
        &mut self,
        context: &BlockContext,
        candidates: &[Checked],
        mut included: impl FnMut(usize),
    ) -> Advanced {
        self.begin_block(context);
        let mut block = InProgress::default();
        for (index, candidate) in candidates.iter().enumerate() {
            // Left out: the mempool could not know what those before it would do.
            if self.include(candidate, &mut block).is_ok() {
                included(index);
            }
        }
        self.end_block(context, block)
    }

    /// What a transaction would do in the next block, as if those of its signer before it were carried out and had done
    /// nothing.
    ///
    /// # Errors
    /// Why it would be rejected, or the block could not have it.
    pub fn try_transaction(&self, context: &BlockContext, transaction: &Checked) -> Result<Trial, Rejection> {
        let mut state = self.clone();
        state.begin_block(context);
        if let Ok(Transaction { nonce, call, .. }) = transaction.transaction() {
            let (key, signer) = (call.signer(), transaction.signer());
            let expected = state.next_nonce(key, &signer)?;
            // Bounded: the mempool takes none that is further ahead.
            for _ in expected..(*nonce).min(expected.saturating_add(MAX_LANE_NONCE_GAP)) {
                state.advance_nonce(key, signer);
            }
            // What is wrong with the call is of more use to its signer than who would pay for it.
            call.apply(&mut state.clone(), signer)?;
        }
        let admitted = admit(&state, transaction, BlockWeight::default())?;
        let Execution { outcome, paid, .. } = admitted.execute(&mut state);
        let mut outcome = outcome?;
        outcome.foresee(&state);
        Ok(Trial { outcome, paid })
    }

    /// Carries out one transaction, unless the block cannot have it.
    fn include(&mut self, transaction: &Checked, block: &mut InProgress) -> Result<(), Rejection> {
        let admitted = admit(self, transaction, block.weight)?;
        block.weight = admitted.block;
        let Execution { outcome, paid, tip } = admitted.execute(self);
        block.tips = block.tips.saturating_add(tip.base_units());
        let id = transaction.id;
        block.events.push(match outcome {
            Ok(outcome) => Event::Applied { id, paid, outcome },
            Err(rejection) => Event::Rejected { id, paid, rejection },
        });
        Ok(())
    }

    /// What every block does after its transactions.
    fn end_block(&mut self, context: &BlockContext, block: InProgress) -> Advanced {
        let InProgress { weight, tips, events } = block;
        self.base_fee = self.base_fee.next(weight.paid, self.limit.paid, self.params.min_base_fee);
        self.pay_tips(context.proposer, tips);
        let mut advanced = Advanced { events, epochs: Vec::new() };
        // After the transactions: weights that are revealed in this block count in an epoch that ends here.
        self.run_epochs(self.params.epoch_weight_limit(), &mut advanced);
        if self.height.is_multiple_of(self.params.share_interval) {
            self.step_shares();
        }
        // Before the election: the set until now agrees on this block.
        self.last_validators.clone_from(&self.validators);
        if self.height.is_multiple_of(self.params.election_interval) {
            // After the epochs, whose dividends change stakes.
            self.elect(&mut advanced.events);
            self.lane.reset(LaneScope::Election);
            // After the election: it reads the validators that were just elected.
            self.hand_over();
        }
        // Last: what votes change counts from the next block on.
        self.govern(&mut advanced.events);
        advanced
    }

    /// Pays the tips of a block, which were taken from their payers, to the owner of the validator that proposed it.
    fn pay_tips(&mut self, proposer: Option<NodeId>, tips: u64) {
        match proposer.and_then(|proposer| self.nodes.get(&proposer)).map(|node| node.owner) {
            Some(owner) => self.credit(owner, tips),
            // Its key was swapped since the election, or no validators agreed.
            None => self.recycle(tips),
        }
    }
}
