//! The proven stake behind a subnet.

use super::*;

fn part(source: MemorySource) -> (u64, u64) {
    let height = source.height();
    block_on(start(source).backing(SUBNET, height)).unwrap().part()
}

#[test]
fn the_proven_backing_is_that_of_the_state() {
    let source = MemorySource::honest(weighed());
    let state = source.chain.tip.state.backing(SUBNET).unwrap();
    assert!(state.behind > 0 && state.of > 0, "{state:?}");
    assert_eq!(part(source), state.part());
}

#[test]
fn a_source_can_hide_slots_and_invent_none() {
    let hidden = MemorySource { uid: Box::new(|_, _| None), ..MemorySource::honest(weighed()) };
    assert_eq!(part(hidden).0, 0, "less than is true");
    // It names a slot with a permit for every validator: that of the first one.
    let invented = MemorySource { uid: Box::new(|_, _| Some(Uid(0))), ..MemorySource::honest(weighed()) };
    let chain = weighed();
    let (behind, of) = part(invented);
    assert!(behind < chain.tip.state.backing(SUBNET).unwrap().part().0 || of == behind, "{behind} of {of}");
}
