//! Makes records that every node keeps for ever: accounts and node keys.

use nervure_ledger::{
    event::Event,
    state::LedgerState,
    transaction::{Call, RegisterNode, SignerKey, Transfer, consent},
    tree::changes,
};
use nervure_primitives::{NodeKey, cbor};
use rand::Rng;

use crate::{
    field::{Field, Report, Start},
    mesh::{Offer, key, units},
};

/// Blocks of an attack.
const BLOCKS: u64 = 30;

/// Bytes of all records.
fn size(state: &LedgerState) -> u64 {
    let all = changes(None, state);
    all.values()
        .flatten()
        .filter_map(|record| cbor::encode(record).ok())
        .map(|bytes| bytes.len() as u64)
        .sum()
}

/// As many records as blocks have room for.
pub(crate) fn growth(start: Start) -> Report {
    let mut field = Field::new(start);
    let before = size(field.state());
    let balance = |field: &Field| -> u64 {
        field.accounts.iter().map(|account| field.mesh.balance(&account.node_id())).sum()
    };
    let funds = balance(&field);
    let nodes = field.rng.random_range(0..=100u32);
    // What an account is given: the least that the ledger takes.
    let mut amount = 1;
    let mut fresh = 1_000_000;
    for _ in 0..BLOCKS {
        let events = field.besieged(|field| {
            for account in field.accounts.clone() {
                for _ in 0..6 {
                    fresh += 1;
                    let is_node = field.rng.random_range(0..100) < nodes;
                    send(field, &account, key(fresh), (is_node, amount));
                }
            }
        });
        let refused = events.iter().filter(|event| matches!(event, Event::Rejected { .. }));
        if refused.count() > events.len() / 2 {
            amount *= 10;
        }
    }
    // What is not with the attacker and was not paid is locked in the records.
    let gone = funds - balance(&field);
    field.report.locked = field.report.locked.max(gone.saturating_sub(field.report.paid));
    let grown = size(field.state()).saturating_sub(before) / 1_024;
    field.finish(grown)
}

/// One more record.
fn send(field: &mut Field, account: &NodeKey, fresh: NodeKey, (is_node, amount): (bool, u64)) {
    let call = match is_node {
        true => match consent(&fresh, &account.node_id(), &field.state().mesh()) {
            Ok(consent) => Call::RegisterNode(RegisterNode { consent }),
            Err(_) => return,
        },
        false => Call::Transfer(Transfer { to: fresh.node_id(), amount: units(amount), memo: None }),
    };
    let offer = field.mesh.going(&call);
    let next = field.mesh.nonce(account, SignerKey::Owner);
    (next..next + 12)
        .find(|nonce| field.mesh.send(account, Offer { nonce: *nonce, ..offer }, call.clone()).is_ok());
}
