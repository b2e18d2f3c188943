//! Calls inside of calls, as deep as they may be.

use nervure_ledger::{
    multisig::MultisigAccount,
    proxies::{ProxyGrant, ProxyScope, SpendingLimit},
    transaction::{Batch, Call, MultisigCall, ProxyCall, SetProxy, Transfer, TransferVested},
};
use nervure_primitives::{Amount, BlockHeight, NodeKey};

use super::{key, mesh};

/// A grant, a vested amount, and a threshold account's batch of a proxy's call.
pub(super) fn calls() -> Vec<Call> {
    let (owner, other) = (key(), NodeKey::from_seed(&[78; 32]));
    let (to, amount) = (other.node_id(), Amount::from_base_units(1 << 30));
    let grant = ProxyGrant {
        scopes: ProxyScope::ALL.into(),
        limit: Some(SpendingLimit { amount, interval: 5 }),
        delay: 0,
        expiry: BlockHeight(9),
    };
    let [start, cliff, end] = [0, 2, 9].map(BlockHeight);
    let single = vec![
        Call::SetProxy(SetProxy { proxy: to, grant }),
        Call::TransferVested(TransferVested { to, amount, start, cliff, end }),
    ];
    let pay = Call::Transfer(Transfer { to, amount, memo: Some("rent".into()) });
    let by_proxy = Call::Proxy(ProxyCall { owner: owner.node_id(), call: pay.into() });
    let batch = Call::Batch(Batch { calls: single.iter().cloned().chain([by_proxy]).collect() });
    let Ok(account) = MultisigAccount::new(2, vec![owner.node_id(), to]) else { return single };
    let mut call = MultisigCall {
        account,
        nonce: 0,
        expiry: BlockHeight(9),
        call: batch.clone().into(),
        approvals: Vec::new(),
    };
    let approve = |member| call.account.approve(&call.approved(), member, &mesh().mesh_id()).ok().flatten();
    let mut approvals: Vec<_> = [&owner, &other].into_iter().filter_map(approve).collect();
    approvals.sort_by_key(|approval| approval.member);
    call.approvals = approvals;
    single.into_iter().chain([batch, Call::Multisig(call)]).collect()
}
