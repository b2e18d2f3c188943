//! Medians and percentiles.

use std::time::Duration;

/// The middle of `values`; 0 without any.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The time that `percent` of `times` are within, in microseconds; 0 without any.
pub(crate) fn percentile_us(times: &mut [Duration], percent: usize) -> f64 {
    times.sort();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

/// The same in milliseconds.
pub(crate) fn percentile_ms(times: &mut [Duration], percent: usize) -> f64 {
    percentile_us(times, percent) / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred_and_of_none() {
        let mut times: Vec<_> = (1..=100).map(Duration::from_micros).collect();
        assert_eq!(percentile_us(&mut times, 50).round(), 51.0);
        assert_eq!(percentile_us(&mut times, 99).round(), 100.0);
        assert_eq!(percentile_us(&mut [], 50), 0.0);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
    }
}
