//! The order in which experts are asked: by cost, with exceptions for known bad experts, newcomers and two random
//! choices.

use std::collections::BTreeMap;

use nervure_primitives::NodeId;
use nervure_protocol::{ExpertRecord, Score};

use super::{Choice, Note, PolicyRules, cost::RankedCandidate};
use crate::{Dice, Seed};

/// Milliseconds by which an expert may be worse and still be about as good, on top of the policy's percents.
const COST_TOLERANCE_MS: u64 = 5;

/// Orders the experts. The router asks the first one, and the next when that one fails.
pub(super) fn order(mut ranked: Vec<RankedCandidate>, seed: u64, rules: &PolicyRules) -> Vec<Choice> {
    mark_bad(&mut ranked, rules);
    ranked.sort_by_cached_key(|one| {
        let choice = &one.choice;
        // False sorts first. The tie depends on the seed, so that load spreads over equal experts.
        (choice.note != Note::None, choice.cost, tie(&choice.record, seed))
    });
    let mut dice = Dice::new(Seed::from(seed));
    if let Some(at) = newcomer(&ranked, &mut dice, rules) {
        to_front(&mut ranked, at, Note::Explored);
    } else if let Some(at) = less_busy_of_two(&ranked, &mut dice, rules) {
        to_front(&mut ranked, at, Note::OfTwo);
    }
    ranked.into_iter().map(|one| one.choice).collect()
}

/// Marks experts of subnets that count for little outside, where there are no others, and tested experts whose quality is far below that of the best
/// tested one.
fn mark_bad(ranked: &mut [RankedCandidate], rules: &PolicyRules) {
    let best = ranked.iter().filter(|one| !one.newcomer).map(|one| one.quality).max();
    // Relative to the best: in a subnet where all are weak, the best of them are still asked.
    let least = best.unwrap_or(Score::ZERO).times(Score::ratio(rules.bad_below.into(), 100));
    let behind = rules.least_backing();
    for one in ranked {
        // A newcomer has not been found to be bad; the stake behind its subnet does not depend on the newcomer.
        if one.backing < behind {
            one.choice.note = Note::Unbacked;
        } else if !one.newcomer && one.quality < least {
            one.choice.note = Note::KnownBad;
        }
    }
}

/// A random newcomer, for a share of [`PolicyRules::explore`] of the queries.
fn newcomer(ranked: &[RankedCandidate], dice: &mut Dice, rules: &PolicyRules) -> Option<usize> {
    // All newcomers share this part of the queries: an operator gains no traffic with more keys.
    if dice.below(1000) >= rules.explore.into() {
        return None;
    }
    // By node, and then one of its experts: a node gains none with more names either. A subnet that counts for less
    // outside has less of the chances: its slots cost its owner next to nothing.
    let mut nodes = BTreeMap::<NodeId, (u64, Vec<usize>)>::new();
    for (at, one) in
        ranked.iter().enumerate().filter(|(_, one)| one.newcomer && one.choice.note == Note::None)
    {
        let (weight, experts) = nodes.entry(one.choice.record.node).or_default();
        *weight = (*weight).max(one.backing.parts().into());
        experts.push(at);
    }
    let mut left = dice.below(nodes.values().map(|(weight, _)| weight).sum());
    let drawn = nodes.into_values().find(|(weight, _)| {
        let hit = left < *weight;
        left = left.saturating_sub(*weight);
        hit
    });
    drawn.and_then(|(_, experts)| dice.pick(&experts).copied())
}

/// The less busy one of two among those that cost about as much as the best.
fn less_busy_of_two(ranked: &[RankedCandidate], dice: &mut Dice, rules: &PolicyRules) -> Option<usize> {
    let best = ranked.first().filter(|_| rules.about_as_good > 0)?.choice.cost;
    let more = best.saturating_mul(rules.about_as_good.into()) / 100;
    let most = best.saturating_add(more).saturating_add(COST_TOLERANCE_MS);
    let good = |one: &&RankedCandidate| one.choice.note == Note::None && one.choice.cost <= most;
    let about_as_good = ranked.iter().take_while(good).count();
    // Two choices instead of the least busy: gateways with the same view would all choose that one (M.
    // Mitzenmacher, "The Power of Two Choices", 2001).
    let drawn = dice.distinct(2, about_as_good as u64);
    let busy = |at: &usize| ranked.get(*at).map(|one| (one.busy, one.choice.cost));
    if drawn.len() < 2 {
        return None;
    }
    drawn.into_iter().map(|at| at as usize).min_by_key(busy)
}

fn to_front(ranked: &mut [RankedCandidate], at: usize, note: Note) {
    if let Some(front) = ranked.get_mut(..=at) {
        front.rotate_right(1);
    }
    if let Some(first) = ranked.first_mut() {
        first.choice.note = note;
    }
}

/// A number that the seed and the expert decide, without a pattern: the finaliser of SplitMix64 over each eight bytes
/// of its name. Not a hash that resists an attacker, who does not know the seed.
fn tie(record: &ExpertRecord, seed: u64) -> u64 {
    let name = record.node.as_bytes().chunks(8).chain(record.expert.as_bytes().chunks(8));
    name.fold(seed, |mixed, part| {
        let number = part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let mixed = (mixed ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}
