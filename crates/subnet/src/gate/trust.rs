//! Trust: finalised incentive, live scores and the stake behind a subnet, combined.
//!
//! Trust is in one expert. Its node's incentive is about all experts of that node together, so it counts only beside the
//! expert's own live score: an expert without one has no trust, however good its neighbours are.

use nervure_protocol::Score;
use serde::{Deserialize, Serialize};

use crate::score::MedianScore;

/// Tasks after which an expert is no longer a newcomer.
const MIN_TESTED_TASKS: u32 = 16;

/// Tempos after its registration in which a neuron's incentive may be 0 however good it is: weights for it are committed
/// at the end of the epoch that it came in, or of the next when it came late, and count an epoch after that.
const TEMPOS_WITHOUT_WEIGHTS: u64 = 3;

/// The trust in an expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Its neuron's incentive at the last checkpoint, as a part of the subnet's largest; none when it says nothing about
    /// this expert.
    pub incentive: Option<Score>,
    /// The validators' live scores since, their median by stake.
    pub live_score: Option<MedianScore>,
    /// How much the stake behind its subnet counts for those outside of it: 1 for a subnet that validators with half of
    /// the mesh's stake validate in, 0 for one that only its owner does.
    pub backing: Score,
}

impl Default for Trust {
    /// An untested newcomer of a subnet that the mesh stands behind.
    fn default() -> Self {
        Self { incentive: None, live_score: None, backing: Score::ONE }
    }
}

impl Trust {
    /// From an incentive as the ledger has it and the largest one in the subnet, in a subnet that the mesh stands behind.
    pub fn new(incentive: Option<(u16, u16)>, live_score: Option<MedianScore>) -> Self {
        let part = |(own, largest): (u16, u16)| Score::ratio(own.into(), largest.into());
        Self { incentive: incentive.map(part), live_score, ..Self::default() }
    }

    /// A neuron's `own` incentive as a part of the subnet's `largest`, if it says something: none before the subnet's
    /// first epoch, and none if it is 0 and the neuron was registered so few blocks ago (`age`, by the subnet's `tempo`)
    /// that no weights for it have counted. Such a neuron is trusted by its live scores alone.
    pub fn incentive_of((own, largest): (u16, u16), (age, tempo): (u64, u64)) -> Option<Score> {
        let too_early = own == 0 && age <= tempo.saturating_mul(TEMPOS_WITHOUT_WEIGHTS);
        (largest > 0 && !too_early).then(|| Score::ratio(own.into(), largest.into()))
    }

    /// How good it is, for those outside of its subnet: [`Self::in_subnet`] times the backing.
    pub fn quality(&self) -> Score {
        self.in_subnet().times(self.backing)
    }

    /// How good it is by its own subnet: the mean of the finalised incentive, which is agreed on but late, and of the live
    /// score, but at most the live score: a fall counts at once and in full, a rise only when it is finalised. What is
    /// untested counts as nothing, and a live score counts in proportion to the tasks behind it.
    pub fn in_subnet(&self) -> Score {
        let Some(live_score) = self.live_score else {
            return self.incentive.unwrap_or(Score::ZERO);
        };
        let known = Score::ratio(live_score.tasks.into(), MIN_TESTED_TASKS.into());
        let live = live_score.score.times(known);
        match self.incentive.filter(|_| !self.is_newcomer()) {
            Some(incentive) => Score::mean([incentive, live]).min(live),
            None => live,
        }
    }

    /// Whether validators have set it fewer than 16 tasks. An expert without a live score is no newcomer if its neuron's
    /// incentive is known to be about it.
    pub fn is_newcomer(&self) -> bool {
        match self.live_score {
            Some(live_score) => live_score.tasks < MIN_TESTED_TASKS,
            None => self.incentive.is_none_or(|incentive| incentive == Score::ZERO),
        }
    }

    /// The numbers behind it, for people.
    pub fn figures(&self) -> TrustFigures {
        TrustFigures {
            quality_milli: milli(self.quality()),
            live_score_milli: self.live_score.map(|live_score| milli(live_score.score)),
            tasks: self.live_score.map_or(0, |live_score| live_score.tasks),
            incentive_milli: self.incentive.map(milli),
            backing_milli: milli(self.backing),
        }
    }
}

/// What the trust in an expert is made of. Parts are in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrustFigures {
    /// The trust: what the other numbers make together.
    pub quality_milli: u16,
    /// The median of the validators' live scores of this expert; absent when none has tested it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_score_milli: Option<u16>,
    /// The validators' tasks behind the live score.
    pub tasks: u32,
    /// The finalised incentive of its neuron, of the largest in the subnet; absent when it says nothing about this expert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incentive_milli: Option<u16>,
    /// How much the stake behind its subnet counts for those outside of it.
    pub backing_milli: u16,
}

/// In thousandths, rounded to the nearest.
fn milli(score: Score) -> u16 {
    let whole = u64::from(Score::ONE.parts());
    u16::try_from((u64::from(score.parts()) * 1_000 + whole / 2) / whole).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(percent: u64, tasks: u32) -> Option<MedianScore> {
        Some(MedianScore { score: Score::ratio(percent, 100), tasks })
    }

    #[test]
    fn a_newcomer_has_no_trust_until_it_is_tested() {
        let quality = |live_score| Trust::new(None, live_score).quality().to_string();
        assert_eq!(quality(None), "0.0000");
        assert_eq!(quality(said(80, 8)), "0.4000");
        assert_eq!(quality(said(90, 16)), "0.9000");
        assert!(Trust::new(None, said(90, 15)).is_newcomer());
        assert!(!Trust::new(None, said(90, 16)).is_newcomer());
        assert!(Trust::new(Some((9, 10)), said(90, 15)).is_newcomer(), "its node's fame is not its own");
    }

    #[test]
    fn incentive_and_live_score_count_alike() {
        let trust = Trust::new(Some((500, 1000)), said(100, 50));
        assert_eq!(trust.quality().to_string(), "0.7500");
        assert_eq!(Trust::new(Some((500, 1000)), None).quality().to_string(), "0.5000");
        assert_eq!(Trust::new(Some((0, 0)), said(80, 40)).quality().to_string(), "0.4000");
        assert_eq!(
            Trust::new(Some((1000, 1000)), said(0, 40)).quality(),
            Score::ZERO,
            "a good node's bad expert"
        );
        let fresh = Trust::new(Some((0, 1000)), said(80, 8));
        assert!(fresh.is_newcomer() && fresh.quality().to_string() == "0.4000", "no epoch has seen it yet");
    }

    #[test]
    fn no_incentive_counts_only_when_there_could_be_one() {
        let trust = |age| Trust {
            incentive: Trust::incentive_of((0, 1_000), (age, 360)),
            live_score: said(80, 40),
            ..Trust::default()
        };
        assert_eq!(trust(1_080).quality().to_string(), "0.8000", "no weights for it have counted");
        assert_eq!(trust(1_081).quality().to_string(), "0.4000", "validators weigh it with nothing");
        assert_eq!(Trust::incentive_of((250, 1_000), (1, 360)), Some(Score::ratio(1, 4)));
        assert_eq!(Trust::incentive_of((0, 0), (9_999, 360)), None, "before the first epoch");
        // A newcomer that validators found to be bad gains nothing by it.
        let bad = Trust { live_score: said(2, 40), ..trust(1) };
        assert_eq!(bad.quality().to_string(), "0.0200");
    }

    #[test]
    fn a_subnet_that_no_one_stands_behind_convinces_no_one() {
        let perfect = Trust::new(Some((1000, 1000)), said(100, 500));
        let alone = Trust { backing: Score::ZERO, ..perfect };
        assert_eq!((perfect.quality(), alone.quality()), (Score::ONE, Score::ZERO));
        assert_eq!(alone.in_subnet(), Score::ONE, "within its subnet it is the best");
        let figures = Trust { backing: Score::ratio(1, 4), ..perfect }.figures();
        assert_eq!((figures.quality_milli, figures.backing_milli, figures.tasks), (250, 250, 500));
    }
}
