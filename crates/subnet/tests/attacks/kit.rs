//! The hostile-miner kit: strategies that every mechanism is run against, and what each of them earns.
//!
//! [`run`] sets a mechanism's tasks to honest models and to one hostile miner at a time, scores the answers as a
//! validator does, and returns what is in each for the hostile one, for the honest ones and for users. An owner of a
//! mechanism includes this file in a test of its own (`examples/custom-mechanism.rs` does), adds strategies that know
//! the mechanism, and bounds the outcomes.
//!
//! # What a mechanism alone cannot stop
//! A miner that answers tasks well and users badly: with a second expert, or because it tells tasks from questions.
//! [`Outcome::users`] shows it; what is done against it is simulated in `examples/market.rs`.

#![allow(clippy::expect_used, reason = "a test may fail where it stands")]
#![allow(dead_code, reason = "who includes it for one mechanism does not use all of it")]

#[path = "kit/strategies.rs"]
pub(crate) mod strategies;

use std::sync::Arc;

use nervure_primitives::{BlockHeight, NodeId, Uid};
use nervure_protocol::{ExpertId, ExpertRequest, Score};
use nervure_subnet::{
    Registration, ScoredExpert, Seed,
    mechanism::{Material, Mechanism, Reply, RetiredCells, Task},
    score::{CopyTable, MinerResult, MovingAverageTable, ScoringRules, evaluate},
};

/// An honest model: its replies to requests.
pub(crate) type Model<'a> = &'a dyn Fn(&[ExpertRequest]) -> Vec<Reply>;

/// A hostile miner.
pub(crate) trait Hostile {
    /// What it does.
    fn name(&self) -> String;

    /// Its replies to a validator's task. `honest` are the replies of the honest models to the same requests, the best
    /// model's first: it could have asked them as a user.
    fn replies(&mut self, requests: &[ExpertRequest], honest: &[Vec<Reply>]) -> Vec<Reply>;

    /// Its replies to a user with the same requests.
    fn serves(&mut self, requests: &[ExpertRequest], honest: &[Vec<Reply>]) -> Vec<Reply> {
        self.replies(requests, honest)
    }

    /// Learns from the score of its last task, as it was published.
    fn learns(&mut self, score: Score) {
        let _ = score;
    }
}

/// Which miners of a task share a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// The crate's rule.
    Groups,
    /// No one, the defenceless variant.
    Alone,
    /// All that a chain of alike answers links, the variant that a midpoint abuses.
    Chains,
}

/// How scores are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publication {
    /// In steps of 1/32.
    Coarse,
    /// To the last bit, the defenceless variant.
    Exact,
}

/// What is attacked.
#[derive(Clone, Copy)]
pub(crate) struct Siege<'a> {
    pub(crate) mechanism: &'a dyn Mechanism,
    pub(crate) material: &'a Material,
    /// The best one first.
    pub(crate) honest: &'a [Model<'a>],
    pub(crate) tasks: u64,
    pub(crate) sharing: Sharing,
    pub(crate) publication: Publication,
    /// Whether a cell of the texts is asked once only.
    pub(crate) retires: bool,
}

impl<'a> Siege<'a> {
    /// Forty tasks with all defences; cells are asked again, so that little text suffices.
    pub(crate) fn new(mechanism: &'a dyn Mechanism, material: &'a Material, honest: &'a [Model<'a>]) -> Self {
        let (sharing, publication) = (Sharing::Groups, Publication::Coarse);
        Self { mechanism, material, honest, tasks: 40, sharing, publication, retires: false }
    }
}

/// What a strategy came to.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    /// Its share of all weight, of 1.
    pub(crate) share: f64,
    /// The best honest model's share of all weight without the hostile one: what a copier wants a part of.
    pub(crate) best: f64,
    /// The least that is left of an honest miner's reward, of what it would have without the hostile one.
    pub(crate) left: f64,
    /// What its answers to users are worth, as a part of what those of the best honest model are.
    pub(crate) users: f64,
}

/// Runs the mechanism against each strategy on its own.
pub(crate) fn run(siege: &Siege<'_>, strategies: Vec<Box<dyn Hostile>>) -> Vec<Outcome> {
    let (undisturbed, _) = play(siege, None);
    let weights = undisturbed.iter().map(|(_, weight)| weight);
    let best = undisturbed.first().map_or(0.0, |(_, weight)| weight / weights.sum::<f64>().max(1e-9));
    let outcome = |mut hostile: Box<dyn Hostile>| {
        let (rewards, users) = play(siege, Some(hostile.as_mut()));
        let left = undisturbed.iter().zip(&rewards).map(|(before, (now, _))| now / before.0.max(1e-9));
        let all: f64 = rewards.iter().map(|(_, weight)| weight).sum();
        let own = rewards.last().map_or(0.0, |(_, weight)| *weight);
        let (share, left) = (own / all.max(1e-9), left.fold(1.0, f64::min));
        Outcome { name: hostile.name(), share, best, left, users }
    };
    strategies.into_iter().map(outcome).collect()
}

/// The reward and the weight of each honest miner and of the hostile one, and the worth of what that one serves users.
fn play(siege: &Siege<'_>, mut hostile: Option<&mut (dyn Hostile + '_)>) -> (Vec<(f64, f64)>, f64) {
    let count = siege.honest.len() + usize::from(hostile.is_some());
    let neurons: Vec<Registration> = (0..count).map(neuron).collect();
    let mut board = MovingAverageTable::new(ScoringRules::default()).expect("default rules");
    board.set_registered(neurons.iter().copied());
    let mut copies = CopyTable::default();
    let (mut served, mut best, mut material) = (0.0, 0.0, siege.material.clone());
    for number in 0..siege.tasks {
        let seed = Seed::from(11).derive("task", number);
        let task = siege.mechanism.draw(seed, &material).expect("enough texts");
        if siege.retires {
            let mut retired = RetiredCells::clone(&material.retired);
            retired.retire(task.cells().iter().copied());
            material.retired = Arc::new(retired);
        }
        let mut answers: Vec<Vec<Reply>> = siege.honest.iter().map(|model| model(task.requests())).collect();
        if let Some(hostile) = hostile.as_deref_mut() {
            let reply = hostile.replies(task.requests(), &answers);
            let for_users = hostile.serves(task.requests(), &answers);
            served += part(task.score(&for_users));
            best += answers.first().map_or(0.0, |replies| part(task.score(replies)));
            answers.push(reply);
        }
        let answers: Vec<_> = neurons.iter().map(expert_of).zip(answers).collect();
        let mut results = score(siege.sharing, task.as_ref(), &answers);
        if siege.sharing == Sharing::Groups {
            copies.settle(&mut results);
        }
        for one in &results {
            assert!(board.record(&one.expert, one.result));
        }
        if let (Some(hostile), Some(own)) = (hostile.as_deref_mut(), results.last()) {
            hostile.learns(published(siege.publication, own.result.quality));
        }
    }
    let weights = board.weights((0u16..).map(Uid).zip(neurons.iter().copied()));
    let weight =
        |at: usize| weights.iter().find(|(uid, _)| usize::from(uid.0) == at).map_or(0, |(_, weight)| *weight);
    let reward = |neuron: &Registration| part(board.averages_of(neuron).unwrap_or_default().reward);
    let rewards =
        neurons.iter().enumerate().map(|(at, neuron)| (reward(neuron), f64::from(weight(at)))).collect();
    (rewards, served / f64::max(best, 1e-9))
}

/// The results of a task, shared by the rule.
fn score(sharing: Sharing, task: &dyn Task, answers: &[(ScoredExpert, Vec<Reply>)]) -> Vec<MinerResult> {
    let mut results = evaluate(task, answers);
    let prints: Vec<_> = answers.iter().map(|(_, replies)| task.fingerprint(replies)).collect();
    match sharing {
        Sharing::Groups => {}
        Sharing::Alone => results.iter_mut().for_each(|one| one.result.sharers = 1),
        Sharing::Chains => {
            let worthy: Vec<bool> = results.iter().map(|one| one.result.quality > Score::ZERO).collect();
            for (at, one) in results.iter_mut().enumerate().filter(|(at, _)| worthy[*at]) {
                let mut chain = vec![at];
                while let Some(next) = (0..prints.len()).find(|next| {
                    let alike = |linked: &usize| task.alike(&prints[*linked], &prints[*next]);
                    worthy[*next] && !chain.contains(next) && chain.iter().any(alike)
                }) {
                    chain.push(next);
                }
                one.result.sharers = chain.len();
            }
        }
    }
    results
}

fn published(publication: Publication, score: Score) -> Score {
    match publication {
        Publication::Exact => score,
        Publication::Coarse => Score::ratio((part(score) * 32.0).round() as u64, 32),
    }
}

fn neuron(number: usize) -> Registration {
    Registration { node: NodeId::from_bytes([number as u8 + 1; 32]), block: BlockHeight(1) }
}

/// The only expert of a neuron.
fn expert_of(neuron: &Registration) -> ScoredExpert {
    ScoredExpert { neuron: *neuron, expert: ExpertId::from_bytes(*neuron.node.as_bytes()) }
}

fn part(score: Score) -> f64 {
    f64::from(score.parts()) / f64::from(u32::MAX)
}
