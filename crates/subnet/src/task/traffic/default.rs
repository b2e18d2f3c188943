//! The distribution that is used where gateways publish nothing.
//!
//! It is no measurement. It follows the defaults of this mesh's gateways and of common clients of the OpenAI API: most
//! queries leave everything at the defaults, some set a length, a few a temperature of 0, and nearly all have the
//! default deadline. `docs/mechanisms.md` shows it.

use nervure_primitives::{NodeId, UnixMillis};
use nervure_protocol::{FormCount, QueryKind, Sampling, SizeCount, TrafficStatistics, Unset};

/// The deadline of a query that names none, in seconds.
pub(super) const DEADLINE_SECONDS: u16 = 600;

/// How many of 1,000 queries each kind has.
const KINDS: [(QueryKind, u32); 4] = [
    (QueryKind::Complete, 300),
    (QueryKind::Chat, 550),
    (QueryKind::Embed, 100),
    (QueryKind::Distribution, 50),
];

/// Most tokens, temperature and top-p in thousandths, a seed, and how many of 100 queries have them.
const SAMPLING: [(u32, u32, u32, Option<u16>, u32); 18] = [
    (256, 800, 950, None, 34),
    (256, 0, 950, None, 7),
    (256, 700, 950, None, 5),
    (512, 800, 950, None, 7),
    (512, 700, 1_000, None, 5),
    (1_024, 800, 950, None, 5),
    (1_024, 700, 950, None, 4),
    (1_000, 700, 1_000, None, 3),
    (2_048, 800, 950, None, 4),
    (2_048, 1_000, 1_000, None, 3),
    (100, 800, 950, None, 4),
    (100, 0, 950, None, 3),
    (128, 800, 950, None, 4),
    (64, 0, 950, None, 4),
    (64, 800, 950, None, 3),
    (500, 200, 950, None, 2),
    (256, 0, 950, Some(42), 2),
    (4_096, 800, 950, None, 1),
];

/// How many of 100 queries are that long, as binary logarithm of the bytes.
const LENGTHS: [(u32, u32); 9] =
    [(4, 6), (5, 14), (6, 20), (7, 20), (8, 16), (9, 11), (10, 7), (11, 4), (12, 2)];

/// Messages of a chat, whether it begins with instructions, and how many of 100 chats are so.
const CHATS: [(u16, u16, bool, u32); 7] = [
    (1, 1, false, 50),
    (2, 2, true, 18),
    (3, 3, false, 15),
    (5, 5, false, 8),
    (4, 4, true, 4),
    (7, 7, false, 3),
    (6, 6, true, 2),
];

/// Fewest and most inputs of an embedding, and how many of 100.
const INPUTS: [(u16, u16, bool, u32); 5] =
    [(1, 1, false, 55), (2, 4, false, 8), (5, 8, false, 9), (9, 24, false, 14), (25, 64, false, 14)];

/// Seconds that an answer may take, and how many of 100 queries.
const DEADLINES: [(u16, u32); 5] = [(DEADLINE_SECONDS, 84), (30, 7), (120, 4), (20, 3), (10, 2)];

/// The distribution as a gateway would publish it.
pub(super) fn statistics() -> TrafficStatistics {
    let (mut forms, mut sizes) = (Vec::new(), Vec::new());
    for (kind, often) in KINDS {
        for (seconds, share) in DEADLINES {
            let count = often * share;
            forms.extend(settings(kind).into_iter().map(|form| FormCount {
                seconds,
                count: form.count * count,
                ..form
            }));
        }
        let parts: &[(u16, u16, bool, u32)] = match kind {
            QueryKind::Chat => &CHATS,
            QueryKind::Embed => &INPUTS,
            QueryKind::Complete | QueryKind::Distribution => &[(1, 1, false, 100)],
        };
        for (log_bytes, length) in LENGTHS {
            sizes.extend(parts.iter().map(|(min_parts, max_parts, system, share)| {
                // A part has a few words at least.
                let least = 1u32 << log_bytes.max(4 + max_parts.ilog2());
                SizeCount {
                    kind,
                    min_bytes: least,
                    max_bytes: 2 * least - 1,
                    min_parts: *min_parts,
                    max_parts: *max_parts,
                    system: *system,
                    count: often * share * length,
                }
            }));
        }
    }
    let (gateway, issued_at) = (NodeId::from_bytes([0; 32]), UnixMillis(0));
    TrafficStatistics { gateway, issued_at, forms, sizes, pairs: Vec::new() }
}

/// The settings of a kind, with their parts of a hundred, for any deadline.
fn settings(kind: QueryKind) -> Vec<FormCount> {
    let (seed, stop, seconds, usual) = (None, 0, DEADLINE_SECONDS, Sampling::default());
    let form = |max_tokens, temperature_milli, top_p_milli, count| FormCount {
        kind,
        max_tokens,
        temperature_milli,
        top_p_milli,
        seed,
        stop,
        // Who has the defaults of a gateway has left them out.
        unset: match kind {
            QueryKind::Complete | QueryKind::Chat => Unset {
                max_tokens: max_tokens == usual.max_tokens,
                temperature: temperature_milli == usual.temperature_milli,
                top_p: top_p_milli == usual.top_p_milli,
            },
            QueryKind::Embed | QueryKind::Distribution => Unset::default(),
        },
        seconds,
        count,
    };
    match kind {
        QueryKind::Complete | QueryKind::Chat => SAMPLING
            .iter()
            .map(|(max_tokens, temperature, top_p, seed, share)| FormCount {
                seed: *seed,
                ..form(*max_tokens, *temperature, *top_p, *share)
            })
            .collect(),
        QueryKind::Embed | QueryKind::Distribution => vec![form(0, 0, 0, 100)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_hundred_are_a_hundred() {
        assert_eq!(KINDS.iter().map(|(_, share)| share).sum::<u32>(), 1_000);
        assert_eq!(SAMPLING.iter().map(|(.., share)| share).sum::<u32>(), 100);
        assert_eq!(LENGTHS.iter().map(|(_, share)| share).sum::<u32>(), 100);
        assert_eq!(CHATS.iter().map(|(.., share)| share).sum::<u32>(), 100);
        assert_eq!(INPUTS.iter().map(|(.., share)| share).sum::<u32>(), 100);
        assert_eq!(DEADLINES.iter().map(|(_, share)| share).sum::<u32>(), 100);
    }
}
