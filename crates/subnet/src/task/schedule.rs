//! When the questions of a task are asked: as clients ask, who send a few queries within seconds and then none for long.
//!
//! At one even pace, a miner could tell tasks by the time since the last query of the same gateway.

use std::time::Duration;

use nervure_protocol::{ExpertRequest, Sampling};

use super::{Traffic, traffic::QUERIES_PER_CLIENT};
use crate::Dice;

/// Mean time between two queries of one client that belong together.
const MEAN_THINKING_TIME: Duration = Duration::from_secs(4);

/// How one question of a task is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    /// How long the answer may take, as the miner is told.
    pub deadline: Duration,
    /// Whether it follows the question before within seconds, as of the same client.
    pub follows: bool,
}

/// How each of `requests` is asked. Questions that follow another have its settings and its deadline.
pub fn askings(requests: &[ExpertRequest], traffic: &Traffic, dice: &mut Dice) -> Vec<Asking> {
    let mut askings: Vec<Asking> = Vec::new();
    for (at, request) in requests.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| requests.get(before));
        let alike = before.is_some_and(|before| settings(before) == settings(request));
        // Where settings show it, they say when another client begins, and this only divides clients that are alike.
        let most = if request.sampling().is_some() { 2 * QUERIES_PER_CLIENT } else { QUERIES_PER_CLIENT };
        let goes_on = dice.below(most) > 0;
        askings.push(match askings.last() {
            Some(last) if alike && goes_on => Asking { follows: true, ..*last },
            _ => Asking { deadline: traffic.deadline(request, dice), follows: false },
        });
    }
    askings
}

/// When each question is asked, within `spread`: moments with the questions' numbers, in ascending order.
pub fn moments(askings: &[Asking], spread: Duration, dice: &mut Dice) -> Vec<(Duration, usize)> {
    let questions = u32::try_from(askings.len()).unwrap_or(u32::MAX).max(1);
    // Where there is little time, as in a mesh on one machine, they are as close as they have to be.
    let mean = MEAN_THINKING_TIME.min(spread / questions / 2);
    let (spread, mut at) = (micros(spread), 0u64);
    let mut moment = |(number, asking): (usize, &Asking)| {
        at = match asking.follows {
            true => at.saturating_add(exponential(micros(mean), dice)),
            false => dice.within(0, spread),
        };
        // What would be too late comes at the beginning.
        at = if at > spread { at % spread.max(1) } else { at };
        (Duration::from_micros(at), number)
    };
    let mut moments: Vec<_> = askings.iter().enumerate().map(&mut moment).collect();
    moments.sort_unstable();
    moments
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What one client does not change between two queries.
fn settings(request: &ExpertRequest) -> Option<Sampling> {
    // The router draws the seed where a client gives none.
    request.sampling().map(|sampling| Sampling { seed: None, ..sampling.clone() })
}

/// A time as between independent events, of that mean.
fn exponential(mean: u64, dice: &mut Dice) -> u64 {
    let bits = dice.bits();
    let octaves = bits.leading_zeros();
    // The 16 bits after the first one that is set: the logarithm between two powers of two, as a straight line.
    let fraction = bits.checked_shl(octaves + 1).unwrap_or(0) >> 48;
    let logarithm = (u128::from(octaves + 1) << 16) - u128::from(fraction);
    // ln 2 is 45,426 parts of 2^16.
    u64::try_from((u128::from(mean) * logarithm * 45_426) >> 32).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use nervure_protocol::QueryKind;

    use super::*;
    use crate::task::Series;

    fn requests(count: usize) -> Vec<ExpertRequest> {
        let (traffic, mut dice) = (Traffic::default(), Dice::new(5.into()));
        let mut series = Series::new(&traffic, QueryKind::Chat);
        (0..count).map(|_| ExpertRequest::chat("x", series.draw(&mut dice).sampling)).collect()
    }

    #[test]
    fn questions_come_in_groups_that_are_spread() {
        let (requests, mut dice) = (requests(200), Dice::new(1.into()));
        let askings = askings(&requests, &Traffic::default(), &mut dice);
        let following = askings.iter().filter(|asking| asking.follows).count();
        assert!((90..170).contains(&following), "{following} of 200");
        let spread = Duration::from_secs(3600);
        let moments = moments(&askings, spread, &mut dice);
        let numbers: std::collections::BTreeSet<_> = moments.iter().map(|(_, number)| *number).collect();
        assert_eq!((moments.len(), numbers.len()), (200, 200));
        assert!(moments.is_sorted() && moments.iter().all(|(moment, _)| *moment <= spread));
        let close = moments.windows(2).filter(|pair| pair[1].0 - pair[0].0 < Duration::from_secs(8)).count();
        // At an even pace, one in three pairs would be so close.
        assert!(close > 110, "{close} of 200");
        assert!(moments[199].0 - moments[0].0 > spread / 2, "not all at once");
    }

    #[test]
    fn one_client_has_one_deadline() {
        let requests = requests(300);
        let askings = askings(&requests, &Traffic::default(), &mut Dice::new(2.into()));
        for (at, pair) in askings.windows(2).enumerate() {
            let alike = settings(&requests[at]) == settings(&requests[at + 1]);
            assert!(!pair[1].follows || (alike && pair[0].deadline == pair[1].deadline));
        }
    }

    #[test]
    fn little_time_is_enough() {
        let mut dice = Dice::new(3.into());
        let askings = askings(&requests(48), &Traffic::default(), &mut dice);
        for spread in [Duration::ZERO, Duration::from_millis(1500)] {
            let moments = moments(&askings, spread, &mut dice);
            assert!(moments.len() == 48 && moments.iter().all(|(moment, _)| *moment <= spread));
        }
    }

    #[test]
    fn times_between_events_have_their_mean() {
        let mut dice = Dice::new(4.into());
        let all: u64 = (0..20_000).map(|_| exponential(1_000, &mut dice)).sum();
        assert!((900..1_100).contains(&(all / 20_000)), "{}", all / 20_000);
    }
}
