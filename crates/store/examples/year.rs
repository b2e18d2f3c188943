//! How much disk a year of blocks takes, with all bodies and with the last ones alone.
//!
//! ```text
//! cargo run --release -p nervure-store --example year
//! cargo run --release -p nervure-store --example year -- --blocks 20000 --transfers 50 --validators 4,16,64
//! ```
//!
//! It makes some thousand blocks of transfers with full certificates, writes them to an archive and to a store with a
//! horizon, and takes what a block adds from the second half of them. A year of a public mesh is 2,628,000 blocks of 12
//! seconds: what a block adds times that. Then the archive gets a horizon, too: how long its blocks take while it
//! deletes, and what the file gives back. At the end there is a table of one and two years, with a row for each number of
//! validators.

#![allow(clippy::print_stdout, reason = "a report is what it is for")]
#![allow(clippy::unwrap_used, reason = "a measurement that fails stops")]

use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::Path,
    time::{Duration, Instant},
};

use nervure_consensus::checkpoint::CommitCertificate;
use nervure_ledger::{
    chain::{Draft, Next, Tip},
    spec::{AccountSpec, MeshSpec},
    transaction::{Call, Transaction, Transfer},
};
use nervure_primitives::{Amount, BlockHeight, Envelope, NodeKey};
use nervure_store::{History, Sizes, Store, StoreOptions};

/// Blocks of a year, at one in 12 seconds.
const YEAR: u64 = 365 * 24 * 3_600 / 12;

/// Blocks that a node of a public mesh keeps by default: 21 days.
const DEFAULT_KEPT: u64 = 151_200;

/// Accounts that pay one another.
const ACCOUNTS: u32 = 10_000;

/// What is measured.
#[derive(Clone, Copy)]
struct Load {
    blocks: u64,
    transfers: u32,
    validators: u16,
    kept: NonZeroU64,
}

impl Load {
    /// A load for each number of validators.
    fn read() -> Option<Vec<Self>> {
        let kept = NonZeroU64::new(1_000)?;
        let (mut load, mut sizes) = (Self { blocks: 6_000, transfers: 10, validators: 16, kept }, vec![16]);
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next()?;
            match name.as_str() {
                "--blocks" => load.blocks = value.parse().ok()?,
                "--transfers" => load.transfers = value.parse().ok()?,
                "--validators" => {
                    sizes = value.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
                }
                "--kept" => load.kept = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(sizes.into_iter().map(|validators| Self { validators, ..load }).collect())
    }

    fn spec(&self) -> MeshSpec {
        // With the elections of a public mesh, and an unbonding so short that certificates are thinned within the run.
        let mut spec = MeshSpec::local("year");
        let economy = &mut spec.economy;
        (economy.election_interval, economy.evidence_window, economy.unbonding) = (360, 500, 860);
        for number in 0..self.validators {
            spec = spec.with_validator(key(number.into()).node_id(), Amount::from_tokens(2_000).unwrap());
        }
        let account = |number| AccountSpec::new(payer(number).node_id(), Amount::from_tokens(100).unwrap());
        spec.accounts.extend((0..ACCOUNTS).map(account));
        spec
    }
}

fn key(number: u32) -> NodeKey {
    let mut seed = [5; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    NodeKey::from_seed(&seed)
}

fn payer(number: u32) -> NodeKey {
    key(100_000 + number % ACCOUNTS)
}

/// Makes one block after the other.
struct Maker<'a> {
    load: &'a Load,
    tip: Tip,
    last_commit: Option<CommitCertificate>,
    /// Those that sign: the fewest that are enough.
    signers: Vec<NodeKey>,
    paid: u32,
}

impl<'a> Maker<'a> {
    fn new(load: &'a Load, tip: Tip) -> Self {
        let signers = u32::from(load.validators) * 2 / 3 + 1;
        Self { load, tip, last_commit: None, signers: (0..signers).map(key).collect(), paid: 0 }
    }

    fn transfer(&mut self) -> Envelope {
        let from = payer(self.paid);
        let to = payer(self.paid.wrapping_mul(7_919).wrapping_add(1)).node_id();
        self.paid += 1;
        let nonce = self.tip.state.accounts().get(&from.node_id()).nonce;
        let call = Call::Transfer(Transfer { to, amount: Amount::from_base_units(1_000), memo: None });
        let (fee, expiry) = (Amount::from_base_units(100_000), BlockHeight(self.tip.header.height.0 + 100));
        Transaction { nonce, fee, tip: Amount::ZERO, expiry, call }
            .seal(&from, &self.tip.header.mesh)
            .unwrap()
    }

    /// The next block on top of the state in `store`, and its certificate.
    fn next(&mut self, store: &Store) -> (Next, Vec<u8>) {
        let transfers = (0..self.load.transfers).map(|_| self.transfer()).collect();
        let draft =
            Draft { last_commit: self.last_commit.take(), ..Draft::uncertified(&self.tip, transfers) };
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let next = self.tip.next(&store.read().unwrap(), draft, threads).unwrap();
        self.tip = next.tip();
        let (height, id) = (self.tip.header.height, self.tip.header.id());
        let commit = CommitCertificate::sign(&self.tip.header.mesh, (height, id), &self.signers).unwrap();
        let bytes = commit.encode().unwrap();
        self.last_commit = Some(commit);
        (next, bytes)
    }
}

/// Commits a block; the disk is waited for at every 20th, after which its pages are used again.
fn commit(store: &Store, next: &Next, certificate: &[u8]) -> Duration {
    let begun = Instant::now();
    match next.block.header.height.0.is_multiple_of(20) {
        true => store.commit(next, Some(certificate)).unwrap(),
        false => store.commit_soon(next, Some(certificate)).unwrap(),
    }
    begun.elapsed()
}

/// What a file holds, and its length.
#[derive(Clone, Copy)]
struct Measured {
    sizes: Sizes,
    file: u64,
}

fn measured(store: &Store) -> Measured {
    Measured { sizes: store.read().unwrap().sizes().unwrap(), file: store.path().metadata().unwrap().len() }
}

fn options(history: History) -> StoreOptions {
    StoreOptions { history, ..StoreOptions::default() }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn line(what: &str, Measured { sizes, file }: Measured) {
    println!(
        "{what:<28} bodies {:>8.1}  proofs {:>8.1}  state {:>8.1}  file {:>8.1} MiB",
        mebibytes(sizes.bodies),
        mebibytes(sizes.proofs),
        mebibytes(sizes.state),
        mebibytes(file)
    );
}

/// The archive gets a horizon: how long the blocks take that delete what is behind it, and what its file gives back.
fn prune_archive(load: &Load, path: &Path, maker: &mut Maker<'_>, usual: Duration) {
    let (store, _) = Store::open(path, &load.spec(), options(History::Last(load.kept))).unwrap();
    let (mut blocks, mut worst) = (0, Duration::ZERO);
    let horizon = |store: &Store| store.read().unwrap().blocks_from().unwrap().0;
    while horizon(&store) + load.kept.get() <= maker.tip.header.height.0 {
        let (next, certificate) = maker.next(&store);
        worst = worst.max(commit(&store, &next, &certificate));
        blocks += 1;
    }
    println!(
        "the archive with a horizon: {blocks} blocks deleted what was behind it, the worst took {:.1} ms; before, one in a hundred took {:.1} ms or more",
        worst.as_secs_f64() * 1e3,
        usual.as_secs_f64() * 1e3
    );
    line("  before it is opened again", measured(&store));
    drop(store);
    let begun = Instant::now();
    let (store, _) = Store::open(path, &load.spec(), options(History::Last(load.kept))).unwrap();
    line("  after", measured(&store));
    println!(
        "  opening took {:.1} s and gave {:.1} MiB back",
        begun.elapsed().as_secs_f64(),
        mebibytes(store.reclaimed())
    );
}

/// What a block adds in the second half of a run, in bytes.
#[derive(Clone, Copy)]
struct Growth {
    validators: u16,
    body: f64,
    proof: f64,
    /// The part of the proofs that a node with a horizon keeps for ever.
    thinned: f64,
    /// All of the state, which does not grow.
    state: f64,
}

impl Growth {
    /// What an archive of `blocks` blocks takes.
    fn archive(self, blocks: u64) -> f64 {
        blocks as f64 * (self.body + self.proof) + self.state
    }

    /// What a node with the default horizon takes after `blocks` blocks.
    fn pruned(self, blocks: u64) -> f64 {
        DEFAULT_KEPT as f64 * (self.body + self.proof) + blocks as f64 * self.thinned + self.state
    }

    fn print(self) {
        let Self { body, proof, thinned, .. } = self;
        println!(
            "a block adds {body:.0} bytes of bodies and events, and {proof:.0} bytes of proofs, of which {thinned:.0} stay behind \
             the horizon"
        );
        println!(
            "a year of {YEAR} blocks: archive {:.1} GiB = {YEAR} x ({body:.0} + {proof:.0}) + state; the last {DEFAULT_KEPT}: \
             {:.1} GiB = {DEFAULT_KEPT} x ({body:.0} + {proof:.0}) + {YEAR} x {thinned:.0} + state\n",
            gibibytes(self.archive(YEAR)),
            gibibytes(self.pruned(YEAR))
        );
    }

    /// A row of the table of docs/performance.md.
    fn row(self) -> String {
        let Self { validators, body, proof, thinned, .. } = self;
        let size = |bytes| format!("{:.1} GiB", gibibytes(bytes));
        let (archive, pruned) = (
            [1, 2].map(|years| size(self.archive(years * YEAR))),
            [1, 2].map(|years| size(self.pruned(years * YEAR))),
        );
        format!(
            "| {validators} | {body:.0} | {proof:.0} | {thinned:.0} | {}, {} | {}, {} |",
            archive[0], archive[1], pruned[0], pruned[1]
        )
    }
}

fn gibibytes(bytes: f64) -> f64 {
    bytes / f64::from(1 << 30)
}

fn measure(load: &Load) -> Growth {
    let (home, spec) = (tempfile::tempdir().unwrap(), load.spec());
    let path = |name: &str| home.path().join(name);
    let (archive, tip) = Store::open(&path("archive"), &spec, options(History::Archive)).unwrap();
    let (pruned, _) = Store::open(&path("pruned"), &spec, options(History::Last(load.kept))).unwrap();
    println!(
        "{} blocks of {} transfers among {ACCOUNTS} accounts, {} validators; the last {} are kept",
        load.blocks, load.transfers, load.validators, load.kept
    );
    let mut maker = Maker::new(load, tip);
    let (mut half, mut commits) = (None, Vec::new());
    for number in 1..=load.blocks {
        let (next, certificate) = maker.next(&archive);
        commits.push(commit(&archive, &next, &certificate));
        commit(&pruned, &next, &certificate);
        if number == load.blocks / 2 {
            half = Some((measured(&archive), measured(&pruned)));
        }
    }
    commits.sort_unstable();
    let usual = commits[commits.len() * 99 / 100];
    let (all, some) = (measured(&archive), measured(&pruned));
    let (all_half, some_half) = half.unwrap();
    line("archive, half of the blocks", all_half);
    line("archive", all);
    line("horizon, half of the blocks", some_half);
    line("horizon", some);
    let blocks = load.blocks - load.blocks / 2;
    let each = |later: u64, earlier: u64| later.saturating_sub(earlier) as f64 / blocks as f64;
    let growth = Growth {
        validators: load.validators,
        body: each(all.sizes.bodies, all_half.sizes.bodies),
        proof: each(all.sizes.proofs, all_half.sizes.proofs),
        thinned: each(some.sizes.proofs, some_half.sizes.proofs),
        state: all.sizes.state as f64,
    };
    drop((archive, pruned));
    prune_archive(load, &path("archive"), &mut maker, usual);
    growth.print();
    growth
}

fn main() {
    let Some(loads) = Load::read() else {
        println!("usage: year [--blocks N] [--transfers N] [--validators N,...] [--kept BLOCKS]");
        std::process::exit(2);
    };
    let rows: Vec<String> = loads.iter().map(|load| measure(load).row()).collect();
    println!(
        "| validators | body and events, bytes | proof, bytes | of it behind the horizon | an archive after 1, 2 years | \
         with the default horizon |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    rows.iter().for_each(|row| println!("{row}"));
}
