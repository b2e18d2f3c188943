//! Bit flips and truncation: what is read is what was written, or an error.

use std::fs;

use super::*;

/// Everything that a store serves.
#[derive(Debug, PartialEq)]
struct Served {
    tip: Tip,
    blocks: Vec<Next1>,
}

type Next1 = (
    Option<nervure_ledger::block::Block>,
    Option<Vec<nervure_ledger::event::Event>>,
    Option<Vec<u8>>,
    Option<Hash>,
);

fn serve(place: &Place) -> Result<Served, StoreError> {
    let (store, tip) = place.open()?;
    let reader = store.read()?;
    let mut blocks = Vec::new();
    for height in (0..=tip.header.height.0).map(BlockHeight) {
        let proof = reader.prove_at(height, &Key::Chain);
        match proof {
            Ok(_) | Err(StoreError::NotKept { .. }) => {}
            Err(error) => return Err(error),
        }
        let certificate = reader.certificate(height)?;
        blocks.push((reader.block(height)?, reader.events(height)?, certificate, reader.root(height)?));
    }
    Ok(Served { tip, blocks })
}

fn sample() -> (Vec<u8>, Served) {
    let place = Place::new();
    let (store, tip) = place.open().unwrap();
    grow(&store, tip, 12);
    drop(store);
    let served = serve(&place).unwrap();
    (fs::read(place.file()).unwrap(), served)
}

#[test]
fn flipped_bits_are_never_served() {
    let (bytes, right) = sample();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut refused, mut harmless) = (0, 0);
    for _ in 0..400 {
        let at = proptest::strategy::ValueTree::current(&(0..bytes.len()).new_tree(&mut runner).unwrap());
        let bit = proptest::strategy::ValueTree::current(&(0..8u8).new_tree(&mut runner).unwrap());
        let mut changed = bytes.clone();
        changed[at] ^= 1 << bit;
        let place = Place::new();
        fs::write(place.file(), &changed).unwrap();
        match serve(&place) {
            Ok(served) => {
                assert_eq!(served, right, "bit {bit} of byte {at}");
                harmless += 1;
            }
            Err(_) => refused += 1,
        }
    }
    // Most of a file is free pages and old versions; a run that hits nothing would show nothing.
    assert!(refused > 20, "{refused} refused, {harmless} harmless");
}

#[test]
fn detects_missing_entries() {
    let (bytes, right) = sample();
    for part in 0..40 {
        let place = Place::new();
        let cut = bytes.len() * part / 40;
        fs::write(place.file(), &bytes[..cut]).unwrap();
        match serve(&place) {
            // An empty file is a chain that has not begun.
            Ok(served) => assert!(served == right || cut == 0, "cut at {cut} of {}", bytes.len()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
