//! The account of an owner key: all that it has, and what it has to wait for.

use nervure_api::{
    AccountView, AnnouncementView, FeesView, MovedStakeView, PendingView, ProxyView, ServiceError,
    VestingView,
};
use nervure_ledger::{
    deposits::{Deposit, RecordKind},
    nodes::{MovedKey, MovedStake},
    state::LedgerState,
    transaction::{SignedTransaction, SignerKey},
    vesting::{Vesting, VestingKey},
};
use nervure_primitives::{Amount, BlockHeight, Netuid, NodeId};
use nervure_protocol::light::KeysOf;

use super::LedgerQueries;
use crate::runtime::view;

/// Most deposits that an account's document lists.
const MAX_DEPOSITS: usize = 256;

impl LedgerQueries {
    /// The account of an owner key.
    pub(crate) async fn account(&self, owner: NodeId) -> Result<AccountView, ServiceError> {
        if let Some(light) = &self.light {
            let state = light.state(KeysOf::Owner(owner)).await?.tip.state;
            return Ok(AccountView {
                block_milliseconds: self.block_milliseconds,
                ..view_of(&state, owner, FeesView { base_fee: state.base_fee().0, tip: 0 })
            });
        }
        let chain = self.chain()?;
        let nonce = chain.next_nonce(SignerKey::Owner, owner).await;
        let pending = chain.pending_of(owner).await;
        let (tip, fees) = (chain.view().tip.clone(), view::fees(&chain.view()));
        let found = view_of(&tip.state, owner, fees);
        Ok(AccountView {
            // At least that of the ledger: a block may have come meanwhile.
            nonce: nonce.unwrap_or(0).max(found.nonce),
            pending: pending.iter().filter_map(pending_view).collect(),
            block_milliseconds: self.block_milliseconds,
            ..found
        })
    }
}

/// What a state says about an account.
fn view_of(state: &LedgerState, owner: NodeId, fees: FeesView) -> AccountView {
    let account = state.accounts().get(&owner);
    let mut deposits: Vec<Deposit> = state.deposits_of(owner).collect();
    let deposited: u64 = deposits.iter().map(|deposit| deposit.amount.base_units()).sum();
    deposits.truncate(MAX_DEPOSITS);
    let locked = state.subnets().iter().filter(|(_, subnet)| subnet.owner == Some(owner));
    AccountView {
        owner,
        balance: account.balance,
        nonce: account.nonce,
        unbonding: state.unbonding_of(&owner).collect(),
        stakes: state.nodes().stakes_of(owner).collect(),
        locked: locked.map(|(netuid, subnet)| (*netuid, Amount::from_base_units(subnet.locked))).collect(),
        vesting: vesting(state, owner),
        proxies: proxies(state, owner),
        announcements: announcements(state, owner),
        existential_deposit: Amount::from_base_units(state.params().existential_deposit()),
        deposited: Amount::from_base_units(deposited),
        deposits,
        moved: moved_by(state, owner),
        nodes: state.nodes().iter().filter(|(_, node)| node.owner == owner).map(|(id, _)| *id).collect(),
        subnets: owned_subnets(state, owner),
        pending: Vec::new(),
        height: state.height(),
        fees,
        block_milliseconds: 0,
    }
}

fn vesting(state: &LedgerState, owner: NodeId) -> Vec<VestingView> {
    // What can be claimed in the next block.
    let next = state.height().0.saturating_add(1);
    let view = |(key, one): (VestingKey, Vesting)| VestingView {
        from: key.from,
        number: key.number,
        amount: one.amount,
        claimed: one.claimed,
        free: Amount::from_base_units(one.claimable(next, state.params().deposit(RecordKind::Vesting))),
        start: BlockHeight(one.start),
        cliff: BlockHeight(one.cliff),
        end: BlockHeight(one.end),
    };
    state.accounts().vesting(&owner).map(view).collect()
}

fn proxies(state: &LedgerState, owner: NodeId) -> Vec<ProxyView> {
    let next = state.height().0.saturating_add(1);
    let all = state.proxies().of(owner);
    all.map(|(id, proxy)| ProxyView { proxy: id, grant: proxy.grant.clone(), left: proxy.left(next) })
        .collect()
}

fn announcements(state: &LedgerState, owner: NodeId) -> Vec<AnnouncementView> {
    let all = state.proxies().announced(&owner);
    all.map(|(id, one)| AnnouncementView {
        id,
        proxy: one.proxy,
        ready: BlockHeight(one.ready),
        does: one.call.intent(),
    })
    .collect()
}

fn pending_view(signed: &SignedTransaction) -> Option<PendingView> {
    let checked = signed.checked();
    let transaction = checked.transaction().ok()?;
    let (nonce, fee, expiry) = (transaction.nonce, transaction.fee, transaction.expiry);
    Some(PendingView { id: checked.id(), nonce, fee, expiry, does: transaction.call.intent() })
}

fn moved_by(state: &LedgerState, staker: NodeId) -> Vec<MovedStakeView> {
    let key = |number| state.nodes().key_of(number);
    let view = |(MovedKey { free, from, to, .. }, entry): (MovedKey, MovedStake)| MovedStakeView {
        from: key(from),
        to: key(to),
        amount: entry.amount,
        free: BlockHeight(free),
    };
    state.nodes().moved_by(staker).map(view).collect()
}

fn owned_subnets(state: &LedgerState, owner: NodeId) -> Vec<Netuid> {
    state
        .subnets()
        .iter()
        .filter(|(_, subnet)| subnet.owner == Some(owner))
        .map(|(netuid, _)| *netuid)
        .collect()
}
