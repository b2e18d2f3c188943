//! How fast a node that was away comes after: blocks with certificates, decoded, verified, carried out and written to a
//! disk, as a node does it, and in two former ways for comparison.
//!
//! ```text
//! cargo run --release -p nervure-store --example sync
//! cargo run --release -p nervure-store --example sync -- --blocks 5000 --transfers 10
//! ```
//!
//! The mesh is a local one of four validators: an epoch every ten blocks. The network is left out.

#![allow(clippy::print_stdout, reason = "a report is what it is for")]
#![allow(clippy::unwrap_used, reason = "a measurement that fails stops")]

use std::{
    num::NonZeroUsize,
    path::Path,
    time::{Duration, Instant},
};

use nervure_consensus::checkpoint::CommitCertificate;
use nervure_ledger::{
    block::Block,
    chain::{Draft, Next, Tip, WithCertificate, certificate_in},
    spec::{AccountSpec, MeshSpec},
    transaction::{Call, CheckedAhead, Transaction, Transfer},
    tree::MemoryTree,
};
use nervure_primitives::{Amount, BlockHeight, Envelope, NodeKey};
use nervure_store::{KeptStates, Store, StoreOptions};

/// Blocks of one answer of a peer, and so of one transaction.
const TOGETHER: usize = 500;

/// Validators, and those of them that sign: the fewest that are enough.
const VALIDATORS: u8 = 4;
const SIGNERS: usize = 3;

/// Accounts that pay.
const ACCOUNTS: u16 = 1_000;

fn key(number: u16) -> NodeKey {
    let mut seed = [7; 32];
    seed[..2].copy_from_slice(&number.to_be_bytes());
    NodeKey::from_seed(&seed)
}

fn spec() -> MeshSpec {
    let mut spec = MeshSpec::test("sync");
    for number in 0..VALIDATORS {
        spec = spec.with_validator(key(number.into()).node_id(), Amount::from_tokens(1_000).unwrap());
    }
    let account =
        |number| AccountSpec::new(key(1_000 + number).node_id(), Amount::from_base_units(10_000_000_000));
    spec.accounts = (0..ACCOUNTS).map(account).collect();
    spec
}

fn transfer(tip: &Tip, number: u16) -> Envelope {
    let from = key(1_000 + number % ACCOUNTS);
    let nonce = tip.state.accounts().get(&from.node_id()).nonce;
    let call = Call::Transfer(Transfer {
        to: key(1_000 + (number * 7 + 1) % ACCOUNTS).node_id(),
        amount: Amount::from_base_units(1_000),
        memo: None,
    });
    let (fee, expiry) = (Amount::from_base_units(100_000), BlockHeight(tip.header.height.0 + 100));
    Transaction { nonce, fee, tip: Amount::ZERO, expiry, call }.seal(&from, &tip.header.mesh).unwrap()
}

fn certificate(tip: &Tip) -> CommitCertificate {
    let keys: Vec<NodeKey> = (0..SIGNERS as u16).map(key).collect();
    CommitCertificate::sign(&tip.header.mesh, (tip.header.height, tip.header.id()), &keys).unwrap()
}

/// So many blocks as they come over the wire.
fn history(spec: &MeshSpec, blocks: usize, transfers: u16) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (mut tip, update) = Tip::genesis(spec).unwrap();
    let mut tree = MemoryTree::default();
    tree.accept(update);
    let mut last_commit = None;
    (0..blocks)
        .map(|number| {
            let first = (number as u16).wrapping_mul(transfers);
            let envelopes = (0..transfers).map(|one| transfer(&tip, first.wrapping_add(one))).collect();
            let draft = Draft { last_commit: last_commit.take(), ..Draft::uncertified(&tip, envelopes) };
            let next = tip.next(&tree, draft, NonZeroUsize::MIN).unwrap();
            tree.accept(next.update.clone());
            tip = next.tip();
            let certificate = certificate(&tip);
            let encoded = certificate.encode().unwrap();
            last_commit = Some(certificate);
            (next.block.encode().unwrap(), encoded)
        })
        .collect()
}

/// What the parts took.
#[derive(Default)]
struct Times {
    decode: Duration,
    verify: Duration,
    /// Until the signatures of a block's transactions are verified; in the former ways, a part of carrying it out.
    signatures: Duration,
    carry_out: Duration,
    write: Duration,
}

fn timed<T>(time: &mut Duration, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    *time += begun.elapsed();
    result
}

fn decode((block, certificate): &(Vec<u8>, Vec<u8>)) -> WithCertificate {
    (Block::decode(block).unwrap(), CommitCertificate::decode(certificate).unwrap())
}

/// A block that is verified and carried out on top of `tip`, with its own certificate and that of its parent.
fn follow(
    tip: &Tip,
    tree: &impl nervure_ledger::tree::StateTree,
    bytes: &(Vec<u8>, Vec<u8>),
    times: &mut Times,
) -> Next {
    let (block, certificate) = timed(&mut times.decode, || decode(bytes));
    timed(&mut times.verify, || {
        assert_eq!((certificate.height, certificate.value), (block.header.height, block.header.id()));
        certificate.verify(tip.state.validators().unwrap(), &tip.header.mesh).unwrap();
    });
    let threads = std::thread::available_parallelism().unwrap();
    timed(&mut times.carry_out, || tip.check(tree, &block, threads).unwrap())
}

/// A transaction of the store for each block; the disk is waited for at the last of each answer.
fn one_by_one(store: &Store, mut tip: Tip, blocks: &[(Vec<u8>, Vec<u8>)], times: &mut Times) -> Tip {
    for together in blocks.chunks(TOGETHER) {
        for (number, bytes) in together.iter().enumerate() {
            let next = follow(&tip, &store.read().unwrap(), bytes, times);
            timed(&mut times.write, || match number + 1 == together.len() {
                true => store.commit(&next, Some(&bytes.1)).unwrap(),
                false => store.commit_soon(&next, Some(&bytes.1)).unwrap(),
            });
            tip = next.tip();
        }
    }
    tip
}

/// A transaction for all blocks of an answer.
fn batched(store: &Store, mut tip: Tip, blocks: &[(Vec<u8>, Vec<u8>)], times: &mut Times) -> Tip {
    for together in blocks.chunks(TOGETHER) {
        let mut batch = store.batch(KeptStates::All).unwrap();
        for bytes in together {
            let next = follow(&tip, &batch.tree().unwrap(), bytes, times);
            timed(&mut times.write, || batch.push(&next, Some(&bytes.1)).unwrap());
            tip = next.tip();
        }
        timed(&mut times.write, || batch.commit().unwrap());
    }
    tip
}

/// As nodes do it: one certificate for all blocks that the same validators decided, signatures verified on other threads
/// while blocks are carried out, and of the states that are old by the end only the last one of an answer.
fn ahead(store: &Store, mut tip: Tip, blocks: &[(Vec<u8>, Vec<u8>)], times: &mut Times) -> Tip {
    let threads = std::thread::available_parallelism().unwrap();
    let recent = blocks.len().saturating_sub(StoreOptions::default().retain as usize);
    for (answer, together) in blocks.chunks(TOGETHER).enumerate() {
        let decoded: Vec<WithCertificate> =
            timed(&mut times.decode, || together.iter().map(decode).collect());
        let is_old = (answer + 1) * TOGETHER <= recent;
        let mut batch = store.batch(if is_old { KeptStates::Last } else { KeptStates::All }).unwrap();
        let bodies = decoded.iter().map(|(block, _)| block.transactions.as_slice());
        let mesh = tip.header.mesh;
        tip = CheckedAhead::run(bodies, &mesh, threads, |ahead| {
            let mut done = 0;
            while let rest @ [_, ..] = &decoded[done..] {
                let agreed = timed(&mut times.verify, || tip.agreed(rest));
                assert!(agreed > 0, "every certificate is valid");
                for index in 0..agreed {
                    let checked = timed(&mut times.signatures, || ahead.take(done + index));
                    let block = &rest[index].0;
                    let certificate = certificate_in(&rest[..agreed], index).unwrap().encode().unwrap();
                    let next = timed(&mut times.carry_out, || {
                        tip.check_agreed(&batch.tree().unwrap(), block, &checked).unwrap()
                    });
                    timed(&mut times.write, || batch.push(&next, Some(&certificate)).unwrap());
                    tip = next.tip();
                }
                done += agreed;
            }
            tip
        });
        timed(&mut times.write, || batch.commit().unwrap());
    }
    tip
}

type Way = fn(&Store, Tip, &[(Vec<u8>, Vec<u8>)], &mut Times) -> Tip;

struct Measured {
    tip: Tip,
    per_second: f64,
}

fn measure(what: &str, way: Way, place: &Path, blocks: &[(Vec<u8>, Vec<u8>)]) -> Measured {
    let (store, tip) = Store::open(&place.join(what), &spec(), StoreOptions::default()).unwrap();
    let (mut times, begun) = (Times::default(), Instant::now());
    let tip = way(&store, tip, blocks, &mut times);
    let per_second = blocks.len() as f64 / begun.elapsed().as_secs_f64();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / blocks.len() as f64;
    println!(
        "{what:<12} {per_second:>8.0} blocks/s   decode {:>4.0} us, certificates {:>4.0} us, signatures {:>4.0} us, \
         carry out {:>4.0} us, write {:>5.0} us",
        each(times.decode),
        each(times.verify),
        each(times.signatures),
        each(times.carry_out),
        each(times.write)
    );
    Measured { tip, per_second }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut blocks, mut transfers) = (3_000, 0);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (name.as_str(), value) {
            ("--blocks", Some(value)) => blocks = value,
            ("--transfers", Some(value)) => transfers = value as u16,
            _ => {
                println!("usage: sync [--blocks N] [--transfers N]");
                std::process::exit(2);
            }
        }
    }
    let home = tempfile::tempdir().unwrap();
    let history = history(&spec(), blocks, transfers);
    println!("{blocks} blocks of {transfers} transfers, {VALIDATORS} validators, {SIGNERS} signatures each");
    let one = measure("one by one", one_by_one, home.path(), &history);
    let all = measure("batched", batched, home.path(), &history);
    let ahead = measure("ahead", ahead, home.path(), &history);
    assert_eq!(one.tip, all.tip, "all ways lead to the same block");
    assert_eq!(one.tip, ahead.tip, "all ways lead to the same block");
    println!("ahead / batched {:.2}", ahead.per_second / all.per_second);
}
