//! Fills blocks with transfers that do nothing, to keep others out and to drive the base fee up.

use nervure_ledger::transaction::SignerKey;
use rand::Rng;

use crate::{
    field::{Field, Report, SCALE, Start, Terrain, transfer_weight},
    mesh::{Offer, pay},
};

/// Blocks of an attack.
const BLOCKS: u64 = 40;

/// Transactions that fill a block.
const ROOM: usize = 40;

/// How the attacker bids.
#[derive(Clone, Copy)]
enum Style {
    /// It fills blocks and tips nothing: the base fee rises.
    NoTip,
    /// Always the same tip, so many base units.
    Constant(u64),
    /// A tip that doubles with each block.
    Doubling,
    /// A quarter more than the last place of the next block pays now.
    OutbidsTheLast,
    /// All blocks, then none, so that the base fee falls between.
    Bursts(u64),
}

fn draw(field: &mut Field) -> Style {
    match field.rng.random_range(0..5u8) {
        0 => Style::NoTip,
        1 => Style::Constant(field.rng.random_range(1..1_000_000)),
        2 => Style::Doubling,
        3 => Style::OutbidsTheLast,
        _ => Style::Bursts(field.rng.random_range(2..7)),
    }
}

/// As many transfers as a block has room for, at this tip.
fn fill(field: &mut Field, tip: u64) {
    let weight = transfer_weight();
    let base = field.state().base_fee().after_full_blocks(2).cost(weight);
    let mut sent = 0;
    for account in field.accounts.clone() {
        let next = field.mesh.nonce(&account, SignerKey::Owner);
        for nonce in next..next + 16 {
            let offer = Offer { nonce, fee: base.saturating_add(tip), tip };
            // What waits already is refused as known or underpriced, or it is replaced.
            sent += usize::from(field.mesh.send(&account, offer, pay(0)).is_ok());
            if sent == ROOM {
                return;
            }
        }
    }
}

/// Bids without seeing what the honest user will bid.
pub(crate) fn spam(start: Start) -> Report {
    let mut field = Field::with(start, Terrain { scale: SCALE, ..Terrain::default() });
    let style = draw(&mut field);
    for block in 0..BLOCKS {
        field.besieged(|field| match style {
            Style::NoTip => fill(field, 0),
            Style::Constant(tip) => fill(field, tip),
            Style::Doubling => fill(field, 1_u64.checked_shl(block as u32).unwrap_or(u64::MAX)),
            Style::OutbidsTheLast => {
                let going = field.mesh.going(&pay(0)).tip;
                fill(field, going + going / 4 + 1);
            }
            Style::Bursts(blocks) if (block / blocks) % 2 == 0 => fill(field, 0),
            Style::Bursts(_) => {}
        });
    }
    let full = field.report.full;
    field.finish(full)
}

/// Sees the bid of the honest user, and is the last to bid before each block.
pub(crate) fn frontrun(start: Start) -> Report {
    let mut field = Field::with(start, Terrain { scale: SCALE, ..Terrain::default() });
    for _ in 0..BLOCKS {
        field.honest_pays();
        let tip = field.honest_tip().unwrap_or(0);
        // More for each unit of weight, by which places go.
        fill(&mut field, tip + tip / 10 + 8);
        field.block();
    }
    let full = field.report.full;
    field.finish(full)
}

/// How many full blocks of weight `limit` the `funds` pay for, when `next` gives the base fee of the next one.
pub(crate) fn blocks_until_broke(funds: u64, limit: u64, next: impl Fn(u64) -> u64) -> u64 {
    let (mut fee, mut spent, mut blocks) = (300, 0_u128, 0);
    while blocks < 10_000_000 {
        spent += u128::from(limit) * u128::from(fee) / 1_000;
        if spent > u128::from(funds) {
            break;
        }
        fee = next(fee);
        blocks += 1;
    }
    blocks
}
