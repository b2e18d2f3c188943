//! Times blocks of transfers, with and without a disk, next to what they cannot do without: verifying
//! their signatures one by one, and bringing their bytes to the disk.
//!
//! `cargo bench -p nervure-store` prints medians of the runs. With `-- --full` it builds a mesh of 128 full
//! subnets instead and says how much memory it takes, and how long its blocks, epochs, proofs and opening
//! take.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "store/full.rs"]
mod full;

use std::{
    fs::File,
    hint::black_box,
    io::Write,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use nervure_ledger::{
    block::BlockContext,
    chain::{Draft, Next, Tip},
    spec::{AccountSpec, MeshSpec},
    transaction::{Call, Checked, DOMAIN, MAX_LEN, Transaction, Transfer},
    tree::{MemoryTree, StateTree, changes},
};
use nervure_primitives::{Amount, BlockHeight, Envelope, NodeKey};
use nervure_store::{Store, StoreOptions};

/// Transfers of a block.
const TRANSFERS: usize = 1_000;

/// Blocks that are timed.
const BLOCKS: usize = 15;

/// Accounts that exist.
const ACCOUNTS: u64 = 100_000;

fn key(number: u64) -> NodeKey {
    let mut seed = [3; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    NodeKey::from_seed(&seed)
}

/// A mesh with many accounts, of which the first ones pay.
fn spec() -> MeshSpec {
    let mut spec = MeshSpec::public("bench");
    let account = |number| AccountSpec::new(key(number).node_id(), Amount::from_base_units(10_000_000_000));
    spec.accounts = (0..ACCOUNTS).map(account).collect();
    spec
}

/// A block's transfers: each from another account to one of all.
fn transfers(tip: &Tip, keys: &[NodeKey]) -> Vec<Envelope> {
    let height = tip.header.height.0;
    let transfer = |(number, key): (usize, &NodeKey)| {
        let to = (number as u64 * 7_919 + height * 104_729) as usize % keys.len();
        let amount = Amount::from_base_units(1_000);
        let call = Call::Transfer(Transfer { to: keys[to].node_id(), amount, memo: None });
        let nonce = tip.state.accounts().get(&key.node_id()).nonce;
        let (fee, expiry) = (Amount::from_base_units(100_000), BlockHeight(tip.header.height.0 + 100));
        Transaction { nonce, fee, tip: Amount::ZERO, expiry, call }.seal(key, &tip.header.mesh).unwrap()
    };
    keys.iter().take(TRANSFERS).enumerate().map(transfer).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = black_box(work());
    (result, begun.elapsed())
}

fn line(what: &str, time: Duration, note: &str) {
    println!("{what:<44} {:>9.2} ms  {note}", time.as_secs_f64() * 1e3);
}

fn rate(time: Duration) -> f64 {
    TRANSFERS as f64 / time.as_secs_f64()
}

/// The parts of a block of transfers in memory.
fn parts(tip: &Tip, tree: &MemoryTree, keys: &[NodeKey], threads: NonZeroUsize) {
    let envelopes = transfers(tip, keys);
    let bare = |envelope: &Envelope| envelope.open::<Transaction>(DOMAIN, &tip.header.mesh, MAX_LEN).is_ok();
    let all = || envelopes.iter().filter(|envelope| bare(envelope)).count();
    let bare = median((0..BLOCKS).map(|_| timed(all).1).collect());
    line("signatures alone, one thread", bare, "the baseline");
    let check = |threads| timed(|| Checked::all(&envelopes, &tip.header.mesh, threads)).1;
    let spread = median((0..BLOCKS).map(|_| check(threads)).collect());
    line(&format!("signatures on {threads} threads"), spread, &ratio(spread, bare));
    let checked = Checked::all(&envelopes, &tip.header.mesh, threads);
    let advance = || {
        let mut state = tip.state.clone();
        state.advance(&BlockContext::default(), &checked).unwrap();
        state
    };
    let (after, _) = timed(advance);
    let execute = median((0..BLOCKS).map(|_| timed(advance).1).collect());
    line("carrying them out", execute, &ratio(execute, bare));
    let root = || tree.update(&changes(Some(&tip.state), &after)).unwrap();
    let root = median((0..BLOCKS).map(|_| timed(root).1).collect());
    line("the root of the state after them", root, &ratio(root, bare));
    let whole = || tip.next(tree, Draft::uncertified(tip, envelopes.clone()), threads).unwrap();
    let whole = median((0..BLOCKS).map(|_| timed(whole).1).collect());
    let note = format!("{:.0} transfers/s in memory, {}", rate(whole), ratio(whole, bare));
    line("a whole block", whole, &note);
}

fn ratio(time: Duration, bare: Duration) -> String {
    format!("{:.2} of the baseline", time.as_secs_f64() / bare.as_secs_f64())
}

/// Blocks of transfers committed to a file.
fn on_disk(spec: &MeshSpec, keys: &[NodeKey], threads: NonZeroUsize, durable: bool) {
    let place = tempfile::tempdir().unwrap();
    let options = StoreOptions { durable, ..StoreOptions::default() };
    let (store, mut tip) = Store::open(&place.path().join("chain.redb"), spec, options).unwrap();
    let (mut whole, mut commits, mut raw) = (Vec::new(), Vec::new(), Vec::new());
    let mut file = File::create(place.path().join("raw")).unwrap();
    for _ in 0..BLOCKS {
        let envelopes = transfers(&tip, keys);
        let (next, made): (Next, _) =
            timed(|| tip.next(&store.read().unwrap(), Draft::uncertified(&tip, envelopes), threads).unwrap());
        let ((), commit) = timed(|| store.commit(&next, None).unwrap());
        let bytes = next.block.encode().unwrap();
        let append = || {
            file.write_all(&bytes).unwrap();
            if durable {
                file.sync_data().unwrap();
            }
        };
        raw.push(timed(append).1);
        whole.push(made + commit);
        commits.push(commit);
        tip = next.tip();
    }
    let how = if durable { "durable" } else { "not durable" };
    line(&format!("appending the block's bytes, {how}"), median(raw), "the baseline of a commit");
    line(
        &format!("commit of a block, {how}"),
        median(commits),
        "block, events, 3,000 tree entries, pruning list",
    );
    let whole = median(whole);
    line(&format!("a whole block, {how}"), whole, &format!("{:.0} transfers/s", rate(whole)));
}

fn main() {
    let threads = std::thread::available_parallelism().unwrap();
    if std::env::args().any(|argument| argument == "--full") {
        return full::report(threads);
    }
    let spec = spec();
    let keys: Vec<NodeKey> = (0..TRANSFERS as u64 * 5).map(key).collect();
    let (tip, update) = Tip::genesis(&spec).unwrap();
    let mut tree = MemoryTree::default();
    tree.accept(update);
    println!("a block of {TRANSFERS} transfers among {ACCOUNTS} accounts, medians of {BLOCKS}:");
    parts(&tip, &tree, &keys, threads);
    on_disk(&spec, &keys, threads, true);
    on_disk(&spec, &keys, threads, false);
}
