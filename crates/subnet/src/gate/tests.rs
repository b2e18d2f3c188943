//! Which expert the gate chooses, and why.

use proptest::prelude::*;

use super::*;
use crate::score::MedianScore;
use nervure_protocol::Score;
use nervure_protocol::testing::{NOW, record};

fn terms() -> QueryTerms {
    let budget = Amount::from_base_units(u64::MAX);
    QueryTerms { capability: None, model: None, filter: None, budget, seed: 1 }
}

fn candidate(seed: u8) -> Candidate {
    Candidate { record: record(seed, "a", "text.generate.rust"), seen: Observation::default() }
}

fn reason(candidate: Candidate, terms: &QueryTerms) -> Option<Exclusion> {
    rank(vec![candidate], terms, NOW).filtered.first().map(|filtered| filtered.reason)
}

#[test]
fn every_exclusion_names_its_reason() {
    let other = QueryTerms { capability: Some("image".parse().unwrap()), ..terms() };
    assert_eq!(reason(candidate(1), &other), Some(Exclusion::OtherCapability));
    assert_eq!(
        reason(candidate(1), &QueryTerms { model: Some("x".into()), ..terms() }),
        Some(Exclusion::OtherModel)
    );
    let filter = Some("context > 100000".parse().unwrap());
    assert_eq!(reason(candidate(1), &QueryTerms { filter, ..terms() }), Some(Exclusion::FilteredOut));
    let mut dear = candidate(1);
    dear.record.price = 1;
    assert_eq!(reason(dear, &QueryTerms { budget: Amount::ZERO, ..terms() }), Some(Exclusion::OverBudget));
    let seen = Observation { paused_until: UnixMillis(NOW.0 + 1), ..Observation::default() };
    assert_eq!(reason(Candidate { seen, ..candidate(1) }, &terms()), Some(Exclusion::Paused));
    let seen = Observation { in_flight: MAX_IN_FLIGHT, ..Observation::default() };
    assert_eq!(reason(Candidate { seen, ..candidate(1) }, &terms()), Some(Exclusion::Saturated));
    assert_eq!(reason(candidate(1), &terms()), None);
}

#[test]
fn equals_share_the_load() {
    let first = |seed| {
        let candidates = (1..=4).map(candidate).collect();
        rank(candidates, &QueryTerms { seed, ..terms() }, NOW).choices[0].record.node
    };
    let chosen: std::collections::BTreeSet<_> = (0..64).map(first).collect();
    assert_eq!(chosen.len(), 4);
    assert_eq!(first(7), first(7), "the same seed chooses the same");
}

#[test]
fn a_newcomer_is_tried_before_the_slow() {
    let mut slow = candidate(1);
    slow.seen.latency_ms = Some(200);
    let route = rank(vec![slow, candidate(2)], &terms(), NOW);
    assert_eq!(route.choices[0].record, candidate(2).record);
}

fn tested(seed: u8, percent: u64) -> (Candidate, Trust) {
    let live_score = Some(MedianScore { score: Score::ratio(percent, 100), tasks: 50 });
    (candidate(seed), Trust::new(None, live_score))
}

/// How often each candidate is asked first, by its node, over many questions.
fn shares(candidates: &[(Candidate, Trust)], policy: Policy) -> Vec<usize> {
    let first = |seed| {
        route(candidates.to_vec(), &QueryTerms { seed, ..terms() }, &policy.rules(), NOW).choices[0].clone()
    };
    let firsts: Vec<_> = (0..2000).map(|seed| first(seed).record.node).collect();
    let count = |(candidate, _): &(Candidate, Trust)| {
        firsts.iter().filter(|node| **node == candidate.record.node).count()
    };
    candidates.iter().map(count).collect()
}

#[test]
fn each_policy_prefers_what_it_is_named_for() {
    let mut fast = tested(1, 60);
    (fast.0.seen.latency_ms, fast.0.record.price) = (Some(30), 900 * cost::PRICE_STEP);
    let mut cheap = tested(2, 60);
    (cheap.0.seen.latency_ms, cheap.0.record.price) = (Some(900), 0);
    let mut good = tested(3, 99);
    (good.0.seen.latency_ms, good.0.record.price) = (Some(900), 900 * cost::PRICE_STEP);
    let all = [fast, cheap, good];
    assert_eq!(shares(&all, Policy::Fastest), [2000, 0, 0]);
    assert_eq!(shares(&all, Policy::Cheapest), [0, 2000, 0]);
    assert_eq!(shares(&all, Policy::Trusted), [0, 0, 2000]);
}

#[test]
fn the_known_bad_come_last_under_every_policy() {
    let mut liar = tested(1, 2);
    (liar.0.seen.latency_ms, liar.0.record.price) = (Some(1), 0);
    let mut honest = tested(2, 80);
    (honest.0.seen.latency_ms, honest.0.record.price) = (Some(3000), 9000 * cost::PRICE_STEP);
    for policy in [Policy::Balanced, Policy::Fastest, Policy::Cheapest, Policy::Trusted] {
        assert_eq!(shares(&[liar.clone(), honest.clone()], policy), [0, 2000], "{policy:?}");
    }
    let alone = route(vec![liar], &terms(), &Policy::Balanced.rules(), NOW);
    assert_eq!(alone.choices.len(), 1, "it is asked when there is no other");
}

#[test]
fn newcomers_share_their_part_however_many_they_are() {
    for newcomers in [1, 5, 30] {
        let mut all = vec![tested(1, 95), tested(2, 95)];
        all.extend((0..newcomers).map(|n| (candidate(100 + n), Trust::default())));
        let shares = shares(&all, Policy::Balanced);
        let theirs: usize = shares[2..].iter().sum();
        assert!((20..70).contains(&theirs), "2 % of 2,000: {theirs}");
    }
}

#[test]
fn a_node_explores_once_however_many_experts_it_names() {
    let mut all = vec![tested(1, 95), (candidate(2), Trust::default())];
    all.extend((0..30).map(|number| {
        let mut many = candidate(3);
        many.record.expert = format!("e{number}");
        (many, Trust::default())
    }));
    let shares = shares(&all[..3], Policy::Balanced);
    let (one, many) = (shares[1], shares[2]);
    assert!(one >= 10 && many <= 2 * one, "{one} to the node with one expert, {many} to that with 30");
}

#[test]
fn an_untested_expert_comes_after_a_tested_one_that_is_slower_and_dearer() {
    let mut good = tested(1, 80);
    (good.0.seen.latency_ms, good.0.record.price) = (Some(500), 300 * cost::PRICE_STEP);
    let mut untested = (candidate(2), Trust::default());
    untested.0.seen.latency_ms = Some(1);
    let shares = shares(&[good, untested], Policy::Balanced);
    assert!(shares[1] <= 70, "the share of exploration only: {shares:?}");
}

#[test]
fn a_subnet_of_ones_own_gets_nothing_however_good_it_finds_itself() {
    let honest = tested(1, 60);
    let praised = Trust { backing: Score::ZERO, ..tested(2, 100).1 };
    let own = [(candidate(2), praised), (candidate(3), Trust { backing: Score::ZERO, ..Trust::default() })];
    let all = [std::slice::from_ref(&honest), &own[..]].concat();
    for policy in [Policy::Balanced, Policy::Fastest, Policy::Cheapest, Policy::Trusted] {
        assert_eq!(shares(&all, policy), [2000, 0, 0], "{policy:?}: neither the praised nor the new one");
    }
    let undefended = [honest, (candidate(2), Trust { backing: Score::ONE, ..praised })];
    assert_eq!(shares(&undefended, Policy::Balanced), [0, 2000], "without the factor it takes all");
    let rules = Policy::Balanced.rules();
    let routed = route(all.clone(), &terms(), &rules, NOW);
    let unbacked = |route: &Route| {
        route.filtered.iter().filter(|filtered| filtered.reason == Exclusion::Unbacked).count()
    };
    assert_eq!(
        (routed.choices.len(), unbacked(&routed)),
        (1, 2),
        "they do not come after the honest one either"
    );
    // An attacker that keeps the honest one busy gets no query for it.
    let mut busy = all.clone();
    busy[0].0.seen.in_flight = MAX_IN_FLIGHT;
    let routed = route(busy, &terms(), &rules, NOW);
    assert_eq!((routed.choices.len(), unbacked(&routed)), (0, 2));
    // Where there is no other, it is asked.
    let alone = route(all[1..].to_vec(), &terms(), &rules, NOW);
    assert!(alone.choices.len() == 2 && alone.choices.iter().all(|choice| choice.note == Note::Unbacked));
}

#[test]
fn of_two_about_as_good_the_less_busy_is_asked() {
    let mut busy = tested(1, 95);
    busy.0.record.load = 5;
    let all = [busy, tested(2, 95), tested(3, 95), tested(4, 60)];
    let shares = shares(&all, Policy::Balanced);
    assert_eq!((shares[0], shares[3]), (0, 0), "never the busiest of all, never the worse");
    assert!(shares[1] > 800 && shares[2] > 800, "{shares:?}");
    let notes = route(all.to_vec(), &terms(), &Policy::Balanced.rules(), NOW).choices;
    assert_eq!(notes[0].note, Note::OfTwo);
    assert_eq!(notes.len(), 4);
}

proptest! {
    #[test]
    fn better_scores_never_rank_lower(percents in proptest::collection::vec(0u64..=100, 2..6), more in 0u64..=100, policy in 0usize..4) {
        let policies = [Policy::Balanced, Policy::Fastest, Policy::Cheapest, Policy::Trusted];
        let rules = PolicyRules { explore: 0, about_as_good: 0, ..policies[policy].rules() };
        let place = |percent: u64| {
            let others = (2u8..).zip(&percents).map(|(seed, percent)| tested(seed, *percent));
            let all = [tested(1, percent)].into_iter().chain(others).collect();
            let choices = route(all, &terms(), &rules, NOW).choices;
            choices.iter().position(|choice| choice.record.node == candidate(1).record.node).unwrap()
        };
        let less = more / 2;
        prop_assert!(place(more) <= place(less));
    }

    #[test]
    fn a_candidate_that_is_worse_in_one_respect_never_ranks_higher(
        latency in 0u32..5000, load in 0u8..100, in_flight in 0u32..63, price in 0u64..1 << 40, which in 0..4
    ) {
        let mut better = candidate(1);
        better.record.load = load;
        better.record.price = price;
        better.seen = Observation { latency_ms: Some(latency), in_flight, ..Observation::default() };
        let mut worse = better.clone();
        worse.record.node = candidate(2).record.node;
        match which {
            0 => worse.seen.latency_ms = Some(latency + 1),
            1 => worse.record.load += 1,
            2 => worse.seen.failures += 1,
            _ => worse.record.price += cost::PRICE_STEP,
        }
        let route = rank(vec![worse.clone(), better.clone()], &terms(), NOW);
        prop_assert_eq!(&route.choices[0].record, &better.record);
    }
}
