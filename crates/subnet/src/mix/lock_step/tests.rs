//! Stragglers, failed experts and liars in lock-step, and text that changes its domain.

use proptest::prelude::*;

use super::*;
use crate::{Dice, mix::distribution::tests::peaked};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn three() -> LockStep {
    LockStep::new(LockStepRules::default(), FixedShare::new(&[1.0; 3]).unwrap(), ms(0))
}

fn claim(byte: u8, share: f32) -> Vec<f32> {
    peaked(byte, share).probabilities().iter().map(|p| *p as f32).collect()
}

fn experts(progress: Progress) -> usize {
    match progress {
        Progress::Mixed(mixed) => mixed.experts,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_step_ends_when_all_have_spoken() {
    let mut mix = three();
    assert_eq!(mix.receive(0, 0, &claim(1, 0.9), ms(1)), Progress::Waiting { until: ms(2000) });
    assert_eq!(mix.receive(1, 0, &claim(1, 0.9), ms(2)), Progress::Waiting { until: ms(22) });
    assert_eq!(experts(mix.receive(2, 0, &claim(2, 0.9), ms(3))), 3);
}

#[test]
fn a_straggler_is_waited_for_and_comes_back() {
    let mut mix = three();
    mix.receive(0, 0, &claim(1, 0.9), ms(1));
    mix.receive(1, 0, &claim(1, 0.9), ms(2));
    assert!(matches!(mix.tick(ms(21)), Progress::Waiting { .. }));
    assert_eq!(experts(mix.tick(ms(22))), 2);
    mix.choose(1, ms(23));
    let third = mix.weights()[2];
    assert!(third > 0.3, "a late expert misses the step and loses no weight: {third}");
    assert!(matches!(mix.receive(2, 0, &claim(1, 0.9), ms(24)), Progress::Waiting { .. }), "too late");
    mix.receive(2, 1, &claim(1, 0.9), ms(25));
    mix.receive(1, 1, &claim(1, 0.9), ms(25));
    assert_eq!(experts(mix.receive(0, 1, &claim(1, 0.9), ms(26))), 3);
}

#[test]
fn steps_stop_waiting_for_an_expert_that_is_always_late() {
    let mut mix = three();
    for step in 0..20 {
        mix.receive(0, step, &claim(1, 0.9), ms(step * 100));
        let waits = matches!(mix.receive(1, step, &claim(1, 0.9), ms(step * 100)), Progress::Waiting { .. });
        assert_eq!(waits, step < u64::from(MAX_MISSED_STEPS), "step {step}");
        assert_eq!(experts(mix.tick(ms(step * 100 + 20))), 2);
        mix.choose(1, ms(step * 100 + 20));
    }
    assert_eq!(mix.missed(2), 20);
    mix.receive(2, 20, &claim(1, 0.9), ms(2000));
    mix.choose(1, ms(2000));
    assert_eq!(mix.missed(2), 0, "in time once, it is waited for again");
}

#[test]
fn one_expert_is_enough_at_the_deadline_and_none_never_is() {
    let mut mix = three();
    assert_eq!(mix.tick(ms(2000)), Progress::Failed);
    let mut mix = three();
    mix.receive(0, 0, &claim(1, 0.9), ms(1));
    assert_eq!(experts(mix.tick(ms(2000))), 1);
    let mut mix = three();
    (0..2).for_each(|expert| assert!(matches!(mix.lost(expert, ms(1)), Progress::Waiting { .. })));
    assert_eq!(mix.lost(2, ms(2)), Progress::Failed);
}

#[test]
fn the_dead_are_not_waited_for() {
    let mut mix = three();
    mix.receive(0, 0, &claim(1, 0.9), ms(1));
    mix.lost(1, ms(2));
    assert_eq!(experts(mix.lost(2, ms(3))), 1);
}

#[test]
fn drops_an_expert_that_sends_an_invalid_distribution() {
    for (step, claimed) in
        [(0, vec![0.0; 256]), (0, vec![1.0]), (1, claim(1, 0.9)), (u64::MAX, claim(1, 0.9))]
    {
        let mut mix = three();
        mix.receive(0, step, &claimed, ms(1));
        mix.receive(0, 0, &claim(1, 0.9), ms(1));
        mix.receive(1, 0, &claim(1, 0.9), ms(1));
        assert_eq!(experts(mix.receive(2, 0, &claim(1, 0.9), ms(1))), 2);
    }
}

#[test]
fn the_first_distribution_of_a_step_counts() {
    let mut mix = three();
    mix.receive(0, 0, &claim(1, 0.9), ms(1));
    mix.receive(0, 0, &claim(2, 0.9), ms(1));
    mix.lost(1, ms(1));
    let Progress::Mixed(mixed) = mix.lost(2, ms(1)) else { panic!("not mixed") };
    assert!(mixed.distribution.of(1) > 0.8);
    mix.receive(99, 0, &claim(1, 0.9), ms(1));
    mix.lost(99, ms(1));
}

/// Bits per byte of text that changes its domain, of a mixture that learns, a fixed one, and each expert alone.
#[test]
fn on_changing_text_the_mixture_beats_every_expert_and_the_plain_mean() {
    let mut dice = Dice::new(5.into());
    let mut mix = LockStep::new(LockStepRules::default(), FixedShare::new(&[1.0; 3]).unwrap(), ms(0));
    let (mut learnt, mut plain, mut alone) = (0.0, 0.0, [0.0; 3]);
    for at in 0..3000usize {
        let (domain, byte) = (at / 200 % 3, (dice.bits() % 256) as u8);
        let claims: Vec<Vec<f32>> = (0..3)
            .map(|expert| {
                let sure = if expert == domain { 0.5 } else { 0.02 };
                claim(byte, sure * (0.5 + dice.below(1000) as f32 / 1000.0))
            })
            .collect();
        let mut last = Progress::Failed;
        for (expert, claimed) in claims.iter().enumerate() {
            last = mix.receive(expert, at as u64, claimed, ms(at as u64));
            alone[expert] -= f64::from(claimed[usize::from(byte)]).log2();
        }
        let Progress::Mixed(mixed) = last else { panic!("{last:?}") };
        learnt -= mixed.distribution.of(byte).log2();
        plain -= (claims.iter().map(|c| f64::from(c[usize::from(byte)])).sum::<f64>() / 3.0).log2();
        mix.choose(byte, ms(at as u64));
    }
    let best = alone.into_iter().fold(f64::MAX, f64::min);
    assert!(learnt < 0.8 * plain && learnt < 0.5 * best, "{learnt} {plain} {best}");
}

proptest! {
    #[test]
    fn whatever_happens_a_step_ends_by_its_deadline(
        events in proptest::collection::vec((0usize..4, 0u64..3, any::<bool>(), 0u64..900), 0..40)
    ) {
        let mut mix = three();
        let mut now = 0;
        for (expert, step, good, later) in events {
            now += later;
            let claimed = if good { claim(1, 0.9) } else { vec![0.5; 256] };
            if let Progress::Mixed(mixed) = mix.receive(expert, step, &claimed, ms(now)) {
                prop_assert_eq!(mixed.step, mix.step());
                prop_assert!((mixed.distribution.probabilities().iter().sum::<f64>() - 1.0).abs() < 1e-9);
                mix.choose(1, ms(now));
            }
        }
        let waits = matches!(mix.tick(ms(now + 2000)), Progress::Waiting { .. });
        prop_assert!(!waits);
    }
}
