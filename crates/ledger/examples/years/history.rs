//! A mesh that lives: people come, stake, found subnets, vote, weigh, leave, validate, are jailed and slashed, govern, and act
//! for one another.

// Two crates have this file at different places in their trees of modules.
#[path = "wishes.rs"]
mod wishes;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use nervure_consensus::yuma::Cell;
use nervure_ledger::{
    block::BlockContext,
    event::Event,
    spec::{AccountSpec, MeshSpec, NodeSpec, Role},
    state::LedgerState,
    subnet::Hyperparameter,
    transaction::{
        Call, Checked, Outcome, RegisterNeuron, RegisterNeuronOutcome, RegisterNode, RegisterSubnet,
        RegisterSubnetOutcome, SetHyperparameter, SetWeights, Stake, Transaction, Transfer, Unstake,
        VoteSubnets, consent,
    },
};
use nervure_primitives::{Amount, BlockHeight, Envelope, NodeId, NodeKey, Uid, UnixMillis};

/// Blocks of 12 seconds.
pub(crate) const BLOCKS_PER_DAY: u64 = 7_200;

/// Slots of a subnet: few, so that they run out.
const SLOTS: u16 = 24;

/// Subnets: few, for the same reason.
const SUBNETS: u16 = 3;

/// People, each with an owner key and from time to time another node.
const OWNERS: u8 = 6;

/// Validators of the genesis.
const VALIDATORS: u8 = OWNERS;

/// How fast people act, and the rules that their mesh has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Years of a public mesh: a participant acts every 60 blocks.
    Years,
    /// Days in which everything happens that happens in years: a participant acts every 4 blocks, and times are short.
    Days,
}

impl Pace {
    /// Mean blocks between two transactions of a participant.
    const fn wish(self) -> u64 {
        match self {
            Self::Years => 60,
            Self::Days => 4,
        }
    }

    /// Mean blocks between two absences of a validator, and how long one lasts: most of the window in which missed heights
    /// are counted.
    const fn absence(self) -> (u64, u64) {
        match self {
            Self::Years => (30_000, 2_600),
            Self::Days => (600, 150),
        }
    }
}

/// A fixed sequence of pseudo-random numbers (xorshift64).
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end.max(1)
    }
}

/// A mesh and what happened in it.
pub(crate) struct History {
    /// The ledger now.
    pub(crate) state: LedgerState,
    pace: Pace,
    random: Sequence,
    /// The next node key that was never used.
    newcomers: u64,
    /// The keys of the nodes that make blocks when they are elected.
    validators: Vec<NodeKey>,
    /// Nodes that registered, and may leave.
    miners: Vec<NodeKey>,
    /// The validator that signs nothing, up to a height.
    absent: Option<(NodeId, u64)>,
    /// Who proposes the next block and who signed the last one.
    context: BlockContext,
    counts: BTreeMap<String, u64>,
}

fn owner(index: u8) -> NodeKey {
    NodeKey::from_seed(&[index + 1; 32])
}

fn validator(index: u8) -> NodeKey {
    NodeKey::from_seed(&[index + 100; 32])
}

fn newcomer(number: u64) -> NodeKey {
    let mut seed = [200; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    NodeKey::from_seed(&seed)
}

fn tokens(tokens: u64) -> Amount {
    Amount::from_tokens(tokens).unwrap()
}

/// A public mesh of few slots, with 8 of 21 million tokens at the beginning.
fn spec(pace: Pace) -> MeshSpec {
    let mut spec = MeshSpec::public("years");
    spec.economy.slots = SLOTS;
    spec.economy.max_subnets = SUBNETS;
    spec.economy.subnet.max_validators = 8;
    spec.economy.subnet.commit_reveal = false;
    spec.economy.subnet_immunity = 2 * BLOCKS_PER_DAY;
    let rich = |index| AccountSpec::new(owner(index).node_id(), tokens(1_000_000));
    spec.accounts = (0..OWNERS).map(rich).collect();
    // The owners of validators are people, so that they can act.
    let listed = |index| {
        NodeSpec::new(validator(index).node_id(), Role::Validator)
            .with_owner(owner(index).node_id())
            .in_subnets(spec.subnets.iter().map(|subnet| subnet.netuid))
            .with_stake(tokens(350_000))
    };
    spec.nodes = (0..VALIDATORS).map(listed).collect();
    if pace == Pace::Days {
        let economy = &mut spec.economy;
        (economy.election_interval, economy.liveness_window, economy.jail_time) = (60, 200, 100);
        (economy.max_tempo, economy.evidence_window, economy.unbonding) = (360, 1_000, 2_000);
        (economy.take_interval, economy.hyperparameter_interval) = (500, 100);
        (economy.governance.voting_period, economy.governance.delay) = (300, 20);
        spec.consensus.trusting_period_seconds = 3_600;
    }
    spec
}

impl History {
    /// Another `seed` gives another history.
    pub(crate) fn new(pace: Pace, seed: u64) -> Self {
        Self {
            state: LedgerState::genesis(&spec(pace)).unwrap(),
            pace,
            random: Sequence(0x9e37_79b9_7f4a_7c15 ^ seed),
            newcomers: 0,
            validators: (0..VALIDATORS).map(validator).collect(),
            miners: Vec::new(),
            absent: None,
            context: BlockContext::default(),
            counts: BTreeMap::new(),
        }
    }

    /// Lives through `blocks` blocks. Counts every base unit after each block in which a participant did
    /// something, and after every hundredth.
    pub(crate) fn run(&mut self, blocks: u64) {
        let mut is_settled = false;
        for _ in 0..blocks {
            let is_change = self.come_and_go();
            // Who signs changes with the validators, with their keys and with who is absent, and is not cheap to look up.
            if is_change || !is_settled {
                self.look_who_signs();
            }
            let wish = self.random.below(self.pace.wish()) == 0;
            let transactions = if wish { self.wish() } else { Vec::new() };
            let height = self.state.height().0;
            self.take_turns(height + 1);
            let before = self.state.issuance();
            let events = self.advance(&transactions);
            if wish {
                self.forget_former_validators();
            }
            let (events, reward) = (self.count(events), self.state.issuance().saturating_sub(before));
            let elections = self.state.params().election_interval;
            is_settled = !wish && !events && height % elections > 1;
            if wish || events || height.is_multiple_of(100) {
                assert_eq!(self.state.held(), u128::from(self.state.issuance()), "block {height}");
                self.add("conservation checked", 1);
            }
            if !wish && reward > 0 {
                self.counts.insert("block reward now".into(), reward);
            }
        }
        self.add("blocks", blocks);
    }

    /// The next block with these transactions; without them when it cannot have them.
    fn advance(&mut self, transactions: &[Checked]) -> Vec<Event> {
        if !transactions.is_empty() {
            let mut next = self.state.clone();
            if let Ok(events) = next.advance(&self.context, transactions) {
                self.state = next;
                return events;
            }
            self.add("not in a block", 1);
        }
        self.state.advance(&self.context, &[]).unwrap()
    }

    /// Who signed the last block, and who may propose the next one.
    fn look_who_signs(&mut self) {
        let members = self.state.roster().liveness().map(|(member, _)| *member);
        let is_here = |member: &NodeId| self.absent.is_none_or(|(absent, _)| absent != *member);
        self.context.signers = members.filter(is_here).collect::<BTreeSet<_>>();
    }

    /// Time passes, and the next of those who signed proposes.
    fn take_turns(&mut self, height: u64) {
        let signers = &self.context.signers;
        let turn = height as usize % signers.len().max(1);
        self.context.proposer = signers.iter().nth(turn).copied();
        self.context.time = UnixMillis(height * 12_000);
    }

    /// A validator goes away for a while, or comes back; whether one did.
    fn come_and_go(&mut self) -> bool {
        let (height, (mean, length)) = (self.state.height().0, self.pace.absence());
        match self.absent {
            Some((_, until)) if until > height => false,
            Some(_) => {
                self.absent = None;
                true
            }
            // Of three, one is as much power as can be absent.
            None if self.random.below(mean) == 0 && self.in_office() > 3 => {
                let validator = self.some_validator().node_id();
                self.absent = Some((validator, height + length));
                self.add("absences", 1);
                true
            }
            None => false,
        }
    }

    /// Keys that were replaced, keys that were not accepted, and nodes that were slashed validate no more.
    fn forget_former_validators(&mut self) {
        let (nodes, roster) = (self.state.nodes(), self.state.roster());
        let validates = |id: NodeId| nodes.get(&id).is_some() && roster.tombstone(&id).is_none();
        self.validators.retain(|key| validates(key.node_id()));
    }

    /// How many validators agree on the next block.
    fn in_office(&self) -> usize {
        self.state.validators().map_or(0, |set| set.members().len())
    }

    /// What happened, a line each.
    pub(crate) fn report(&self) -> String {
        let mut text = String::new();
        for (what, count) in &self.counts {
            let _ = writeln!(text, "{what:<24} {count:>12}");
        }
        let held = self.state.held();
        let _ = writeln!(text, "{:<24} {held:>12}", "base units held");
        let _ = write!(text, "{:<24} {:>12}", "issuance", self.state.issuance());
        text
    }

    /// How often something happened.
    pub(crate) fn times(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    fn add(&mut self, what: &str, times: u64) {
        *self.counts.entry(what.to_owned()).or_default() += times;
    }

    /// Counts events; whether there were any.
    fn count(&mut self, events: Vec<Event>) -> bool {
        let some = !events.is_empty();
        for event in events {
            match event {
                Event::Applied { outcome, .. } => self.outcome(&outcome),
                Event::Rejected { .. } => self.add("rejected", 1),
                Event::Epoch { .. } => self.add("epochs", 1),
                Event::ValidatorJailed { .. } => self.add("validators jailed", 1),
                Event::ValidatorRemoved { .. } => self.add("validators removed", 1),
                Event::ProposalCounted { .. } => self.add("proposals counted", 1),
                Event::ProposalDone { .. } => self.add("proposals done", 1),
                Event::ProposalFailed { .. } => self.add("proposals failed", 1),
                other @ Event::EpochFailed { .. } => panic!("{other:?}"),
            }
        }
        some
    }

    fn outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::NeuronRegistered(RegisterNeuronOutcome { replaced: Some(_), .. }) => {
                self.add("neurons pruned", 1)
            }
            Outcome::SubnetRegistered(RegisterSubnetOutcome { dissolved: Some(_), .. }) => {
                self.add("subnets dissolved", 1)
            }
            _ => {}
        }
        self.add("applied", 1);
        self.add(&format!("  {}", kind(outcome)), 1);
    }

    /// A participant's next transaction.
    fn wish(&mut self) -> Vec<Checked> {
        let who = self.random.below(OWNERS.into()) as u8;
        let one = |envelope| vec![envelope];
        let envelopes = match self.random.below(40) {
            0..4 => self.join(who),
            4..6 => {
                let amount = Amount::from_base_units(self.random.below(1_000_000_000_000));
                let to = owner((who + 1) % OWNERS).node_id();
                one(self.by_owner(who, Call::Transfer(Transfer { to, amount, memo: None }), 0))
            }
            6..9 => one(self.stake(who)),
            9 => self.found(who),
            10..12 => self.vote().into_iter().collect(),
            12..24 => self.weigh(),
            _ => self.uncommon_wish(who),
        };
        envelopes.iter().map(|envelope| Checked::new(envelope, &self.state.mesh())).collect()
    }

    fn by_owner(&self, who: u8, call: Call, before: u64) -> Envelope {
        let key = owner(who);
        let nonce = self.state.accounts().get(&key.node_id()).nonce + before;
        self.seal(&key, nonce, 10_000_000, call)
    }

    /// None when it would not be free: these validators have nothing to pay with.
    fn by_node(&self, key: &NodeKey, call: Call) -> Option<Envelope> {
        let id = key.node_id();
        self.state.lane_scope(&call, &id).ok()??;
        let nonce = self.state.nodes().get(&id)?.nonce;
        Some(self.seal(key, nonce, 0, call))
    }

    fn seal(&self, key: &NodeKey, nonce: u64, fee: u64, call: Call) -> Envelope {
        let (fee, expiry) = (Amount::from_base_units(fee), BlockHeight(self.state.height().0 + 100));
        Transaction { nonce, fee, tip: Amount::ZERO, expiry, call }.seal(key, &self.state.mesh()).unwrap()
    }

    /// A key that was never used.
    fn new_key(&mut self) -> NodeKey {
        self.newcomers += 1;
        newcomer(self.newcomers)
    }

    /// A new node in some subnet.
    fn join(&mut self, who: u8) -> Vec<Envelope> {
        let key = self.new_key();
        self.miners.push(key.clone());
        let netuid = self.some_subnet();
        let consent = consent(&key, &owner(who).node_id(), &self.state.mesh()).unwrap();
        let join = RegisterNeuron { netuid, node: key.node_id(), max_price: Some(tokens(50)) };
        vec![
            self.by_owner(who, Call::RegisterNode(RegisterNode { consent }), 0),
            self.by_owner(who, Call::RegisterNeuron(join), 1),
        ]
    }

    fn stake(&mut self, who: u8) -> Envelope {
        let node = self.some_validator().node_id();
        let amount = Amount::from_base_units(1_000_000_000 + self.random.below(100_000_000_000));
        let call = match self.random.below(3) {
            0 => Call::Unstake(Unstake { node, amount }),
            _ => Call::Stake(Stake { node, amount }),
        };
        self.by_owner(who, call, 0)
    }

    /// A subnet of one's own, open to plain weights, with a new node in it.
    fn found(&mut self, who: u8) -> Vec<Envelope> {
        // Not every day: the lock doubles each time.
        if self.random.below(20) > 0 {
            return Vec::new();
        }
        let key = self.new_key();
        let consent = consent(&key, &owner(who).node_id(), &self.state.mesh()).unwrap();
        let found = RegisterSubnet {
            name: "new".into(),
            node: key.node_id(),
            max_lock: tokens(100_000),
            mechanism: None,
        };
        let netuid = self.some_subnet();
        let rule = SetHyperparameter { netuid, to: Hyperparameter::Immunity(self.random.below(5_000)) };
        vec![
            self.by_owner(who, Call::RegisterNode(RegisterNode { consent }), 0),
            self.by_owner(who, Call::RegisterSubnet(found), 1),
            self.by_owner(who, Call::SetHyperparameter(rule), 2),
        ]
    }

    fn vote(&mut self) -> Option<Envelope> {
        let netuids: Vec<_> = self.state.subnets().keys().copied().collect();
        let weights = netuids.into_iter().map(|netuid| (netuid, self.random.below(65_536) as u16)).collect();
        let key = self.some_validator();
        self.by_node(&key, Call::VoteSubnets(VoteSubnets { weights }))
    }

    /// Every validator weighs the first subnet.
    fn weigh(&mut self) -> Vec<Envelope> {
        let Some((netuid, subnet)) = self.state.subnets().iter().next() else { return Vec::new() };
        let (netuid, neurons) = (*netuid, subnet.neurons.len() as u16);
        let row = |random: &mut Sequence| -> Vec<Cell> {
            (0..neurons).map(|uid| (Uid(uid), (random.below(900) + u64::from(uid)) as u16)).collect()
        };
        let keys = self.validators.clone();
        keys.iter()
            .filter_map(|key| {
                let weights = row(&mut self.random);
                let call = SetWeights { netuid, weights, version_key: 0 };
                self.by_node(key, Call::SetWeights(call))
            })
            .collect()
    }

    fn some_validator(&mut self) -> NodeKey {
        let at = self.random.below(self.validators.len() as u64) as usize;
        self.validators[at].clone()
    }

    fn some_subnet(&mut self) -> nervure_primitives::Netuid {
        let at = self.random.below(self.state.subnets().len() as u64) as usize;
        let netuids = self.state.subnets().keys();
        netuids.copied().nth(at).unwrap_or(nervure_primitives::Netuid(1))
    }
}

/// The kind of an outcome: its name without its fields.
pub(crate) fn kind(outcome: &Outcome) -> String {
    let text = format!("{outcome:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}
