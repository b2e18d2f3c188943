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
        let public = vec![Direction { values: right.clone(), square: dot(&right, &right) }];
        let rest = residual(left.clone(), &public);
        let squared = explained(&rest, &left);
        prop_assert!((I32F32::ZERO..=I32F32::ONE).contains(&squared));
        prop_assert!(explained(&right, &right) >= I32F32::from_bits(I32F32::ONE.to_bits() - 2) || dot(&right, &right) == 0);
    }
}

/// What [`Peers`] finds by sums that it keeps, found by going through all cells of a column.
fn consensus_without(said: &Statements<'_>, columns: &[usize], without: usize) -> Vec<i64> {
    let rows = || (0..said.weights.rows()).filter(|row| said.votes(*row) && *row != without);
    let stake =
        |rows: &mut dyn Iterator<Item = usize>| -> I32F32 { rows.map(|row| said.active_stake[row]).sum() };
    let total = stake(&mut rows());
    let minority = total - total * said.kappa;
    let column = |uid: &usize| {
        let weight = |row: usize| said.weights.get(row, *uid).unwrap_or_default();
        let mut order: Vec<usize> = rows().collect();
        order.sort_by_key(|row| (weight(*row), *row));
        let mut below = I32F32::ZERO;
        let passes = |row: &usize| {
            below += said.active_stake[*row];
            below > minority
        };
        order.into_iter().find(passes).map_or(0, |row| weight(row).to_bits())
    };
    columns.iter().map(column).collect()
}

/// Some of 12 rows vote, with few different weights and stakes, so that many are equal.
fn votes() -> impl Strategy<Value = (Vec<u32>, Vec<Vec<Option<u8>>>)> {
    let stakes = proptest::collection::vec(prop_oneof![Just(0), Just(100), 0u32..1_000], 12);
    let cell = prop_oneof![Just(None), (0u8..5).prop_map(Some)];
    (stakes, proptest::collection::vec(proptest::collection::vec(cell, 12), 12))
}

proptest! {
    #[test]
    fn the_consensus_without_a_row_is_that_of_the_others((stakes, rows) in votes(), kappa: u16) {
        let mut weights = Matrix::with_capacity(12, 12, 144);
        for row in &rows {
            for (uid, cell) in row.iter().enumerate() {
                cell.iter().for_each(|cell| weights.push(uid as u16, I32F32::from_proportion((*cell).into())));
            }
            weights.end_row();
        }
        let all: u32 = stakes.iter().sum();
        let share = |stake: &u32| I32F32::from_int(*stake as i32) / I32F32::from_int(all.max(1) as i32);
        let stakes: Vec<I32F32> = stakes.iter().map(share).collect();
        let (consensus, priors) = ([I32F32::ONE; 12], [[Prior::default(); 2]; 12]);
        let kappa = I32F32::from_proportion(kappa);
        let said = Statements { active_stake: &stakes, weights: &weights, consensus: &consensus, priors: &priors, kappa };
        let columns: Vec<usize> = (0..12).filter(|uid| uid % 5 != 3).collect();
        let peers = Peers::new(&said, &columns);
        for row in (0..12).filter(|row| said.votes(*row)) {
            prop_assert_eq!(peers.without(row), consensus_without(&said, &columns, row), "without {}", row);
            let own: Vec<i64> = columns.iter().map(|uid| weights.get(row, *uid).unwrap_or_default().to_bits()).collect();
            prop_assert_eq!(said.own(row, &columns), own);
        }
    }
}
