//! Trust: finalised incentive and live scores, combined.

use crate::score::MedianScore;
use nervure_protocol::Score;

/// Tasks after which a node is no longer a newcomer.
const MIN_TESTED_TASKS: u32 = 16;

/// The quality of a node that no validator has tested.
const UNTESTED: Score = Score::from_parts(u32::MAX / 2);

/// The trust in a node in one subnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Its incentive at the last checkpoint, as a part of the subnet's largest; none when it was not registered then.
    pub incentive: Option<Score>,
    /// The validators' live scores since, their median by stake.
    pub live_score: Option<MedianScore>,
}

impl Trust {
    /// From an incentive as the ledger has it and the largest one in the subnet.
    pub fn new(incentive: Option<(u16, u16)>, live_score: Option<MedianScore>) -> Self {
        let part = |(own, largest): (u16, u16)| Score::ratio(own.into(), largest.into());
        Self { incentive: incentive.map(part), live_score }
    }

    /// How good it is: the mean of the finalised incentive, which is agreed on but late, and of the live score, but at
    /// most the live score: a fall counts at once and in full, a rise only when it is finalised. An untested node has a
    /// quality of one half, and its live score counts in proportion to the tasks behind it.
    pub fn quality(&self) -> Score {
        let Some(live_score) = self.live_score else {
            return self.incentive.unwrap_or(UNTESTED);
        };
        let known = Score::ratio(live_score.tasks.into(), MIN_TESTED_TASKS.into());
        let parts = |score: Score| u64::from(score.parts());
        let live = parts(live_score.score.times(known)) + parts(UNTESTED.times(Score::ONE.less(known)));
        let live = Score::from_parts(u32::try_from(live).unwrap_or(u32::MAX));
        match self.incentive.filter(|_| !self.is_newcomer()) {
            Some(incentive) => Score::mean([incentive, live]).min(live),
            None => live,
        }
    }

    /// Whether it has neither an incentive nor 16 tasks.
    pub fn is_newcomer(&self) -> bool {
        let earned = self.incentive.is_some_and(|incentive| incentive > Score::ZERO);
        !earned && self.live_score.is_none_or(|live_score| live_score.tasks < MIN_TESTED_TASKS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(percent: u64, tasks: u32) -> Option<MedianScore> {
        Some(MedianScore { score: Score::ratio(percent, 100), tasks })
    }

    #[test]
    fn a_newcomer_is_half_good_until_it_is_tested() {
        let quality = |live_score| Trust { incentive: None, live_score }.quality().to_string();
        assert_eq!(quality(None), "0.5000");
        assert_eq!(quality(said(0, 8)), "0.2500");
        assert_eq!(quality(said(90, 16)), "0.9000");
        assert!(Trust { incentive: None, live_score: said(90, 15) }.is_newcomer());
        assert!(!Trust { incentive: None, live_score: said(90, 16) }.is_newcomer());
    }

    #[test]
    fn incentive_and_live_score_count_alike() {
        let trust = Trust::new(Some((500, 1000)), said(100, 50));
        assert_eq!(trust.quality().to_string(), "0.7500");
        assert_eq!(Trust::new(Some((500, 1000)), None).quality().to_string(), "0.5000");
        assert_eq!(Trust::new(Some((0, 0)), said(80, 40)).quality().to_string(), "0.4000");
        let fresh = Trust::new(Some((0, 1000)), said(80, 8));
        assert!(fresh.is_newcomer() && fresh.quality() > Score::ratio(1, 2), "no epoch has seen it yet");
    }
}
