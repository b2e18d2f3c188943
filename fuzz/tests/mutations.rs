//! A short run of every target: its seeds, and mutations of them by a seeded generator.

#![allow(clippy::unwrap_used)]

use nervure_fuzz::{TARGETS, Target, seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Mutations of each seed.
const MUTATIONS: usize = 3000;

/// Changes a few bytes: flips, inserts, removes, repeats, or writes a value that decoders stumble over.
fn mutate(input: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    const AWKWARD: [u8; 10] = [0x00, 0xFF, 0x7F, 0x80, 0x1B, 0x5F, 0x9F, 0xBF, 0xC0, b'('];
    let mut bytes = input.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = AWKWARD[rng.random_range(0..AWKWARD.len())],
            2 => bytes.insert(at, rng.random()),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 => bytes.truncate(at),
            _ => {
                let end = (at + rng.random_range(1..16)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

fn run(name: &str, target: Target) {
    let seeds = seed::of(name);
    assert!(!seeds.is_empty() && seeds.iter().all(|seed| !seed.is_empty()), "{name} has no seeds");
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for seed in &seeds {
        target(seed);
        for _ in 0..MUTATIONS {
            target(&mutate(seed, &mut rng));
        }
    }
}

#[test]
fn every_target_survives_its_seeds_and_their_mutations() {
    for (name, target) in TARGETS {
        run(name, target);
    }
}

/// The targets check something: a decoder that accepts two encodings would be caught.
#[test]
#[should_panic(expected = "two encodings of one value")]
fn a_decoder_that_is_not_canonical_is_caught() {
    let lenient: Target = |data| {
        // What a lenient decoder does: 1 in one byte or in two is the same to it.
        let value = match data {
            [1] | [0x18, 1] => 1u8,
            _ => return,
        };
        assert_eq!(nervure_primitives::cbor::encode(&value).unwrap(), data, "two encodings of one value");
    };
    lenient(&[1]);
    lenient(&[0x18, 1]);
}

/// Every target has its libFuzzer program, and every program its target.
#[test]
fn each_target_has_a_program() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let mut programs: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let mut names: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    programs.sort();
    names.sort();
    assert_eq!(programs, names);
}
