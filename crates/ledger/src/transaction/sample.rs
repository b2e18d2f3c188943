//! A sample of each kind of transaction: its bytes and words, which must not change.
//!
//! Blocks, the store and the HTTP API carry the bytes, so they are frozen here by their hashes. A hash that changes is
//! another ledger: nodes of before and after do not understand each other.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use nervure_anchor::{AnchorKey, ProofOfPossession};
use nervure_consensus::{
    statement::{Equivocation, Round, SignedStatement, Vote, VoteKind},
    yuma::{BondsRule, Cell, LiquidAlpha},
};
use nervure_primitives::{
    Amount, BlockHeight, Envelope, Hash, MechanismSpec, MeshId, Netuid, NodeId, NodeKey, Uid,
};

use super::{Call, Outcome, Stake, TransactionKind, consent, owner_consent};
use crate::{
    multisig::{Approval, ApprovedCall, MultisigAccount},
    proxies::{ProxyGrant, ProxyScope, SpendingLimit},
};

pub(super) const MESH: MeshId = MeshId::from_bytes([7; 32]);
pub(super) const AMOUNT: Amount = Amount::from_base_units(1_500_000_000);
pub(super) const BLOCK: BlockHeight = BlockHeight(300);
pub(super) const NETUID: Netuid = Netuid(3);
pub(super) const UID: Uid = Uid(5);

/// A transaction of a kind and its outcome.
pub(crate) struct Sample<K: TransactionKind> {
    pub(crate) call: K,
    /// The hash of its canonical bytes as a [`Call`].
    pub(crate) call_hash: &'static str,
    pub(crate) outcome: K::Outcome,
    /// The hash of its canonical bytes as an [`Outcome`].
    pub(crate) outcome_hash: &'static str,
    /// The outcome in words, before its block. `NODE`, `OTHER` and `ADDRESS` stand for [`node`], [`other`] and the address
    /// of [`anchor_key`].
    pub(crate) future: &'static str,
    /// The outcome in words, after its block.
    pub(crate) past: &'static str,
}

/// A [`Sample`] of any kind.
pub(crate) struct AnySample {
    pub(crate) call: Call,
    pub(crate) call_hash: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) outcome_hash: &'static str,
    pub(crate) sentences: [&'static str; 2],
}

impl AnySample {
    /// That of the kind `K`, with its variants of [`Call`] and [`Outcome`].
    pub(crate) fn of<K: TransactionKind>(call: fn(K) -> Call, outcome: fn(K::Outcome) -> Outcome) -> Self {
        let sample = K::sample();
        Self {
            call: call(sample.call),
            call_hash: sample.call_hash,
            outcome: outcome(sample.outcome),
            outcome_hash: sample.outcome_hash,
            sentences: [sample.future, sample.past],
        }
    }
}

fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

pub(super) fn node() -> NodeId {
    key(1).node_id()
}

pub(super) fn other() -> NodeId {
    key(2).node_id()
}

/// The consent of [`other`] to belong to [`node`].
pub(super) fn consented() -> Envelope {
    consent(&key(2), &node(), &MESH).unwrap()
}

/// The consent of [`other`] to take over from [`node`].
pub(super) fn taken_over() -> Envelope {
    owner_consent(&key(2), &node(), &MESH).unwrap()
}

/// Two members, who act together.
pub(super) fn team() -> MultisigAccount {
    MultisigAccount::new(2, vec![node(), other()]).unwrap()
}

pub(super) fn team_approvals(call: &ApprovedCall<'_>) -> Vec<Approval> {
    let mut approvals: Vec<_> =
        [key(1), key(2)].iter().map(|key| team().approve(call, key, &MESH).unwrap().unwrap()).collect();
    approvals.sort_by_key(|approval| approval.member);
    approvals
}

/// A grant with everything.
pub(super) fn grant() -> ProxyGrant {
    ProxyGrant {
        scopes: [ProxyScope::Transfers, ProxyScope::Staking].into(),
        limit: Some(SpendingLimit { amount: AMOUNT, interval: 7_200 }),
        delay: 100,
        expiry: BLOCK,
    }
}

/// A stake on [`other`].
pub(super) fn staking() -> Call {
    Call::Stake(Stake { node: other(), amount: AMOUNT })
}

pub(super) fn mechanism() -> MechanismSpec {
    MechanismSpec::named("next-byte").with("contexts", 8)
}

pub(super) fn row() -> Vec<Cell> {
    vec![(Uid(1), 7), (UID, u16::MAX)]
}

pub(super) fn liquid() -> BondsRule {
    BondsRule::Yuma3Liquid(LiquidAlpha { low: 2_000, high: 3_000, steepness: 7 })
}

pub(super) fn anchor_key() -> AnchorKey {
    AnchorKey::from_secret(&[9; 32]).unwrap()
}

/// That [`anchor_key`] belongs to [`node`].
pub(super) fn possession() -> ProofOfPossession {
    ProofOfPossession::prove(&anchor_key(), &node(), &MESH)
}

/// Two votes of [`node`] at one position.
pub(super) fn evidence() -> Equivocation {
    let vote = |value| {
        let vote = Vote { height: BLOCK, round: Round(1), kind: VoteKind::Precommit, value };
        SignedStatement::sign(&key(1), &MESH, vote).unwrap()
    };
    Equivocation::votes(vote(None), vote(Some(Hash::of("block", &[])))).unwrap()
}
