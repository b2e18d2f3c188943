//! How many tokens a gigabyte of state locks, for each kind of record.
//!
//! `cargo test -p nervure-ledger --test state_cost -- --nocapture` prints the table of docs/ledger.md.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use nervure_anchor::AnchorAddress;
use nervure_consensus::yuma::Prior;
use nervure_ledger::{
    accounts::{Account, Unbonding},
    anchors::RegisteredKey,
    deposits::RecordKind,
    governance::{Choice, ProposalId, StakeVote},
    lane::LaneScope,
    nodes::{NodeNumber, RetiredKey, StakePool},
    params::Params,
    proxies::{Announcement, MAX_ANNOUNCED_BYTES, Proxy, ProxyGrant, ProxyScope, SpendingLimit},
    roster::{Standing, Tombstone},
    state::SubnetVote,
    subnet::{Commit, Neuron},
    transaction::{Call, SetMechanism, Transaction, VoteSubnets},
    tree::Record,
    vesting::Vesting,
};
use nervure_primitives::{Amount, BlockHeight, Hash, MechanismSpec, Netuid, NodeId, Uid, cbor};

/// Base units of a token.
const TOKEN: u64 = 1_000_000_000;

const GIGABYTE: u64 = 1_000_000_000;

/// What a record takes beside its encoding: its key, its leaf and its part of the nodes above, with their checksums. Of a
/// real file, `state_cost` of `nervure-store` measures 224.
const TREE_BYTES: u64 = 230;

const ID: NodeId = NodeId::from_bytes([0xee; 32]);
const MANY: u64 = u64::MAX;
const AMOUNT: Amount = Amount::from_base_units(MANY);

/// What a record with this encoding takes on a disk. Records that are written in any order leave a third of their pages
/// empty; one that is larger than a page of 4 KiB has pages of its own, whose number is a power of two.
fn on_disk(record: &Record) -> u64 {
    let bytes = cbor::encode(record).unwrap().len() as u64;
    let value = if bytes < 4_000 { bytes * 3 / 2 } else { bytes.next_power_of_two().max(bytes + 64) };
    value + TREE_BYTES
}

fn account() -> Record {
    Record::Account { owner: ID, account: Account { balance: AMOUNT, nonce: MANY } }
}

fn unbonding() -> Record {
    let unbonding = Unbonding { amount: AMOUNT, unstaked: MANY };
    Record::Unbonding { free: MANY, owner: ID, node: Some(NodeNumber(MANY)), unbonding }
}

fn stake() -> Record {
    Record::Stake { node: NodeNumber(MANY), staker: ID, shares: u128::MAX }
}

fn proxy() -> Record {
    let grant = ProxyGrant {
        scopes: ProxyScope::ALL.into(),
        limit: Some(SpendingLimit { amount: AMOUNT, interval: MANY }),
        delay: MANY,
        expiry: BlockHeight(MANY),
    };
    Record::Proxy {
        owner: ID,
        proxy: ID,
        granted: Proxy { grant, since: MANY, spent: AMOUNT, deposit: AMOUNT },
    }
}

fn announcement() -> Record {
    // A mechanism is the longest call that can be announced.
    let mechanism = |length: usize| {
        let to = MechanismSpec::named("x".repeat(length));
        Call::SetMechanism(SetMechanism { netuid: Netuid(u16::MAX), to })
    };
    let fits = |length: &usize| cbor::encode(&mechanism(*length)).unwrap().len() <= MAX_ANNOUNCED_BYTES;
    let call = mechanism((1..).take_while(fits).last().unwrap()).into();
    let announcement = Announcement { proxy: ID, ready: MANY, call, deposit: AMOUNT };
    Record::Announcement { owner: ID, id: Hash::from_bytes([0xee; 32]), announcement }
}

fn vesting() -> Record {
    let vesting = Vesting { amount: AMOUNT, claimed: AMOUNT, start: MANY, cliff: MANY, end: MANY };
    Record::Vesting { to: ID, from: ID, number: u8::MAX, vesting }
}

fn retired() -> Record {
    let key = RetiredKey { owner: ID, free: Some(BlockHeight(MANY)), deposit: AMOUNT };
    Record::Retired { node: ID, key }
}

fn anchor_key() -> Record {
    let address = AnchorAddress::from_bytes([0xee; 20]);
    Record::AnchorKey { node: ID, key: RegisteredKey { address, block: MANY, deposit: AMOUNT } }
}

/// With what belongs to it: its standing, and the stake of its owner by the take.
fn node() -> [Record; 3] {
    let pool = StakePool {
        tokens: MANY,
        shares: u128::MAX,
        unreleased: MANY,
        until: MANY,
        settled: MANY,
        stake_blocks: u128::MAX,
    };
    let node = Record::Node {
        node: ID,
        number: NodeNumber(MANY),
        owner: ID,
        take: u16::MAX,
        take_raised: MANY,
        nonce: MANY,
        deposit: AMOUNT,
        pool,
    };
    let tombstone = Tombstone { height: MANY, reported: MANY, since: MANY };
    [node, Record::Validator { node: ID, standing: Standing::Tombstoned(tombstone) }, stake()]
}

fn vote(subnets: u16) -> Record {
    let weights = (0..subnets).map(|at| (Netuid(u16::MAX - at), u16::MAX)).collect();
    Record::Vote { node: ID, vote: SubnetVote { block: MANY, weights, deposit: AMOUNT } }
}

/// The vote of a stake, with its part of the sums of its node.
fn stake_vote() -> [Record; 1] {
    let vote = StakeVote { choice: Choice::Abstain, for_node: true, deposit: AMOUNT };
    let (proposal, node) = (ProposalId(MANY), NodeNumber(MANY));
    [Record::StakeVote { proposal, node, staker: ID, vote }]
}

/// A slot that was left.
fn vacant_slot() -> Record {
    let [Record::Neuron { mut neuron, .. }, _] = neuron() else { unreachable!() };
    neuron.weights.clear();
    neuron.bonds.clear();
    neuron.commits.clear();
    Record::Neuron { netuid: Netuid(u16::MAX), uid: Uid(u16::MAX), neuron }
}

/// With full rows and two commits, and its use of the lane.
fn neuron() -> [Record; 2] {
    let row: Vec<_> = (0..256).map(|uid| (Uid(uid), u16::MAX)).collect();
    let commit = Commit { hash: Hash::of("x", &[]), node: ID, block: MANY, epoch: MANY };
    let neuron = Neuron {
        node: ID,
        registered: MANY,
        deposit: AMOUNT,
        last_update: MANY,
        stake_blocks: u128::MAX,
        permit: true,
        emission: MANY,
        consensus: u16::MAX,
        incentive: u16::MAX,
        dividends: u16::MAX,
        validator_trust: u16::MAX,
        priors: [Prior { consensus: u32::MAX, mean: u32::MAX }; 2],
        weights: row.clone(),
        bonds: row,
        commits: vec![commit.clone(), commit],
    };
    let netuid = Netuid(u16::MAX);
    let used = Record::Lane { scope: LaneScope::Subnet(netuid), node: ID, used: u16::MAX };
    [Record::Neuron { netuid, uid: Uid(u16::MAX), neuron: neuron.into() }, used]
}

/// The most subnets that a vote can have: it has to fit into a transaction.
fn longest_vote() -> u16 {
    let fits = |subnets: &u16| {
        let weights = (0..*subnets).map(|at| (Netuid(u16::MAX - at), u16::MAX)).collect();
        let call = Call::VoteSubnets(VoteSubnets { weights });
        let (fee, tip) = (Amount::ZERO, Amount::ZERO);
        let transaction = Transaction { nonce: 0, fee, tip, expiry: BlockHeight(0), call };
        cbor::encode(&transaction).unwrap().len() <= nervure_ledger::transaction::MAX_LEN
    };
    (1..).take_while(fits).last().unwrap()
}

/// A kind of record at its largest, and what it locks.
struct Cost {
    name: &'static str,
    records: Vec<Record>,
    locked: u64,
}

#[test]
fn a_gigabyte_of_any_records_locks_ten_thousand_tokens() {
    let params = Params::default();
    let deposit = |kind| params.deposit(kind);
    let slashed = params.min_stake / 1_000 * (1_000 - params.slash_permille);
    let one = |name, record, locked| Cost { name, records: vec![record], locked };
    let mut costs = vec![
        one("account", account(), params.existential_deposit()),
        one("stake, slashed", stake(), slashed),
        one("unbonding amount", unbonding(), params.existential_deposit()),
        one("retired key", retired(), deposit(RecordKind::RetiredKey)),
        one("anchor key", anchor_key(), deposit(RecordKind::AnchorKey)),
        one("proxy", proxy(), deposit(RecordKind::Proxy)),
        one("announcement", announcement(), deposit(RecordKind::Announcement)),
        one("vested amount", vesting(), deposit(RecordKind::Vesting)),
        Cost { name: "node", records: node().into(), locked: deposit(RecordKind::Node) },
        Cost { name: "slot", records: neuron().into(), locked: deposit(RecordKind::Neuron) },
        Cost { name: "vote of a stake", records: stake_vote().into(), locked: params.vote_deposit() },
        // All of a subnet's slots but one, beside its own record.
        Cost { name: "left slots", records: vec![vacant_slot(); 255], locked: params.lock.floor },
    ];
    for subnets in [1, 128, 560, 575, 600, longest_vote()] {
        let kind = RecordKind::Vote(subnets.into());
        costs.push(one("vote", vote(subnets), deposit(kind)));
    }
    for Cost { name, records, locked } in costs {
        let bytes: u64 = records.iter().map(on_disk).sum();
        let encoded: usize = records.iter().map(|record| cbor::encode(record).unwrap().len()).sum();
        let tokens = u128::from(locked) * u128::from(GIGABYTE) / u128::from(bytes) / u128::from(TOKEN);
        println!(
            "{name:<18} {encoded:>5} bytes, {bytes:>5} on disk, lock {locked:>11}: {tokens:>7} tokens a gigabyte"
        );
        assert!(tokens >= 10_000, "{name}: {tokens}");
    }
}
