//! What is drawn from tables, and what a hostile one can do.

use nervure_protocol::testing::{NOW, key};

use super::*;

fn table(forms: Vec<FormCount>, sizes: Vec<SizeCount>, pairs: Vec<PairCount>) -> TrafficStatistics {
    TrafficStatistics { gateway: key(1).node_id(), issued_at: NOW, forms, sizes, pairs }
}

fn form(max_tokens: u32, count: u32) -> FormCount {
    FormCount {
        kind: QueryKind::Chat,
        max_tokens,
        temperature_milli: 1_111,
        top_p_milli: 333,
        seed: None,
        stop: 2,
        unset: Default::default(),
        seconds: 15 + max_tokens as u16 % 2,
        count,
    }
}

fn size(bytes: u32, count: u32) -> SizeCount {
    SizeCount {
        kind: QueryKind::Chat,
        min_bytes: bytes,
        max_bytes: bytes,
        min_parts: 3,
        max_parts: 3,
        system: false,
        count,
    }
}

#[test]
fn a_table_that_counts_enough_is_drawn_from_and_a_thin_one_is_not() {
    let share = |traffic: &Traffic| {
        let mut dice = Dice::new(1.into());
        (0..1000).filter(|_| traffic.draw(QueryKind::Chat, &mut dice).sampling.max_tokens == 31_337).count()
    };
    let odd = |count| table(vec![form(31_337, count)], vec![size(100, count)], vec![]);
    let usual = default::statistics();
    assert_eq!(share(&Traffic::default()), 0);
    assert_eq!(share(&Traffic::new([&odd(127)])), 0);
    assert_eq!(share(&Traffic::new([&odd(128)])), 1000);
    let among = share(&Traffic::new([&odd(u32::MAX), &usual, &usual, &usual]));
    assert!((200..300).contains(&among), "one of four, whatever it claims: {among}");
    let mut dice = Dice::new(1.into());
    let shape = Traffic::new([&odd(u32::MAX)]).draw(QueryKind::Complete, &mut dice);
    assert_ne!(shape.sampling.max_tokens, 31_337, "it says nothing about completions");
}

#[test]
fn settings_and_lengths_come_together_as_they_were_counted() {
    let (forms, sizes) = (vec![form(10, 600), form(20, 400)], vec![size(50, 700), size(900, 300)]);
    let pairs = vec![PairCount { form: 0, size: 0, count: 600 }, PairCount { form: 1, size: 1, count: 296 }];
    let (with, without) = (
        Traffic::new([&table(forms.clone(), sizes.clone(), pairs)]),
        Traffic::new([&table(forms, sizes, vec![])]),
    );
    let (mut dice, mut short, mut long) = (Dice::new(1.into()), [0; 2], [0; 2]);
    for _ in 0..1000 {
        for (at, traffic) in [&with, &without].into_iter().enumerate() {
            let shape = traffic.draw(QueryKind::Chat, &mut dice);
            assert_eq!((shape.parts, shape.sampling.stop.as_slice()), (3, &["\n\n".to_owned()][..]));
            match (shape.sampling.max_tokens, shape.bytes) {
                (10, 900) => long[at] += 1,
                (20, 50) => short[at] += 1,
                _ => {}
            }
        }
    }
    assert_eq!(long[0], 0, "it was never counted");
    assert!(short[0] < 120, "a quarter of 400 is not counted together: {short:?}");
    assert!(long[1] > 120 && short[1] > 200, "without pairs every length comes with all: {long:?} {short:?}");
}

#[test]
fn the_deadline_is_one_that_users_with_the_same_settings_have() {
    let traffic = Traffic::new([&table(vec![form(10, 600), form(21, 600)], vec![size(50, 700)], vec![])]);
    let mut dice = Dice::new(1.into());
    for _ in 0..200 {
        let shape = traffic.draw(QueryKind::Chat, &mut dice);
        let request = ExpertRequest::chat("x", shape.sampling.clone()).with_seed(1 << 30);
        assert_eq!(traffic.deadline(&request, &mut dice), shape.deadline);
    }
    let other = ExpertRequest::chat("x", Sampling::default());
    assert!([15, 16].contains(&traffic.deadline(&other, &mut dice).as_secs()));
}

#[test]
fn every_kind_has_a_shape_within_the_bounds() {
    let hostile = {
        let form = FormCount { seconds: 1, ..form(1, u32::MAX) };
        let size = SizeCount { min_bytes: 1, max_bytes: MAX_TEXT as u32, ..size(1, u32::MAX) };
        Traffic::new([&table(vec![form], vec![size], vec![])])
    };
    let mut dice = Dice::new(1.into());
    for traffic in [Traffic::default(), hostile] {
        for kind in QueryKind::ALL.repeat(200) {
            let shape = traffic.draw(kind, &mut dice);
            shape.sampling.validate().unwrap();
            assert!(shape.bytes >= 1 && shape.bytes <= MAX_TASK_BYTES && shape.parts >= 1);
            assert!(shape.deadline >= MIN_DEADLINE);
        }
        assert_eq!(traffic.kind(&[QueryKind::Embed], &mut dice), Some(QueryKind::Embed));
        assert_eq!(traffic.kind(&[], &mut dice), None);
    }
}

#[test]
fn a_published_distribution_is_drawn_again() {
    // What a counter publishes of drawn shapes has the same most frequent settings as the shapes.
    let (traffic, mut dice) = (Traffic::default(), Dice::new(1.into()));
    let mut counter = TrafficCounter::default();
    for _ in 0..4000 {
        let shape = traffic.draw(QueryKind::Chat, &mut dice);
        counter.count_shape(QueryKind::Chat, &shape);
    }
    let published = counter.publish(key(1).node_id(), NOW, Seed::from(5));
    let (ours, theirs) = (traffic, Traffic::new([&published]));
    let usual = |traffic: &Traffic| {
        let mut dice = Dice::new(7.into());
        (0..2000).filter(|_| traffic.draw(QueryKind::Chat, &mut dice).sampling.max_tokens == 256).count()
    };
    assert!(usual(&ours).abs_diff(usual(&theirs)) < 200, "{} {}", usual(&ours), usual(&theirs));
}

#[test]
fn a_client_asks_a_few_queries_that_are_alike() {
    let (traffic, mut dice) = (Traffic::default(), Dice::new(1.into()));
    let mut series = Series::new(&traffic, QueryKind::Chat);
    let drawn: Vec<QueryShape> = (0..2000).map(|_| series.draw(&mut dice)).collect();
    let form = |shape: &QueryShape| (shape.sampling.clone(), shape.deadline, shape.parts);
    let alike = drawn.windows(2).filter(|pair| form(&pair[0]) == form(&pair[1])).count();
    assert!(alike > 1500, "{alike} of 2000");
    let fitting = series.draw_where(&mut dice, |shape| shape.sampling.max_tokens == 256);
    assert_eq!(fitting.sampling.max_tokens, 256, "half of all clients have it");
}
