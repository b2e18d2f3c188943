//! Spam by owner keys: an attacker fills every block with transactions that do nothing, to keep others out.
//!
//! Defence: what is in a block is paid for, rejected or not; places go to who tips most for its weight; the base fee rises
//! by an eighth with each full block. Without: a rejected transaction costs nothing, is ranked by what it offers, and
//! stays for the next block.

use nervure_ledger::transaction::SignerKey;
use nervure_primitives::NodeKey;

use crate::mesh::{Mesh, Offer, SUPPLY, TOKEN, honest, key, pay};

/// Accounts of the attacker.
const ACCOUNTS: u64 = 16;

/// Blocks for which it attacks.
const BLOCKS: u64 = 45;

/// Blocks within which an honest transfer has to be final.
const WITHIN: u64 = 3;

/// An attacker who tips so much for each transaction in block `block`, as a part of its funds in billionths.
type Tips = fn(u64) -> u64;

/// Transfers of nothing, which the ledger rejects, from all accounts of the attacker: as many as the mempool takes.
fn spam(mesh: &mut Mesh, accounts: &[NodeKey], tip: u64) {
    let weight = nervure_ledger::transaction::Transaction::greatest_weight(&pay(0));
    let base = mesh.tip().state.base_fee().after_full_blocks(2).cost(weight);
    for account in accounts {
        let next = mesh.nonce(account, SignerKey::Owner);
        // Those that wait already are refused as known or underpriced.
        for nonce in next..next + 16 {
            let offer = Offer { nonce, fee: base.saturating_add(tip), tip };
            let _ = mesh.send(account, offer, pay(0));
        }
    }
}

/// What an attack cost, and what the honest user saw.
struct Report {
    /// What the attacker paid, in base units.
    paid: u64,
    /// Blocks that had no room for anything more.
    full: u64,
    /// The longest that an honest transfer waited, in blocks.
    waited: u64,
    /// The most that an honest transfer cost, in base units.
    dearest: u64,
}

/// An attacker with `percent` of the supply.
fn attack(percent: u64, tips: Tips) -> Report {
    let funds = SUPPLY / 100 * percent * TOKEN;
    let accounts: Vec<NodeKey> = (100..100 + ACCOUNTS).map(key).collect();
    let with_funds: Vec<_> = accounts.iter().map(|key| (key.clone(), funds / ACCOUNTS)).collect();
    let mut mesh = Mesh::new(&with_funds);
    let mut report = Report { paid: 0, full: 0, waited: 0, dearest: 0 };
    let mut sent = None;
    for block in 0..BLOCKS {
        spam(
            &mut mesh,
            &accounts,
            u64::try_from(u128::from(funds) * u128::from(tips(block)) / 1_000_000_000).unwrap(),
        );
        let honest = honest();
        let nonce = mesh.nonce(&honest, SignerKey::Owner);
        let before = mesh.balance(&honest.node_id());
        if sent.is_none() {
            let offer = Offer { nonce, ..mesh.going(&pay(5)) };
            mesh.send(&honest, offer, pay(5)).unwrap();
            sent = Some(block);
        }
        let events = mesh.block();
        report.full += u64::from(events.len() > 50);
        if let Some(at) = sent.filter(|_| mesh.nonce(&honest, SignerKey::Owner) > nonce) {
            report.waited = report.waited.max(block + 1 - at);
            report.dearest = report.dearest.max(before - mesh.balance(&honest.node_id()) - 5);
            sent = None;
        }
    }
    assert!(sent.is_none_or(|at| BLOCKS - at < WITHIN), "a transfer is not final after {WITHIN} blocks");
    let left: u64 = accounts.iter().map(|key| mesh.balance(&key.node_id())).sum();
    report.paid = with_funds.iter().map(|(_, balance)| balance).sum::<u64>() - left;
    report
}

#[test]
fn an_honest_transfer_with_the_going_fee_is_final_within_three_blocks() {
    // Nothing, the same in every block, and more with every block.
    let tips: [Tips; 3] = [|_| 0, |_| 1, |block| 1 << block.min(14)];
    for percent in [1, 20] {
        for tips in tips {
            let Report { paid, full, waited, dearest } = attack(percent, tips);
            assert!(full > 10, "the attack did not fill blocks: {full}");
            assert!(waited <= WITHIN, "{waited} blocks");
            assert!(paid > full * dearest * 20, "{paid} for {full} full blocks, {dearest} for a transfer");
        }
    }
}

/// A model of the rule without the defence: a transaction that the ledger rejects costs nothing and stays; places go by
/// the fee that is offered. Returns whether the honest transfer, with the same offer, is ever in a block.
fn without_payment(blocks: u64) -> bool {
    const ROOM: usize = 100;
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    struct Waiting {
        fee: u64,
        is_spam: bool,
    }
    let mut pool: Vec<Waiting> =
        (0..ACCOUNTS * 16).map(|_| Waiting { fee: TOKEN / 100, is_spam: true }).collect();
    pool.push(Waiting { fee: TOKEN / 100, is_spam: false });
    for _ in 0..blocks {
        pool.sort_by(|a, b| b.cmp(a));
        let block: Vec<Waiting> = pool.drain(..ROOM).collect();
        if block.iter().any(|one| !one.is_spam) {
            return true;
        }
        // Rejected: each keeps its fee, its nonce and its place.
        pool.extend(block);
    }
    false
}

#[test]
fn without_payment_it_would_keep_others_out_for_ever_at_no_cost() {
    assert!(!without_payment(10_000));
}
