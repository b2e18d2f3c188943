//! The network is partitioned and heals: a side without two thirds stops and says why, nothing forks, and blocks
//! continue.

use std::time::Instant;

use crate::{namespace_network::NamespaceNetwork, validator_group::ValidatorGroup};

const ALL: [usize; 4] = [0, 1, 2, 3];

#[test]
fn a_minority_stops_and_says_why_and_everything_heals() {
    let Some(network) = NamespaceNetwork::new(ALL.len()) else { return };
    let mut group = ValidatorGroup::running(ALL.len(), 300, Some(network));

    one_alone(&mut group);
    two_and_two(&group);

    let compared = group.agree(&ALL);
    assert!(compared > 10, "{compared} blocks");
    assert!(ALL.iter().all(|number| !group.log(*number).contains("a validator equivocated")));
}

/// Three make blocks without the fourth, which catches up afterwards.
fn one_alone(group: &mut ValidatorGroup) {
    group.network().cut_off(&[3]);
    let output = group.says(3, "no block is made: validators with 25 % of the voting power send messages");
    assert!(output.contains("it takes more than two thirds; check whether the others run"), "{output}");
    let alone = group.height(3);
    group.gets_to(&[0, 1, 2], alone + 5);
    assert!(group.height(3) <= alone + 1, "a quarter of the power made blocks");

    let reached = group.height(0);
    group.network().cut_off(&[]);
    let healed = Instant::now();
    group.gets_to(&[3], reached + 1);
    eprintln!("the one that was alone has what it missed after {:?}", healed.elapsed());
}

/// Neither half has enough: both stop.
fn two_and_two(group: &ValidatorGroup) {
    group.network().cut_off(&[2, 3]);
    for number in ALL {
        group.says(number, "validators with 50 % of the voting power send messages");
    }
    let stopped = ALL.map(|number| group.height(number));
    // One side may have decided one more block in the moment of the cut.
    assert!(stopped.iter().max().unwrap() - stopped.iter().min().unwrap() <= 1, "{stopped:?}");
    group.says(0, "no block is made");
    assert_eq!(ALL.map(|number| group.height(number)), stopped, "half of the power made a block");

    group.network().cut_off(&[]);
    let healed = Instant::now();
    group.gets_to(&ALL, stopped.iter().max().unwrap() + 2);
    eprintln!("two blocks more after {:?}", healed.elapsed());
    let output = group.ask(0, &["status"]).succeeded();
    assert!(!output.out.contains("no block is made"), "{output:?}");
}
