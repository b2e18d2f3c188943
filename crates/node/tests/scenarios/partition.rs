//! The network is partitioned and heals: a side without two thirds stops and says why, nothing forks, and blocks
//! continue.

use std::time::Instant;

use crate::{cage::Cage, crew::Crew};

const ALL: [usize; 4] = [0, 1, 2, 3];

#[test]
fn a_minority_stops_and_says_why_and_everything_heals() {
    let Some(cage) = Cage::new(ALL.len()) else { return };
    let mut crew = Crew::running(ALL.len(), 300, Some(cage));

    one_alone(&mut crew);
    two_and_two(&crew);

    let compared = crew.agree(&ALL);
    assert!(compared > 10, "{compared} blocks");
    assert!(ALL.iter().all(|number| !crew.log(*number).contains("a validator equivocated")));
}

/// Three make blocks without the fourth, which catches up afterwards.
fn one_alone(crew: &mut Crew) {
    crew.cage().cut_off(&[3]);
    let said = crew.says(3, "no block is made: validators with 25 % of the voting power send messages");
    assert!(said.contains("it takes more than two thirds; check whether the others run"), "{said}");
    let alone = crew.height(3);
    crew.gets_to(&[0, 1, 2], alone + 5);
    assert!(crew.height(3) <= alone + 1, "a quarter of the power made blocks");

    let reached = crew.height(0);
    crew.cage().cut_off(&[]);
    let healed = Instant::now();
    crew.gets_to(&[3], reached + 1);
    eprintln!("the one that was alone has what it missed after {:?}", healed.elapsed());
}

/// Neither half has enough: both stop.
fn two_and_two(crew: &Crew) {
    crew.cage().cut_off(&[2, 3]);
    for number in ALL {
        crew.says(number, "validators with 50 % of the voting power send messages");
    }
    let stopped = ALL.map(|number| crew.height(number));
    // One side may have decided one more block in the moment of the cut.
    assert!(stopped.iter().max().unwrap() - stopped.iter().min().unwrap() <= 1, "{stopped:?}");
    crew.says(0, "no block is made");
    assert_eq!(ALL.map(|number| crew.height(number)), stopped, "half of the power made a block");

    crew.cage().cut_off(&[]);
    let healed = Instant::now();
    crew.gets_to(&ALL, stopped.iter().max().unwrap() + 2);
    eprintln!("two blocks more after {:?}", healed.elapsed());
    let said = crew.ask(0, &["status"]).well();
    assert!(!said.out.contains("no block is made"), "{said:?}");
}
