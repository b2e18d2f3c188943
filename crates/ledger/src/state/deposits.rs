//! What accounts hold, spend and deposit.
//!
//! Everything that pays an account or takes from it passes through here, so that no account with less than the existential
//! deposit ever exists ([`crate::deposits`]):
//!
//! * A transaction that would leave its payer less is rejected: nothing is lost by mistake. One that spends all of it closes
//!   the account.
//! * A transfer that would make a smaller account is rejected, too.
//! * What the ledger pays by itself cannot be rejected: what would make a smaller account is recycled. It is less than the
//!   existential deposit, and the owner can prevent it by having an account. The emission of an epoch waits in the pot
//!   of its subnet instead.
//! * A fee is taken only from what is above the existential deposit, except by a transfer of all. If such a transfer is
//!   rejected, what is left may be too little: it is recycled. Otherwise an account could hand everything to a proposer as a
//!   tip and leave a record that nothing pays for.

use nervure_primitives::{Amount, BlockHeight, NodeId};

use super::LedgerState;
use crate::{
    deposits::{Deposit, DepositFor, RecordKind},
    nodes::MAX_FORGOTTEN,
    subnet::Neuron,
    transaction::{FundsRejection, Rejection},
};

impl LedgerState {
    /// Pays `owner` what was already taken from elsewhere. What would make an account that is too small is recycled.
    pub(crate) fn credit(&mut self, owner: NodeId, amount: u64) {
        if !self.accounts.credit(owner, amount, self.params.existential_deposit()) {
            self.recycle(amount);
        }
    }

    /// Whether `owner` can spend `amount` base units.
    ///
    /// # Errors
    /// When the balance is too low, or what is left would be too little for an account.
    pub(crate) fn check_spend(&self, owner: &NodeId, amount: u64) -> Result<(), Rejection> {
        if amount == 0 {
            return Ok(());
        }
        let least = self.params.existential_deposit();
        let left = self.accounts.get(owner).balance.base_units().checked_sub(amount);
        match left.ok_or(FundsRejection::Balance { needed: Amount::from_base_units(amount) })? {
            left if left > 0 && left < least => Err(FundsRejection::RestTooSmall {
                left: Amount::from_base_units(left),
                least: Amount::from_base_units(least),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// Takes `amount` base units from `owner`; the caller owes the other side of the entry.
    ///
    /// # Errors
    /// See [`Self::check_spend`]. Nothing happens then.
    pub(crate) fn spend(&mut self, owner: &NodeId, amount: u64) -> Result<(), Rejection> {
        self.check_spend(owner, amount)?;
        if !self.accounts.debit(owner, amount) {
            return Err(FundsRejection::Balance { needed: Amount::from_base_units(amount) }.into());
        }
        self.reap(owner);
        Ok(())
    }

    /// Removes the account of `owner` if it holds less than the existential deposit. What it held is recycled.
    pub(crate) fn reap(&mut self, owner: &NodeId) {
        let rest = self.accounts.reap(owner, self.params.existential_deposit());
        self.recycle(rest);
    }

    /// Takes `amount` base units for a deposit from `owner`.
    ///
    /// # Errors
    /// [`FundsRejection::Deposit`] when the balance is too low. Nothing happens then.
    fn spend_on_deposit(&mut self, owner: &NodeId, amount: u64) -> Result<(), Rejection> {
        let needed = amount.saturating_add(self.params.existential_deposit());
        self.spend(owner, amount)
            .map_err(|_| Rejection::from(FundsRejection::Deposit { needed: Amount::from_base_units(needed) }))
    }

    /// Takes the deposit of a new record from `owner`. The caller keeps what it returns in the record.
    ///
    /// # Errors
    /// [`FundsRejection::Deposit`] when the balance is too low. Nothing happens then.
    pub(crate) fn deposit(&mut self, owner: &NodeId, kind: RecordKind) -> Result<Amount, Rejection> {
        let deposit = self.params.deposit(kind);
        self.spend_on_deposit(owner, deposit)?;
        Ok(Amount::from_base_units(deposit))
    }

    /// Takes what the deposit of a record that replaces another one is larger, or gives back what it is smaller.
    ///
    /// # Errors
    /// [`FundsRejection::Deposit`] when the balance is too low. Nothing happens then.
    pub(crate) fn replace_deposit(
        &mut self,
        owner: &NodeId,
        former: Amount,
        deposit: Amount,
    ) -> Result<(), Rejection> {
        match deposit.checked_sub(former) {
            Some(more) => self.spend_on_deposit(owner, more.base_units()),
            None => {
                self.credit(*owner, former.base_units().saturating_sub(deposit.base_units()));
                Ok(())
            }
        }
    }

    /// Gives the deposit of a slot back to the owner of the node that had it.
    pub(crate) fn give_slot_back(&mut self, neuron: &Neuron) {
        match self.nodes.get(&neuron.node).map(|node| node.owner) {
            Some(owner) => self.credit(owner, neuron.deposit.base_units()),
            // Excluded: a node with a slot cannot be deregistered.
            None => self.recycle(neuron.deposit.base_units()),
        }
    }

    /// Forgets the retired keys that are free at this height, and gives their deposits back.
    pub(super) fn forget_retired(&mut self) {
        for _ in 0..MAX_FORGOTTEN {
            let Some(key) = self.nodes.retired.forget_next(BlockHeight(self.height)) else { return };
            self.credit(key.owner, key.deposit.base_units());
        }
    }

    /// The block from which on a key that is retired now is free again: when nothing that it signed can be in a block or
    /// be evidence any more. A node that swaps its key can be in office with the former one until the next election, and
    /// the ledger remembers that for the evidence window.
    pub(crate) fn retired_until(&self) -> BlockHeight {
        let window =
            self.params.evidence_window.saturating_add(self.params.election_interval.saturating_mul(2));
        BlockHeight(self.height.saturating_add(window.max(self.params.max_lifetime)))
    }

    /// What `owner` deposited for calls that it announced as a proxy.
    fn announcement_deposits(&self, owner: NodeId) -> impl Iterator<Item = Deposit> {
        self.proxies.announced_by(owner).map(|(node, one)| Deposit {
            node,
            of: DepositFor::Announcement,
            amount: one.deposit,
        })
    }

    /// What `owner` deposited for its proposals and for the votes of its stakes.
    fn governance_deposits(&self, owner: NodeId) -> impl Iterator<Item = Deposit> {
        let proposals = self.governance.proposals.iter().filter(move |(_, one)| one.proposer == owner);
        let proposals = proposals.map(move |(proposal, one)| Deposit {
            node: owner,
            of: DepositFor::Proposal { proposal: *proposal },
            amount: one.deposit,
        });
        let votes = self.nodes.ballots.votes.iter().filter(move |(key, _)| key.staker == owner);
        let votes = votes.map(|(key, vote)| Deposit {
            // The votes on a node that is deregistered may still wait to be removed.
            node: self.nodes.key_of(key.node).unwrap_or(key.staker),
            of: DepositFor::StakeVote { proposal: key.proposal },
            amount: vote.deposit,
        });
        proposals.chain(votes)
    }

    /// What `owner` deposited, for records of its nodes and for its own, and has back later. The lock of a subnet is not among
    /// it.
    pub fn deposits_of(&self, owner: NodeId) -> impl Iterator<Item = Deposit> {
        let of_nodes = self.nodes.of_owner(owner).flat_map(|(node, found)| {
            let one = move |of, amount| Deposit { node, of, amount };
            let slots = self.subnets.iter().filter_map(move |(netuid, subnet)| {
                let neuron = subnet.uid_of(&node).and_then(|uid| subnet.neuron(uid))?;
                Some(one(DepositFor::Slot { netuid: *netuid }, neuron.deposit))
            });
            let vote = self.votes.get(&node).map(|vote| one(DepositFor::Vote, vote.deposit));
            let anchor = self.anchors.key_of(&node).map(|key| one(DepositFor::AnchorKey, key.deposit));
            [one(DepositFor::Node, found.deposit)].into_iter().chain(slots).chain(vote).chain(anchor)
        });
        let retired = self.nodes.retired_of(owner);
        let retired = retired.map(|(node, key)| Deposit {
            node,
            of: DepositFor::RetiredKey { free: key.free },
            amount: key.deposit,
        });
        let proxies = self.proxies.of(owner).map(|(node, proxy)| Deposit {
            node,
            of: DepositFor::Proxy,
            amount: proxy.deposit,
        });
        let own = proxies.chain(self.announcement_deposits(owner)).chain(self.governance_deposits(owner));
        of_nodes.chain(retired).chain(own).filter(|deposit| !deposit.amount.is_zero())
    }
}
