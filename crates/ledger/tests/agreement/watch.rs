//! What has to be true of the chain that honest nodes commit, by a model of the rules that reads blocks alone.
//!
//! The rules that are promised are those of the scenario, whatever the ledger of the run is set to: a defence that is off is
//! found as a difference.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use nervure_consensus::{
    bft::{
        Round,
        simulation::{MILLISECOND, START},
    },
    checkpoint::ValidatorSet,
};
use nervure_ledger::{
    chain::{Next, Tip},
    event::Event,
    nodes::NodeNumber,
    roster::Standing,
    state::LedgerState,
    transaction::Outcome,
};
use nervure_primitives::NodeId;

use super::scenario::{INTERVAL, Scenario, WINDOW};

/// The time after the faults in which a node that was cut off has caught up, in milliseconds.
const CATCH_UP: u64 = 300;

/// Blocks within which a validator that was found to equivocate is punished, once the faults are over.
const PUNISHED_WITHIN: u64 = 6;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// A block is not later than its parent.
    Time { height: u64 },
    /// Tokens were lost or made.
    Conservation { height: u64 },
    /// The election jailed others than the rule says.
    Jailing { height: u64, expected: BTreeSet<NodeId>, jailed: BTreeSet<NodeId> },
    /// An honest validator was jailed although no fault was active in the heights that counted.
    HonestJailed { height: u64, node: NodeId },
    /// An honest validator was slashed.
    HonestSlashed { height: u64, node: NodeId },
    /// A validator that equivocated was not slashed in time.
    Unpunished { height: u64, node: NodeId },
    /// A validator that equivocated was elected.
    ElectedAgain { height: u64, node: NodeId },
    /// A slash took less than it has to.
    CheapSlash { height: u64 },
    /// The validators changed without an election, or are others than those who joined.
    Set { height: u64 },
    /// An honest validator that wants to make blocks is not elected at the end.
    NotBack { node: NodeId },
}

/// What was seen in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) findings: Vec<Finding>,
    /// Jailings took so many honest validators out of office that the others had a third: nothing is promised from then on.
    pub(crate) assumption_lost: bool,
    /// How often something happened.
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

/// A member of the validator set, as the model counts.
struct Office {
    key: NodeId,
    since: u64,
    missed: [bool; WINDOW as usize],
}

pub(crate) struct Watch {
    scenario: Rc<Scenario>,
    height: u64,
    office: BTreeMap<NodeNumber, Office>,
    /// The keys that honest nodes found to equivocate, and the first height after.
    found: BTreeMap<NodeId, u64>,
    /// The first height whose window has no faults.
    healed: Option<u64>,
    last: Option<LedgerState>,
    punished: BTreeSet<NodeId>,
    seen: Seen,
}

impl Watch {
    pub(crate) fn new(scenario: Rc<Scenario>, genesis: &LedgerState) -> Self {
        let mut watch = Self {
            scenario,
            height: 0,
            office: BTreeMap::new(),
            found: BTreeMap::new(),
            healed: None,
            last: None,
            punished: BTreeSet::new(),
            seen: Seen::default(),
        };
        watch.take_office(genesis, 1);
        watch
    }

    /// An honest node found that `node` equivocated.
    pub(crate) fn found(&mut self, node: NodeId) {
        self.found.entry(node).or_insert(self.height + 1);
    }

    /// An honest node committed `next` on top of `before`; whether it was the first.
    pub(crate) fn committed(&mut self, before: &Tip, next: &Next, round: Round) -> bool {
        let height = next.block.header.height.0;
        if height != self.height + 1 {
            return false;
        }
        self.height = height;
        let healing = START.0 + self.scenario.plan.faults_end / MILLISECOND + CATCH_UP;
        if before.header.time.0 >= healing {
            self.healed.get_or_insert(height);
            if round.0 > 0 {
                self.count("rounds lost after the faults", u64::from(round.0));
            }
        }
        if next.block.header.time <= before.header.time {
            self.find(Finding::Time { height });
        }
        if next.state.held() != u128::from(next.state.issuance()) {
            self.find(Finding::Conservation { height });
        }
        self.check_events(before, next);
        self.check_missed(next);
        if height.is_multiple_of(INTERVAL) {
            self.check_election(before, next);
        } else if before.state.validators_hash() != next.state.validators_hash() {
            self.find(Finding::Set { height });
        }
        self.check_punishments(&next.state);
        self.last = Some(next.state.clone());
        true
    }

    /// What was seen, at the end of the run.
    pub(crate) fn finish(&mut self) -> Seen {
        // Jailed at the last election whose window has faults, released at the next one, elected at the one after.
        let back = self.healed.map(|healed| healed + WINDOW + 2 * INTERVAL);
        if let Some(state) = self.last.take().filter(|_| back.is_some_and(|back| back <= self.height)) {
            self.count("returns checked", 1);
            for member in &self.scenario.clone().members {
                let in_office = |set: &ValidatorSet| set.members().iter().any(|one| member.has(&one.node));
                let is_in = state.validators().is_some_and(|set| in_office(set));
                // Who just came or left waits for an election.
                let has_settled = member.absence.is_none_or(|absence| absence.until + 8 < self.height);
                let is_swapping = member.swap.is_some_and(|at| at + 8 > self.height);
                if member.behaviour.is_honest() && has_settled && !is_swapping && !is_in {
                    self.find(Finding::NotBack { node: member.keys[0].node_id() });
                }
            }
        }
        std::mem::take(&mut self.seen)
    }

    fn find(&mut self, finding: Finding) {
        if !self.seen.assumption_lost {
            self.seen.findings.push(finding);
        }
    }

    fn count(&mut self, what: &'static str, times: u64) {
        *self.seen.counts.entry(what).or_default() += times;
    }

    fn is_honest(&self, node: &NodeId) -> bool {
        self.scenario.members.iter().any(|member| member.has(node) && member.behaviour.is_honest())
    }

    /// Slashes are whole, and of the guilty.
    fn check_events(&mut self, before: &Tip, next: &Next) {
        let height = next.block.header.height.0;
        for event in &next.events {
            match event {
                Event::Applied { outcome: Outcome::EquivocationReported(report), .. } => {
                    self.count("slashed", 1);
                    let staked =
                        before.state.nodes().get(&report.node).map_or(0, |node| node.stake().base_units());
                    // Only the first report slashes; stake that moved in the same block is less than a tenth.
                    if self.punished.insert(report.node) && report.slashed.base_units() < staked / 20 * 9 / 10
                    {
                        self.find(Finding::CheapSlash { height });
                    }
                    if self.is_honest(&report.node) {
                        self.find(Finding::HonestSlashed { height, node: report.node });
                    }
                }
                Event::Applied { outcome: Outcome::ValidatorJoined(_), .. } => self.count("joined", 1),
                Event::Applied { outcome: Outcome::ValidatorLeft(_), .. } => self.count("left", 1),
                Event::Applied { outcome: Outcome::KeySwapped(_), .. } => self.count("keys swapped", 1),
                Event::Applied { .. } => self.count("stake moved", 1),
                Event::Rejected { .. } => self.count("refused", 1),
                Event::ValidatorJailed { .. } => self.count("jailed", 1),
                Event::Epoch { .. }
                | Event::EpochFailed { .. }
                | Event::ValidatorRemoved { .. }
                | Event::ProposalCounted { .. }
                | Event::ProposalDone { .. }
                | Event::ProposalFailed { .. } => {}
            }
        }
    }

    /// Counts the height before, which the certificate in the block says who signed.
    fn check_missed(&mut self, next: &Next) {
        let Some(commit) = &next.block.last_commit else { return };
        let signers: BTreeSet<NodeId> = commit.signatures.iter().map(|(signer, _)| *signer).collect();
        let counted = next.block.header.height.0 - 1;
        for office in self.office.values_mut().filter(|office| office.since <= counted) {
            office.missed[(counted % WINDOW) as usize] = !signers.contains(&office.key);
        }
    }

    fn check_election(&mut self, before: &Tip, next: &Next) {
        let (height, state) = (next.block.header.height.0, &next.state);
        let Some(set) = before.state.validators() else { return };
        let expected = self.expected_jailings(set, &before.state, state);
        let jailed: BTreeSet<NodeId> = next
            .events
            .iter()
            .filter_map(|event| match event {
                Event::ValidatorJailed { node, .. } => Some(*node),
                _ => None,
            })
            .collect();
        let without_faults = self.healed.is_some_and(|healed| healed + WINDOW <= height);
        for node in &jailed {
            if without_faults && self.is_honest(node) {
                self.find(Finding::HonestJailed { height, node: *node });
            }
        }
        if expected != jailed {
            self.find(Finding::Jailing { height, expected, jailed });
        }
        self.take_office(state, height + 1);
        let Some(elected) = state.validators() else { return };
        let joined = |(_, standing): &(&NodeId, &Standing)| matches!(standing, Standing::Joined { .. });
        let joined: BTreeSet<NodeId> =
            state.roster().standings().filter(joined).map(|(node, _)| *node).collect();
        let members: BTreeSet<NodeId> = elected.members().iter().map(|one| one.node).collect();
        if !joined.is_empty() && joined != members {
            self.find(Finding::Set { height });
        }
        self.count("elections", u64::from(**set != **elected));
        let bad: u64 =
            elected.members().iter().filter(|one| !self.is_honest(&one.node)).map(|one| one.power).sum();
        self.seen.assumption_lost |= u128::from(bad) * 3 >= u128::from(elected.total_power());
        let guilty = |node: &NodeId| self.is_due(node, height);
        if let Some(node) = members.iter().find(|node| guilty(node)) {
            self.find(Finding::ElectedAgain { height, node: *node });
        }
    }

    /// Whether `node` was found to equivocate, and the time in which it has to be punished is over.
    fn is_due(&self, node: &NodeId, height: u64) -> bool {
        let Some(found) = self.found.get(node) else { return false };
        self.healed.is_some_and(|healed| healed.max(*found) + PUNISHED_WITHIN <= height)
    }

    fn check_punishments(&mut self, state: &LedgerState) {
        let height = self.height;
        let due: Vec<NodeId> = self.found.keys().filter(|node| self.is_due(node, height)).copied().collect();
        for found in due {
            let member = self.scenario.members.iter().find(|member| member.has(&found));
            let node = member.and_then(|member| super::owners::node_of(member, state));
            if node.is_none_or(|node| state.roster().tombstone(&node).is_none()) {
                self.find(Finding::Unpunished { height, node: found });
            }
            self.found.remove(&found);
        }
    }

    /// Whom the election has to jail: who missed more than half of the window, the worst first, below a third of the power.
    fn expected_jailings(
        &self,
        set: &ValidatorSet,
        before: &LedgerState,
        after: &LedgerState,
    ) -> BTreeSet<NodeId> {
        let mut absent: Vec<(u64, NodeId, u64)> = self
            .office
            .iter()
            .filter_map(|(number, office)| {
                let node = after.nodes().key_of(*number)?;
                let missed = office.missed.iter().filter(|missed| **missed).count() as u64;
                Some((missed, node, set.power_of(&office.key)?))
            })
            .filter(|(missed, ..)| *missed > WINDOW / 2)
            .filter(|(_, node, _)| {
                after.roster().tombstone(node).is_none()
                    && !matches!(before.roster().standing(node), Some(Standing::Jailed { .. }))
            })
            .collect();
        absent.sort_by_key(|(missed, node, _)| (u64::MAX - missed, *node));
        let mut gone = 0;
        let mut jailed = BTreeSet::new();
        for (_, node, power) in absent {
            if u128::from(gone + power) * 3 < u128::from(set.total_power()) {
                gone += power;
                jailed.insert(node);
            }
        }
        jailed
    }

    fn take_office(&mut self, state: &LedgerState, first: u64) {
        let mut before = std::mem::take(&mut self.office);
        let Some(set) = state.validators() else { return };
        for one in set.members() {
            let Some(node) = state.nodes().get(&one.node) else { continue };
            let office = match before.remove(&node.number) {
                Some(office) if office.key == one.node => office,
                Some(office) => Office { key: one.node, since: first, ..office },
                None => Office { key: one.node, since: first, missed: [false; WINDOW as usize] },
            };
            self.office.insert(node.number, office);
        }
    }
}
