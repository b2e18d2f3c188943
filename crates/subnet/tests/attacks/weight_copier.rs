//! A validator that tests no miner and copies what the others said.
//!
//! Three defences. *Commit and reveal*: weights are committed in one epoch and revealed in the next, so that a copy is an
//! epoch old. Where miners change slowly that costs a copier little: 3 % if their quality moves by up to 0.05 in an
//! epoch. *Peer prediction*: a quarter of the dividends follows what weights said before it was public, which a copy
//! does not (`crates/consensus/src/yuma/peer_prediction.rs`). *Live scores follow weights*: a copier that reads what
//! others measured before it commits has weights as fresh as theirs (`crates/subnet/src/score/publication.rs`).

use nervure_consensus::yuma::{BondsRule, LiquidAlpha};

use crate::economy::{Publication, Rules, Strategy, earned};

/// How far a miner's quality moves in an epoch at most, of 1: fast, and slowly.
const FAST: f64 = 0.4;
const SLOWLY: f64 = 0.05;

/// The strategies that test no miner and use what is public.
const COPIERS: [Strategy; 4] =
    [Strategy::Copies, Strategy::Continues, Strategy::CopiesOne, Strategy::AddsNoise];

#[test]
fn a_copy_earns_less_even_where_miners_change_slowly() {
    for strategy in COPIERS {
        let copier = earned(strategy, Rules::new(SLOWLY));
        assert!(copier <= 0.85, "{strategy:?}: {copier:.3} of an honest validator");
    }
    let before = earned(Strategy::Copies, Rules::without_peer_prediction(SLOWLY));
    assert!(before > 0.95, "{before:.3} without peer prediction");
}

/// Readers of live scores, by how much of the difference to revealed weights they believe, in percent: 64 is what 20
/// more tasks move an average over 20 tasks by.
const READERS: [Strategy; 3] =
    [Strategy::ReadsScores(64), Strategy::ReadsScores(100), Strategy::ReadsScores(150)];

#[test]
fn reading_live_scores_earns_no_more_than_copying_weights() {
    for strategy in READERS {
        let reader = earned(strategy, Rules::new(SLOWLY));
        assert!(reader <= 0.85, "{strategy:?}: {reader:.3} of an honest validator");
    }
    let at_once = Rules { publication: Publication::AtOnce, ..Rules::new(SLOWLY) };
    let fresh = earned(Strategy::ReadsScores(100), at_once);
    assert!(fresh > 0.95, "{fresh:.3} when scores are published as soon as they are known");
}

#[test]
fn a_copy_is_an_epoch_old_and_earns_less() {
    let only_old = Rules::without_peer_prediction(FAST);
    let copier = earned(Strategy::Copies, only_old);
    assert!(copier <= 0.85, "{copier:.3} of an honest validator");
    let in_plain_sight = earned(Strategy::Copies, Rules { commit_reveal: false, ..only_old });
    assert!(in_plain_sight > 0.95, "{in_plain_sight:.3} without commit and reveal");
}

#[test]
fn an_honest_validator_in_the_same_place_earns_as_much() {
    for drift in [FAST, SLOWLY, 0.0] {
        let honest = earned(Strategy::Honest, Rules::new(drift));
        assert!((0.97..1.03).contains(&honest), "{honest:.3} at {drift}");
    }
}

/// Where miners do not change there is nothing to measure, and a copy is as good as the original: it does not earn
/// more either.
#[test]
fn copying_never_pays_better_than_testing() {
    for drift in [0.0, 0.01, 0.02] {
        for strategy in COPIERS {
            let copier = earned(strategy, Rules::new(drift));
            assert!(copier <= 1.03, "{strategy:?} at {drift}: {copier:.3}");
        }
    }
}

/// The first table of `docs/mechanisms.md`.
#[test]
fn the_slower_miners_change_the_more_a_copy_earns() {
    for drift in [0.4, 0.2, 0.05, 0.02, 0.0] {
        let shares = [
            earned(Strategy::Copies, Rules::without_peer_prediction(drift)),
            earned(Strategy::Copies, Rules::new(drift)),
            earned(Strategy::Continues, Rules::new(drift)),
            earned(Strategy::TestsHalf, Rules::new(drift)),
            earned(Strategy::IsTold, Rules::new(drift)),
        ];
        println!("| {drift:.2} | {} |", shares.map(|share| format!("{share:.3}")).join(" | "));
    }
}

/// The table of live scores in `docs/mechanisms.md`.
#[test]
fn what_readers_of_live_scores_earn() {
    for (name, publication) in [("at once", Publication::AtOnce), ("with weights", Publication::WithWeights)]
    {
        let rules = Rules { publication, ..Rules::new(SLOWLY) };
        let shares = READERS.map(|strategy| format!("{:.3}", earned(strategy, rules)));
        println!("| {name} | {} |", shares.join(" | "));
    }
}

/// The second table of `docs/mechanisms.md`: other ways to make copying cost.
#[test]
fn no_other_way_makes_slow_copying_cost_as_much() {
    let plain = Rules::without_peer_prediction(SLOWLY);
    let liquid = BondsRule::Yuma3Liquid(LiquidAlpha::default());
    let options = [
        ("commit and reveal alone", plain),
        ("effect delayed by 2 more epochs", Rules { delay: 2, ..plain }),
        ("by 8 more epochs", Rules { delay: 8, ..plain }),
        ("by 32 more epochs", Rules { delay: 32, ..plain }),
        ("weights by the 8th power of reward", Rules { power: 8, ..plain }),
        ("Yuma 2 bonds", Rules { bonds: BondsRule::Yuma2, ..plain }),
        ("liquid alpha", Rules { bonds: liquid, ..plain }),
    ];
    for (name, rules) in options {
        let (copier, honest) = (earned(Strategy::Copies, rules), earned(Strategy::Honest, rules));
        println!("| {name} | {copier:.3} | {honest:.3} |");
    }
    for part in [6_554, 13_107, 16_384, 32_768] {
        let rules = Rules { peer_prediction: part, ..plain };
        let shares = COPIERS.map(|strategy| format!("{strategy:?} {:.3}", earned(strategy, rules)));
        let honest = earned(Strategy::Honest, rules);
        println!("| peer prediction, {part} of 65,535 | {} | {honest:.3} |", shares.join(", "));
    }
}
