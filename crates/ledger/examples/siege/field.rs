//! The field of a siege: a mesh with honest validators, an honest user who pays again and again, and an attacker with a part
//! of the supply.
//!
//! Times are short, so that a siege of some dozens of blocks sees elections, epochs and steps of the shares, and blocks have
//! room for some 37 transfers. Prices are those of a public mesh.

use std::collections::BTreeMap;

use nervure_ledger::{
    event::Event,
    params::Params,
    spec::{AccountSpec, MeshSpec, NodeSpec, Role},
    state::LedgerState,
    subnet::Hyperparameters,
    transaction::{Call, Outcome, SignerKey, Transaction},
};
use nervure_primitives::{Hash, Netuid, NodeId, NodeKey};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::mesh::{Mesh, Offer, SUPPLY, TOKEN, honest, key, pay, units, validator};

/// Honest validators: four that share half of the supply as their stake, and a small one.
pub(crate) const VALIDATORS: u64 = 5;

/// What the small one has staked, in base units.
const SMALL_STAKE: u64 = 2_000 * TOKEN;

/// Accounts of the attacker.
const ACCOUNTS: u64 = 8;

/// Blocks between two elections, and the tempo of epochs.
pub(crate) const INTERVAL: u64 = 10;

/// Blocks for which evidence counts.
pub(crate) const EVIDENCE_WINDOW: u64 = 40;

/// Blocks until what was unstaked is paid out.
pub(crate) const UNBONDING: u64 = EVIDENCE_WINDOW + 2 * INTERVAL;

/// Longer than any siege.
const NEVER: u64 = 1_000;

/// What a siege begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) seed: u64,
    /// The part of the supply that the attacker has.
    pub(crate) percent: u64,
}

/// What a siege cost the attacker, and what honest users noticed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Base units that are gone: fees, tips, burns and slashes.
    pub(crate) paid: u64,
    /// The most base units that were staked, unbonding or locked at once.
    pub(crate) locked: u64,
    /// Blocks that had no room for anything more.
    pub(crate) full: u64,
    /// What the attacker reached, in the measure of its attack.
    pub(crate) gain: u64,
    /// How many honest transfers were final in how many blocks.
    pub(crate) waits: BTreeMap<u64, u64>,
    /// The most that an honest transfer cost, in base units.
    pub(crate) dearest: u64,
}

/// A transfer of the honest user that waits.
#[derive(Clone, Copy)]
struct Waiting {
    since: u64,
    /// The block before which it was offered last.
    bid_at: u64,
    nonce: u64,
    balance: u64,
    /// The tip that it offers.
    tip: u64,
    /// What it offers for its weight.
    base: u64,
}

/// What a field differs in from others.
#[derive(Clone, Debug)]
pub(crate) struct Terrain {
    pub(crate) economy: Params,
    /// Nodes of the attacker that make blocks from the first one on, with their stake in base units, which is taken from its
    /// funds.
    pub(crate) nodes: Vec<(NodeKey, u64)>,
    pub(crate) block_milliseconds: u32,
    /// How many times more a block of a public mesh has room for: the attacker has so many times less, and what it paid
    /// counts so many times.
    pub(crate) scale: u64,
}

impl Default for Terrain {
    fn default() -> Self {
        Self { economy: params(), nodes: Vec::new(), block_milliseconds: SMALL_BLOCK, scale: 1 }
    }
}

/// The block time of blocks that are so small, in milliseconds: 125,000 units of weight.
const SMALL_BLOCK: u32 = 25;

/// How many times more weight a block of a public mesh may have.
pub(crate) const SCALE: u64 = 160;

pub(crate) struct Field {
    pub(crate) mesh: Mesh,
    pub(crate) rng: ChaCha8Rng,
    /// The attacker's accounts, with equal parts of its funds.
    pub(crate) accounts: Vec<NodeKey>,
    pub(crate) funds: u64,
    pub(crate) report: Report,
    /// Blocks so far.
    pub(crate) blocks: u64,
    scale: u64,
    /// The median of the tips in the last block, if the block was full.
    last_tip: u64,
    honest_ids: Vec<Hash>,
    waiting: Option<Waiting>,
}

/// The key of an honest validator, which owns itself.
pub(crate) fn honest_validator(number: u64) -> NodeKey {
    if number == 0 { validator() } else { key(10 + number) }
}

/// The parameters of the field.
pub(crate) fn params() -> Params {
    let public = Params::default();
    let subnet =
        Hyperparameters { tempo: INTERVAL, immunity: 10, weights_interval: 1, ..public.subnet.clone() };
    Params {
        unbonding: UNBONDING,
        evidence_window: EVIDENCE_WINDOW,
        election_interval: INTERVAL,
        liveness_window: 2 * INTERVAL,
        jail_time: 2 * INTERVAL,
        min_tempo: INTERVAL,
        max_tempo: 2 * INTERVAL,
        share_interval: INTERVAL,
        vote_interval: 2,
        hyperparameter_interval: 4,
        registration_interval: INTERVAL,
        subnet,
        ..public
    }
}

impl Field {
    /// A field with the public prices.
    pub(crate) fn new(start: Start) -> Self {
        Self::with(start, Terrain::default())
    }

    /// A field on this terrain.
    pub(crate) fn with(start: Start, terrain: Terrain) -> Self {
        let Terrain { economy, nodes, block_milliseconds, scale } = terrain;
        let funds = SUPPLY / 100 * start.percent * TOKEN / scale;
        let accounts: Vec<NodeKey> = (100..100 + ACCOUNTS).map(key).collect();
        let mut spec = MeshSpec { economy, ..MeshSpec::public("siege") };
        spec.consensus.block_milliseconds = block_milliseconds;
        let subnet = [Netuid(1)];
        let large = SUPPLY * TOKEN / 2 / (VALIDATORS - 1);
        let stake = |number| units(if number == VALIDATORS - 1 { SMALL_STAKE } else { large });
        spec.nodes = (0..VALIDATORS)
            .map(|number| {
                NodeSpec::new(honest_validator(number).node_id(), Role::Validator).with_stake(stake(number))
            })
            .chain(nodes.iter().map(|(key, stake)| {
                let node = NodeSpec::new(key.node_id(), Role::Validator).with_owner(accounts[0].node_id());
                node.with_stake(units(*stake))
            }))
            .map(|node| node.in_subnets(subnet))
            .collect();
        let staked: u64 = nodes.iter().map(|(_, stake)| stake).sum();
        let balances = accounts.iter().map(|key| (key.node_id(), (funds - staked) / ACCOUNTS));
        let user = (honest().node_id(), 1_000 * TOKEN);
        // The rest of the supply belongs to people who do nothing.
        let idle =
            (key(4).node_id(), SUPPLY / 2 * TOKEN - funds - 1_000 * TOKEN - SMALL_STAKE - VALIDATORS * TOKEN);
        let validators = (0..VALIDATORS).map(|number| (honest_validator(number).node_id(), TOKEN));
        let all = balances.chain([user, idle]).chain(validators);
        spec.accounts = all.map(|(owner, balance)| AccountSpec::new(owner, units(balance))).collect();
        let attacking = nodes.iter().map(|(key, _)| key.clone());
        let signers = (0..VALIDATORS).map(honest_validator).chain(attacking).collect();
        Self {
            mesh: Mesh::of(&spec, signers),
            rng: ChaCha8Rng::seed_from_u64(start.seed.wrapping_mul(100) + start.percent),
            accounts,
            funds,
            report: Report::default(),
            blocks: 0,
            scale,
            last_tip: 0,
            honest_ids: Vec::new(),
            waiting: None,
        }
    }

    pub(crate) fn state(&self) -> &LedgerState {
        &self.mesh.tip().state
    }

    /// Base units that `call` costs at most now, as a wallet offers them.
    pub(crate) fn offer(&self, signer: &NodeKey, call: &Call) -> Offer {
        let nonce = self.mesh.nonce(signer, call.signer());
        Offer { nonce, ..self.mesh.going(call) }
    }

    /// The honest user pays with the going fee of the moment, if nothing of it waits. What waits since an earlier block is
    /// replaced, once a block, by an offer with twice the going tip, or twice the median tip of a block that was
    /// full, and twice as much for each further block.
    pub(crate) fn honest_pays(&mut self) {
        let user = honest();
        let Offer { nonce, tip, .. } = self.offer(&user, &pay(5));
        let base = self.state().base_fee().after_full_blocks(4).cost(transfer_weight());
        let waiting = match self.waiting {
            None => Waiting {
                since: self.blocks,
                bid_at: self.blocks,
                nonce,
                balance: self.mesh.balance(&user.node_id()),
                tip,
                base: 0,
            },
            Some(waiting) if waiting.bid_at == self.blocks => return,
            Some(waiting) => {
                let times = 1_u64.checked_shl((self.blocks - waiting.since) as u32).unwrap_or(u64::MAX);
                let raised = tip
                    .max(self.last_tip + self.last_tip / 10 + 8)
                    .saturating_mul(times)
                    .max(waiting.tip + waiting.tip / 10 + 1);
                // No more than it has.
                let tip = raised.min(waiting.balance / 2);
                Waiting { bid_at: self.blocks, tip, ..waiting }
            }
        };
        // A replacement has a higher fee, too.
        let fee = base.max(waiting.base + waiting.base / 10 + 1).saturating_add(waiting.tip);
        if let Ok(id) = self.mesh.send(&user, Offer { nonce, fee, tip: waiting.tip }, pay(5)) {
            self.honest_ids.push(id);
        }
        self.waiting = Some(Waiting { base: fee - waiting.tip, ..waiting });
    }

    /// The tip that the honest user offers now.
    pub(crate) fn honest_tip(&self) -> Option<u64> {
        self.waiting.map(|waiting| waiting.tip)
    }

    /// One block of what waits. What the attacker paid for it counts.
    pub(crate) fn block(&mut self) -> Vec<Event> {
        let base = self.state().base_fee().cost(transfer_weight());
        let events = self.mesh.block();
        self.blocks += 1;
        let mut paid_each = Vec::new();
        for event in &events {
            let (Event::Applied { id, paid, .. } | Event::Rejected { id, paid, .. }) = event else {
                continue;
            };
            paid_each.push(paid.base_units());
            if !self.honest_ids.contains(id) {
                self.report.paid += paid.base_units();
            }
        }
        paid_each.sort_unstable();
        let is_full = paid_each.len() >= 30;
        let median = paid_each.get(paid_each.len() / 2).copied().unwrap_or(0);
        self.last_tip = if is_full { median.saturating_sub(base) } else { 0 };
        self.report.full += u64::from(is_full);
        self.report.locked = self.report.locked.max(self.locked());
        if let Some(waiting) = self.waiting
            && self.mesh.nonce(&honest(), SignerKey::Owner) > waiting.nonce
        {
            *self.report.waits.entry(self.blocks - waiting.since).or_default() += 1;
            let cost = waiting.balance - self.mesh.balance(&honest().node_id()) - 5;
            self.report.dearest = self.report.dearest.max(cost);
            self.waiting = None;
        }
        events
    }

    /// A block in which the honest user pays before or after `attack`.
    pub(crate) fn besieged(&mut self, attack: impl FnOnce(&mut Self)) -> Vec<Event> {
        let is_first = self.rng.random_bool(0.5);
        if is_first {
            self.honest_pays();
        }
        attack(self);
        self.honest_pays();
        self.block()
    }

    /// Sends a call of the attacker and makes blocks until it is carried out. What it did, unless it was refused.
    pub(crate) fn carry_out(&mut self, signer: &NodeKey, call: Call) -> Option<Outcome> {
        let offer = self.offer(signer, &call);
        let id = self.mesh.send(signer, offer, call).ok()?;
        for _ in 0..8 {
            for event in self.besieged(|_| ()) {
                match event {
                    Event::Applied { id: done, outcome, .. } if done == id => return Some(outcome),
                    Event::Rejected { id: done, .. } if done == id => return None,
                    _ => {}
                }
            }
        }
        None
    }

    /// What the attacker has staked, unbonding, or locked in subnets.
    fn locked(&self) -> u64 {
        let state = self.state();
        let mut locked = 0;
        for owner in self.accounts.iter().map(NodeKey::node_id) {
            locked += state.nodes().stakes_of(owner).map(|(_, stake)| stake.base_units()).sum::<u64>();
            locked +=
                state.accounts().unbonding(&owner).map(|(_, entry)| entry.amount.base_units()).sum::<u64>();
            locked += self.locked_in_subnets(&owner);
        }
        locked
    }

    fn locked_in_subnets(&self, owner: &NodeId) -> u64 {
        let of_owner = self.state().subnets().values().filter(|subnet| subnet.owner == Some(*owner));
        of_owner.map(|subnet| subnet.locked).sum()
    }

    /// The report, with the transfer that still waits: as long as it has.
    pub(crate) fn finish(mut self, gain: u64) -> Report {
        if self.waiting.is_some_and(|waiting| self.blocks > waiting.since + 3) {
            *self.report.waits.entry(NEVER).or_default() += 1;
        }
        self.report.gain = gain;
        self.report.paid *= self.scale;
        self.report
    }
}

impl Report {
    /// Honest transfers that were final within `blocks`, and all of them.
    pub(crate) fn within(&self, blocks: u64) -> (u64, u64) {
        let within = self.waits.iter().filter(|(waited, _)| **waited <= blocks).map(|(_, times)| times).sum();
        (within, self.waits.values().sum())
    }
}

/// What a transfer weighs.
pub(crate) fn transfer_weight() -> u64 {
    Transaction::greatest_weight(&pay(0))
}
