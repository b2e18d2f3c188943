//! The few values to which a gateway rounds: those that clients commonly use.

use nervure_protocol::{COMMON_STOPS, bounds::MAX_TEXT};

/// Most tokens to write.
const MAX_TOKENS: [u32; 30] = [
    1, 4, 8, 16, 32, 50, 64, 100, 128, 150, 200, 256, 300, 400, 500, 512, 600, 800, 1_000, 1_024, 1_500,
    2_000, 2_048, 3_000, 4_000, 4_096, 8_000, 8_192, 16_384, 32_768,
];

/// Temperatures, in thousandths.
const TEMPERATURES: [u32; 14] = [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000, 1_200, 1_500, 2_000];

/// Top-p, in thousandths.
const TOP_P: [u32; 6] = [100, 500, 800, 900, 950, 1_000];

/// Deadlines, in seconds.
const DEADLINES: [u32; 14] = [1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600];

/// The smallest number of each range of messages or inputs, and what is above the last range.
const PARTS: [u16; 20] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 17, 21, 25, 33, 41, 49, 65, 97, 129];

/// Seeds below it are written by people; longer ones are as random as those that the router draws.
const PEOPLES_SEEDS: u64 = 10_000;

/// The nearest of `values`, which are in ascending order; of two as near ones the smaller.
fn nearest(values: &[u32], value: u32) -> u32 {
    values.iter().copied().min_by_key(|common| common.abs_diff(value)).unwrap_or(value)
}

pub(super) fn max_tokens(tokens: u32) -> u32 {
    nearest(&MAX_TOKENS, tokens)
}

pub(super) fn temperature(milli: u32) -> u32 {
    nearest(&TEMPERATURES, milli)
}

pub(super) fn top_p(milli: u32) -> u32 {
    nearest(&TOP_P, milli)
}

pub(super) fn deadline(seconds: u16) -> u16 {
    u16::try_from(nearest(&DEADLINES, seconds.into())).unwrap_or(u16::MAX)
}

/// A seed that people write; none for others.
pub(super) fn seed(seed: Option<u64>) -> Option<u16> {
    seed.filter(|seed| *seed < PEOPLES_SEEDS).and_then(|seed| u16::try_from(seed).ok())
}

/// The number of a common stop string that stands alone, from 1 on; 0 for all others.
pub(super) fn stop(stops: &[String]) -> u8 {
    let [stop] = stops else { return 0 };
    let at = COMMON_STOPS.iter().position(|common| common == stop);
    at.and_then(|at| u8::try_from(at + 1).ok()).unwrap_or(0)
}

/// The range of messages or inputs to which a number belongs.
pub(super) fn parts(count: usize) -> (u16, u16) {
    let range = PARTS.windows(2).find_map(|pair| match pair {
        [low, above] if count < usize::from(*above) => Some((*low, above - 1)),
        _ => None,
    });
    range.unwrap_or((97, 128))
}

/// The range of lengths to which a length belongs: from a power of the square root of two to before the next one.
pub(super) fn bytes(bytes: usize) -> (u32, u32) {
    let bytes = bytes.clamp(1, MAX_TEXT) as u64;
    // Twice the binary logarithm, rounded down.
    let half_octaves = (bytes * bytes).ilog2();
    let from = |power: u32| ((1u64 << power) - 1).isqrt() + 1;
    let (low, above) = (from(half_octaves), from(half_octaves + 1));
    (low as u32, (above - 1).min(MAX_TEXT as u64) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_values_stay_and_others_become_common() {
        assert_eq!((max_tokens(256), max_tokens(337), max_tokens(1 << 20)), (256, 300, 32_768));
        assert_eq!((temperature(800), temperature(730)), (800, 700));
        assert_eq!((deadline(60), deadline(0), deadline(9_999)), (60, 1, 600));
        assert_eq!((seed(Some(42)), seed(Some(1 << 30)), seed(None)), (Some(42), None, None));
        let stops = |stops: &[&str]| stop(&stops.iter().map(|stop| (*stop).to_owned()).collect::<Vec<_>>());
        assert_eq!((stops(&["\n\n"]), stops(&["my name"]), stops(&["\n", "\n\n"]), stops(&[])), (2, 0, 0, 0));
    }

    #[test]
    fn ranges_join_and_hold_what_they_are_of() {
        for count in 1..=128usize {
            let (low, high) = parts(count);
            assert!((usize::from(low)..=usize::from(high)).contains(&count), "{count}: {low} to {high}");
        }
        assert_eq!((parts(0), parts(4), parts(500)), ((1, 1), (4, 4), (97, 128)));
        for length in 1..=5_000u32 {
            let (low, high) = bytes(length as usize);
            assert!((low..=high).contains(&length), "{length}: {low} to {high}");
            assert!(length < high || bytes(high as usize + 1).0 == high + 1, "a gap after {high}");
        }
        assert_eq!((bytes(0), bytes(256), bytes(usize::MAX).1), ((1, 1), (256, 362), MAX_TEXT as u32));
    }
}
