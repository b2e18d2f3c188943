//! What follows from a replay: whether an answer is of the model that its receipt names.

use nervure_protocol::{ModelIdentity, Score};
use serde::{Deserialize, Serialize};

use super::{Defect, Margin, Replayed};

/// Mismatching tokens beyond which no answer is honest, whatever its length. It ends the search for the bound.
const MAX_ALLOWED: u32 = 4096;

/// When differences are more than honest rounding.
///
/// Let `n` tokens be checked, and let an honest miner's token be beyond the margin with a probability of at most `r`,
/// for each token whatever came before it. Then `k` or more of them are with a probability of at most `(n r)^k / k!`:
/// there are fewer than `n^k / k!` ways to choose them. The least `k` for which that is below `10^-nines` is one too
/// many, so that an honest answer is called a mismatch at most once in `10^nines` audits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRules {
    /// Millionths of probability mass within which rounding may move a draw.
    pub margin: u32,
    /// Tokens in a million that an honest miner's rounding moves beyond that margin, at most.
    pub honest_per_million: u32,
    /// Millionths of probability mass beyond which the end of a text is a mismatch by itself: a text that was cut has no
    /// other wrong token. No rounding moves a draw that far.
    pub end_margin: u32,
    /// How rare a false mismatch has to be, as a power of ten.
    pub nines: u32,
}

impl Default for AuditRules {
    /// A margin of 1 % of the mass, 200 honest tokens in a million beyond it, 10 % for an end, one false mismatch in 10^9
    /// audits.
    fn default() -> Self {
        Self { margin: 10_000, honest_per_million: 200, end_margin: 100_000, nines: 9 }
    }
}

impl AuditRules {
    /// Tokens of `tokens` that may be beyond the margin in an honest answer.
    #[must_use]
    pub fn allowed(&self, tokens: u32) -> u32 {
        // `(n r)^k / k!` as a number of 10^-(nines + 9): nine digits below the bound keep the rounding small. Rounded up,
        // so that the bound is never too low.
        let mut rest = 10u128.saturating_pow(self.nines.min(18) + 9);
        for k in 1..=MAX_ALLOWED {
            let factor = u128::from(tokens) * u128::from(self.honest_per_million);
            rest = rest.saturating_mul(factor).div_ceil(u128::from(k) * 1_000_000);
            if rest <= 1_000_000_000 {
                return k - 1;
            }
        }
        MAX_ALLOWED
    }
}

/// What an audit found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks against the model that the receipt names.
    Match,
    /// The answer is not of the model that the receipt names.
    Mismatch,
}

/// A verdict, and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Whether each token had to be the same, because both programs compute the same bits.
    pub exact: bool,
    /// Tokens that were checked.
    pub tokens: u32,
    /// How many of them are beyond the margin; in an exact audit, how many are others.
    pub beyond: u32,
    /// How many an honest answer may have.
    pub allowed: u32,
    /// What is wrong whatever the model is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defect: Option<Defect>,
}

impl Judgement {
    /// The task result of an answer that was audited: nothing for a mismatch.
    #[must_use]
    pub fn score(&self) -> Score {
        match self.verdict {
            Verdict::Match => Score::ONE,
            Verdict::Mismatch => Score::ZERO,
        }
    }
}

impl std::fmt::Display for Judgement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = match self.verdict {
            Verdict::Match => "match",
            Verdict::Mismatch => "MISMATCH",
        };
        let Self { tokens, beyond, allowed, .. } = self;
        let measure = if self.exact { "differ" } else { "are beyond the margin" };
        write!(f, "{verdict}: {beyond} of {tokens} tokens {measure}, {allowed} allowed")?;
        match self.defect {
            Some(defect) => write!(f, "; {defect}"),
            None => Ok(()),
        }
    }
}

/// Whether an answer is of the model that its receipt names. `claimed` is the receipt's model, `own` the auditor's; their
/// digests are the same.
#[must_use]
pub fn judge(
    replayed: &Replayed,
    (claimed, own): (&ModelIdentity, &ModelIdentity),
    rules: &AuditRules,
) -> Judgement {
    let exact = claimed.runtime.is_some() && claimed.runtime == own.runtime && claimed.sampler == own.sampler;
    let tokens = replayed.tokens();
    let (margin, allowed) = match exact {
        true => (Margin::NONE, 0),
        false => (Margin::of_millionths(rules.margin), rules.allowed(tokens)),
    };
    let beyond = replayed.beyond(margin);
    let cut = replayed.end.is_some_and(|end| end > Margin::of_millionths(rules.end_margin));
    let defect = replayed.defect.or_else(|| cut.then_some(Defect::End));
    let verdict = match defect.is_some() || beyond > allowed {
        true => Verdict::Mismatch,
        false => Verdict::Match,
    };
    Judgement { verdict, exact, tokens, beyond, allowed, defect }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(runtime: &str) -> ModelIdentity {
        ModelIdentity { runtime: Some(runtime.into()), ..ModelIdentity::default() }
    }

    /// So many tokens, of which the first ones have this margin.
    fn replayed(tokens: usize, beyond: usize, margin: Margin) -> Replayed {
        let mut margins = vec![Margin::NONE; tokens];
        margins[..beyond].fill(margin);
        Replayed { margins, ..Replayed::default() }
    }

    #[test]
    fn the_same_program_may_not_differ_at_all() {
        let same = identity("r/1");
        let verdict = |replayed: &Replayed, own: &ModelIdentity| {
            judge(replayed, (&same, own), &AuditRules::default()).verdict
        };
        let least = Margin::of_mass(1e-9);
        assert_eq!(verdict(&replayed(100, 0, least), &same), Verdict::Match);
        assert_eq!(verdict(&replayed(100, 1, least), &same), Verdict::Mismatch);
        assert_eq!(
            verdict(&replayed(100, 100, least), &identity("r/2")),
            Verdict::Match,
            "rounding explains it"
        );
        let unstated = ModelIdentity::default();
        let judged = judge(&replayed(100, 1, least), (&unstated, &unstated), &AuditRules::default());
        assert!(!judged.exact, "two unknown programs are not the same one");
    }

    #[test]
    fn a_few_tokens_are_rounding_and_more_are_a_mismatch() {
        let own = identity("r/2");
        let verdict = |beyond| {
            let replayed = replayed(1000, beyond, Margin::WHOLE);
            judge(&replayed, (&identity("r/1"), &own), &AuditRules::default()).verdict
        };
        let allowed = AuditRules::default().allowed(1000) as usize;
        assert_eq!(verdict(allowed), Verdict::Match);
        assert_eq!(verdict(allowed + 1), Verdict::Mismatch);
    }

    #[test]
    fn a_defect_is_a_mismatch_without_any_token() {
        let judged = judge(
            &Replayed::defective(Defect::End),
            (&identity("a"), &identity("b")),
            &AuditRules::default(),
        );
        assert_eq!((judged.verdict, judged.score()), (Verdict::Mismatch, Score::ZERO));
    }

    #[test]
    fn an_end_that_cannot_be_drawn_is_a_mismatch_by_itself() {
        let judged = |end: f64| {
            let replayed = Replayed { end: Some(Margin::of_mass(end)), ..replayed(50, 0, Margin::NONE) };
            judge(&replayed, (&identity("a"), &identity("b")), &AuditRules::default())
        };
        assert_eq!((judged(0.05).verdict, judged(0.05).tokens), (Verdict::Match, 51));
        assert_eq!((judged(0.9).verdict, judged(0.9).defect), (Verdict::Mismatch, Some(Defect::End)));
    }

    #[test]
    fn the_bound_is_that_of_the_formula() {
        let rules = AuditRules { margin: 1, honest_per_million: 200, end_margin: 1, nines: 9 };
        for tokens in [1u32, 10, 100, 256, 1000, 4096, 100_000] {
            let rate = f64::from(tokens) * 200e-6;
            let bound = |k: u32| (1..=k).fold(1.0, |bound, k| bound * rate / f64::from(k));
            let least = (1..).find(|k| bound(*k) < 1e-9).unwrap();
            assert_eq!(rules.allowed(tokens), least - 1, "{tokens} tokens");
        }
        assert_eq!(rules.allowed(0), 0);
        assert_eq!(AuditRules { honest_per_million: 0, ..rules }.allowed(4096), 0);
        assert_eq!(AuditRules { honest_per_million: 1_000_000, ..rules }.allowed(u32::MAX), MAX_ALLOWED);
    }

    #[test]
    fn a_margin_is_rounded_once_and_never_to_nothing() {
        assert_eq!(Margin::of_mass(0.0), Margin::NONE);
        assert_eq!(Margin::of_mass(1e-12).millionths(), 1);
        assert_eq!(Margin::of_mass(0.25).millionths(), 250_000);
        for mass in [1.0, 7.0, f64::INFINITY, f64::NAN] {
            assert_eq!(Margin::of_mass(mass), Margin::WHOLE);
        }
    }
}
