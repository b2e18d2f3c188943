//! Through which gateway a task is asked: more often through one with more users, or tasks would be the larger part of what
//! a small gateway asks.

use nervure_protocol::TrafficStatistics;

use crate::Dice;

/// How many times the median of all gateways one of them counts as at most, and its inverse as at least: what a gateway says
/// of itself is worth no more.
const MAX_FACTOR: u64 = 2;

/// One of the gateways with these statistics; none of none.
pub fn draw_gateway<'a>(
    gateways: &[&'a TrafficStatistics],
    dice: &mut Dice,
) -> Option<&'a TrafficStatistics> {
    let queries: Vec<u64> = gateways.iter().map(|table| queries(table)).collect();
    let mut sorted = queries.clone();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    let weight = |queries: &u64| (*queries).clamp(median / MAX_FACTOR, median * MAX_FACTOR).max(1);
    let mut chance = dice.below(queries.iter().map(weight).sum());
    for (gateway, queries) in gateways.iter().zip(&queries) {
        match chance.checked_sub(weight(queries)) {
            Some(rest) => chance = rest,
            None => return Some(*gateway),
        }
    }
    None
}

/// The queries that it counts.
fn queries(table: &TrafficStatistics) -> u64 {
    table.sizes.iter().map(|row| u64::from(row.count)).sum()
}

#[cfg(test)]
mod tests {
    use nervure_protocol::{
        QueryKind, SizeCount,
        testing::{NOW, key},
    };

    use super::*;

    fn gateway(number: u8, count: u32) -> TrafficStatistics {
        let (kind, system) = (QueryKind::Chat, false);
        let size = SizeCount { kind, min_bytes: 1, max_bytes: 9, min_parts: 1, max_parts: 1, system, count };
        TrafficStatistics {
            gateway: key(number).node_id(),
            issued_at: NOW,
            forms: vec![],
            sizes: vec![size],
            pairs: vec![],
        }
    }

    /// The parts of 1,000 draws that each gateway has.
    fn shares(counts: &[u32]) -> Vec<usize> {
        let gateways: Vec<_> = (1..).zip(counts).map(|(number, count)| gateway(number, *count)).collect();
        let gateways: Vec<&TrafficStatistics> = gateways.iter().collect();
        let mut dice = Dice::new(1.into());
        let drawn: Vec<_> = (0..1000).filter_map(|_| draw_gateway(&gateways, &mut dice)).collect();
        gateways.iter().map(|one| drawn.iter().filter(|drawn| drawn.gateway == one.gateway).count()).collect()
    }

    #[test]
    fn a_gateway_with_more_users_is_drawn_more_often() {
        let shares = shares(&[150, 100, 50]);
        assert!((460..540).contains(&shares[0]) && (130..200).contains(&shares[2]), "{shares:?}");
        assert!(draw_gateway(&[], &mut Dice::new(1.into())).is_none());
    }

    #[test]
    fn what_it_claims_counts_at_most_twice_the_median_and_at_least_half() {
        let shares = shares(&[u32::MAX, 100, 100, 100, 0]);
        // Two, three times one, and a half, of five and a half.
        assert!((320..410).contains(&shares[0]) && (60..120).contains(&shares[4]), "{shares:?}");
        assert!(self::shares(&[0, 0]).iter().all(|share| *share > 400), "without any counts all alike");
    }
}
