use proptest::prelude::*;

use super::*;

const VALIDATORS: usize = 8;
const MINERS: usize = 40;

/// Numbers below one, the same in every run.
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1u32 << 31)
    }

    fn around(&mut self, values: &[f64], by: f64) -> Vec<f64> {
        values.iter().map(|value| (value + (self.next() * 2.0 - 1.0) * by).max(0.0)).collect()
    }
}

/// What the last row of an epoch is, from the measured row, and the public consensus of the last two epochs.
type Last<'a> = &'a dyn Fn(&[f64], [&[f64]; 2]) -> Vec<f64>;

fn shares(row: &[f64]) -> Vec<f64> {
    let sum: f64 = row.iter().sum();
    row.iter().map(|value| value / sum).collect()
}

fn matrix(rows: &[Vec<f64>]) -> Matrix {
    let mut matrix = Matrix::with_capacity(VALIDATORS + MINERS, VALIDATORS + MINERS, VALIDATORS * MINERS);
    for row in rows {
        for (miner, share) in shares(row).into_iter().enumerate() {
            matrix.push((VALIDATORS + miner) as u16, I32F32::from_bits((share * 4_294_967_296.0) as i64));
        }
        matrix.end_row();
    }
    (0..MINERS).for_each(|_| matrix.end_row());
    matrix
}

fn stakes() -> Vec<I32F32> {
    let each = I32F32::from_bits(I32F32::ONE.to_bits() / VALIDATORS as i64);
    let stakes = [vec![each; VALIDATORS], vec![I32F32::ZERO; MINERS]];
    stakes.concat()
}

/// The consensus of `rows` and what they leave, after the two priors before.
fn epoch(rows: &[Vec<f64>], priors: &[[Prior; 2]]) -> (Vec<I32F32>, Vec<[Prior; 2]>) {
    let (stakes, weights, kappa) = (stakes(), matrix(rows), I32F32::HALF);
    let consensus = super::super::median::consensus(&stakes, &weights, kappa);
    let said = Statements { active_stake: &stakes, weights: &weights, consensus: &consensus, priors, kappa };
    let next = said.prior().into_iter().zip(priors).map(|(new, [last, _])| [new, *last]).collect();
    (said.skills(), next)
}

/// The mean skills, over epochs in which quality moves by up to `drift`, of the honest ones and of the last.
fn skills(drift: f64, last: Last<'_>) -> (f64, f64) {
    let mut dice = Stream(7);
    let mut quality: Vec<f64> = (0..MINERS).map(|_| 0.2 + dice.next()).collect();
    let mut priors = vec![[Prior::default(); 2]; VALIDATORS + MINERS];
    let (mut honest, mut odd) = (0.0, 0.0);
    for number in 0..40 {
        quality = dice.around(&quality, drift);
        let mut rows: Vec<Vec<f64>> = (0..VALIDATORS).map(|_| dice.around(&quality, 0.02)).collect();
        let known = |at: usize| {
            priors[VALIDATORS..].iter().map(|prior: &[Prior; 2]| f64::from(prior[at].mean)).collect()
        };
        let (one, two): (Vec<f64>, Vec<f64>) = (known(0), known(1));
        if number > 2 {
            rows[VALIDATORS - 1] = last(&rows[VALIDATORS - 1], [&one, &two]);
        }
        let (skills, next) = epoch(&rows, &priors);
        priors = next;
        if number > 2 {
            let skill = |at: usize| skills[at].to_bits() as f64 / 4_294_967_296.0 / 37.0;
            honest += (0..VALIDATORS - 1).map(skill).sum::<f64>() / (VALIDATORS - 1) as f64;
            odd += skill(VALIDATORS - 1);
        }
    }
    (honest, odd)
}

fn copies(_: &[f64], [one, _]: [&[f64]; 2]) -> Vec<f64> {
    one.to_vec()
}

/// Continues as the last epoch moved.
fn continues(_: &[f64], [one, two]: [&[f64]; 2]) -> Vec<f64> {
    one.iter().zip(two).map(|(one, two)| (2.0 * one - two).max(0.0)).collect()
}

#[test]
fn who_measures_has_skill_and_who_computes_from_public_weights_has_none() {
    let (honest, same) = skills(0.05, &|own, _| own.to_vec());
    assert!(honest > 0.5 && (same - honest).abs() < 0.1, "{honest} {same}");
    for (name, last) in [("copy", &copies as Last<'_>), ("trend", &continues)] {
        let (honest, odd) = skills(0.05, last);
        assert!(honest > 0.5 && odd < honest / 20.0, "{name}: {odd} of {honest}");
    }
}

#[test]
fn where_nothing_moves_no_one_has_skill() {
    let (honest, copier) = skills(0.0, &copies);
    assert!(honest < 0.02 && copier < 0.02, "{honest} {copier}");
}

#[test]
fn few_miners_leave_no_freedom() {
    let rows: Vec<Vec<f64>> = (0..VALIDATORS)
        .map(|row| (0..MINERS).map(|at| if at < 8 { (row + at) as f64 } else { 0.0 }).collect())
        .collect();
    let (skills, _) = epoch(&rows, &vec![[Prior::default(); 2]; VALIDATORS + MINERS]);
    assert!(skills.iter().all(|skill| *skill == I32F32::ZERO));
}

/// All miners are newcomers: that they get the same is no news, and how they differ is.
#[test]
fn guessing_that_newcomers_get_something_is_no_skill() {
    let mut dice = Stream(3);
    let quality: Vec<f64> = (0..MINERS).map(|_| 0.2 + dice.next()).collect();
    let mut rows: Vec<Vec<f64>> = (0..VALIDATORS).map(|_| dice.around(&quality, 0.02)).collect();
    rows[VALIDATORS - 1] = vec![1.0; MINERS];
    let (skills, _) = epoch(&rows, &vec![[Prior::default(); 2]; VALIDATORS + MINERS]);
    assert!(skills[0] > I32F32::HALF, "{}", skills[0]);
    assert_eq!(skills[VALIDATORS - 1], I32F32::ZERO);
}

proptest! {
    #[test]
    fn the_sum_stays_and_no_share_is_negative(shares in proptest::collection::vec((0u32..1 << 26, 0u32..=u32::MAX), 1..60), part: u16) {
        let mut dividends: Vec<_> = shares.iter().map(|(share, _)| I32F32::from_bits((*share).into())).collect();
        let skills: Vec<_> = shares.iter().map(|(_, skill)| I32F32::from_bits((*skill).into())).collect();
        let before: I32F32 = dividends.iter().copied().sum();
        by_skill(&mut dividends, &skills, I32F32::from_proportion(part));
        let after: I32F32 = dividends.iter().copied().sum();
        prop_assert!(dividends.iter().all(|share| *share >= I32F32::ZERO));
        prop_assert!(after <= before && (before - after).to_bits() <= 2 * shares.len() as i64, "{before} {after}");
    }

    #[test]
    fn no_vectors_overflow(left in proptest::collection::vec(-(1i64 << 33)..=1 << 33, 300), right in proptest::collection::vec(0i64..=1 << 32, 300)) {
        let public = vec![right.clone()];
        let rest = residual(left.clone(), &public);
        let squared = explained(&rest, &left);
        prop_assert!((I32F32::ZERO..=I32F32::ONE).contains(&squared));
        prop_assert!(explained(&right, &right) >= I32F32::from_bits(I32F32::ONE.to_bits() - 2) || dot(&right, &right) == 0);
    }
}
