//! Shares by weight in a simulation with its own clock, and the variant without classes.

use proptest::prelude::*;

use super::*;
use crate::AskerClass;

fn rules(waiting: usize) -> impl Iterator<Item = ClassRules> {
    AskerClass::ALL.into_iter().map(move |class| ClassRules {
        weight: class.weight(),
        waiting,
        yields: class.is_free(),
    })
}

fn places(count: usize, waiting: usize) -> FairPlaces<u32> {
    FairPlaces::new(NonZeroUsize::new(count).unwrap(), rules(waiting))
}

fn applicant(class: AskerClass, flow: u32) -> Applicant<u32> {
    Applicant { class: class as usize, flow, weight: NonZeroU32::MIN }
}

const MS: Duration = Duration::from_millis(1);

/// How work arrives and how long it takes.
struct Load {
    class: AskerClass,
    flow: u32,
    weight: u32,
    takes: Duration,
}

/// The time that each load's work had places for, when each keeps a piece of work waiting, for so long.
fn shares(count: usize, loads: &[Load], long: Duration, classes: bool) -> Vec<Duration> {
    let (start, mut fair) = (Instant::now(), places(count, 1000));
    let (mut now, mut used) = (start, vec![Duration::ZERO; loads.len()]);
    let mut owner = BTreeMap::new();
    let mut ends = BTreeMap::new();
    let add = |fair: &mut FairPlaces<u32>, owner: &mut BTreeMap<Ticket, usize>, index: usize, now| {
        let load: &Load = &loads[index];
        // The variant without classes: one queue for all, first come first served.
        let applicant = if classes {
            let weight = NonZeroU32::new(load.weight).unwrap();
            Applicant { weight, ..applicant(load.class, load.flow) }
        } else {
            applicant(AskerClass::Stranger, 0)
        };
        owner.insert(fair.add(applicant, now).unwrap().ticket, index);
    };
    for index in 0..loads.len() {
        for _ in 0..count {
            add(&mut fair, &mut owner, index, now);
        }
    }
    while now < start + long {
        while let Some(ticket) = fair.next(now) {
            let index = owner[&ticket];
            ends.insert((now + loads[index].takes, ticket), now);
            add(&mut fair, &mut owner, index, now);
        }
        let ((end, ticket), began) = ends.pop_first().unwrap();
        now = end;
        used[owner[&ticket]] += end - began;
        fair.remove(ticket, now);
    }
    used
}

fn load(class: AskerClass, flow: u32, takes: u64) -> Load {
    Load { class, flow, weight: 1, takes: MS * u32::try_from(takes).unwrap() }
}

#[test]
fn free_keys_together_never_exceed_their_share() {
    // A hundred strangers with a key and long questions each, against one validator with short ones.
    let mut loads: Vec<_> = (0..100).map(|flow| load(AskerClass::Stranger, flow, 400)).collect();
    loads.push(load(AskerClass::Validator, 0, 10));
    let strangers = |classes| {
        let used = shares(2, &loads, Duration::from_secs(200), classes);
        let all: Duration = used.iter().sum();
        used[..100].iter().sum::<Duration>().as_secs_f64() / all.as_secs_f64()
    };
    let share = strangers(true);
    assert!((0.08..0.15).contains(&share), "a ninth: {share}");
    assert!(strangers(false) > 0.99, "the variant with one queue gives them everything");
}

#[test]
fn an_owner_gains_nothing_by_dividing_its_stake() {
    let mut loads: Vec<_> = (0..10).map(|flow| load(AskerClass::Staked, flow, 20)).collect();
    loads.push(Load { weight: 10, ..load(AskerClass::Staked, 99, 20) });
    let used = shares(1, &loads, Duration::from_secs(100), true);
    let ratio = used[..10].iter().sum::<Duration>().as_secs_f64() / used[10].as_secs_f64();
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
}

#[test]
fn an_unused_share_is_lent_and_given_back_at_once() {
    let (now, mut fair) = (Instant::now(), places(1, 10));
    let strangers: Vec<_> =
        (0..3).map(|flow| fair.add(applicant(AskerClass::Stranger, flow), now).unwrap().ticket).collect();
    assert_eq!(fair.next(now), Some(strangers[0]), "no other wants the place");
    let validator = fair.add(applicant(AskerClass::Validator, 9), now).unwrap().ticket;
    assert_eq!(fair.next(now), None);
    fair.remove(strangers[0], now + 100 * MS);
    assert_eq!(fair.next(now + 100 * MS), Some(validator), "before the strangers that came first");
}

#[test]
fn a_class_that_was_idle_has_saved_nothing_up() {
    let (start, mut fair) = (Instant::now(), places(1, 1000));
    let mut now = start;
    for _ in 0..1000 {
        let ticket = fair.add(applicant(AskerClass::Stranger, 1), now).unwrap().ticket;
        assert_eq!(fair.next(now), Some(ticket));
        now += 100 * MS;
        fair.remove(ticket, now);
    }
    for _ in 0..100 {
        fair.add(applicant(AskerClass::Validator, 2), now).unwrap();
        fair.add(applicant(AskerClass::Stranger, 1), now).unwrap();
    }
    let mut stranger = 0;
    for _ in 0..100 {
        let ticket = fair.next(now).unwrap();
        stranger += usize::from(fair.working[&ticket].class == 0);
        now += 100 * MS;
        fair.remove(ticket, now);
    }
    assert!((8..=15).contains(&stranger), "a ninth, although strangers had the time before: {stranger}");
}

#[test]
fn only_free_classes_yield_and_only_to_others() {
    let (now, mut fair) = (Instant::now(), places(2, 10));
    let old = fair.add(applicant(AskerClass::Stranger, 1), now).unwrap().ticket;
    assert_eq!(fair.next(now), Some(old));
    let staked = fair.add(applicant(AskerClass::Staked, 2), now).unwrap().ticket;
    assert_eq!(fair.next(now), Some(staked));
    let registered = fair.add(applicant(AskerClass::Registered, 3), now).unwrap().ticket;
    assert_eq!(fair.displace(registered), None, "a free key displaces no other");
    let validator = fair.add(applicant(AskerClass::Validator, 4), now).unwrap().ticket;
    assert_eq!(fair.displace(validator), Some(old));
    assert_eq!(fair.displace(validator), None, "it was told, and paid work is never cut");
    fair.remove(old, now);
    assert_eq!(fair.next(now), Some(validator));
    assert_eq!(fair.displace(validator), None, "it no longer waits");
}

#[test]
fn a_full_queue_takes_the_last_place_of_whom_has_most() {
    let (now, mut fair) = (Instant::now(), places(1, 4));
    let greedy: Vec<_> =
        (0..4).map(|_| fair.add(applicant(AskerClass::Staked, 1), now).unwrap().ticket).collect();
    assert_eq!(fair.add(applicant(AskerClass::Staked, 1), now), Err(QueueFull));
    let other = fair.add(applicant(AskerClass::Staked, 2), now).unwrap();
    assert_eq!(other.displaced, Some(greedy[3]));
    assert!(fair.add(applicant(AskerClass::Validator, 1), now).is_ok(), "each class has places of its own");
    assert_eq!(fair.waiting(AskerClass::Staked as usize), 4);
    assert_eq!(fair.add(applicant(AskerClass::Staked, 3), now).unwrap().displaced, Some(greedy[2]));
    assert_eq!(fair.add(applicant(AskerClass::Staked, 4), now).unwrap().displaced, Some(greedy[1]));
    assert_eq!(fair.add(applicant(AskerClass::Staked, 5), now), Err(QueueFull), "all have as many");
}

#[derive(Clone, Debug)]
enum Step {
    Add(u8, u32),
    Next,
    Remove(u8),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4u8, 0..5u32).prop_map(|(class, flow)| Step::Add(class, flow)),
        Just(Step::Next),
        any::<u8>().prop_map(Step::Remove),
        (0..500u16).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn bounds_hold_and_no_place_is_idle_while_work_waits(steps in prop::collection::vec(step(), 1..200)) {
        let (mut now, mut fair) = (Instant::now(), places(3, 4));
        let mut known = Vec::new();
        for step in steps {
            match step {
                Step::Add(class, flow) => {
                    let class = AskerClass::ALL[usize::from(class)];
                    if let Ok(added) = fair.add(applicant(class, flow), now) {
                        known.push(added.ticket);
                        known.retain(|ticket| Some(*ticket) != added.displaced);
                    }
                }
                Step::Next => {
                    let waits = (0..4).any(|class| fair.waiting(class) > 0);
                    let free = fair.working() < 3;
                    prop_assert_eq!(fair.next(now).is_some(), waits && free);
                }
                Step::Remove(index) if !known.is_empty() => {
                    fair.remove(known.swap_remove(usize::from(index) % known.len()), now);
                }
                Step::Remove(_) => {}
                Step::Wait(ms) => now += MS * u32::from(ms),
            }
            prop_assert!(fair.working() <= 3 && (0..4).all(|class| fair.waiting(class) <= 4));
            let waiting: usize = (0..4).map(|class| fair.waiting(class)).sum();
            prop_assert_eq!(waiting + fair.working(), known.len());
            let flows: usize = fair.classes.iter().map(|class| class.flows.len()).sum();
            prop_assert!(flows <= known.len(), "a flow without work is forgotten");
        }
    }
}
