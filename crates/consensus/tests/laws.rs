//! Laws of an epoch, on random and on hostile subnets.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use nervure_consensus::yuma::{
    BondsRule, Cell, EpochInput, EpochOutput, LiquidAlpha, Neuron, Params, Prior, YumaError, run_epoch,
    run_epoch_traced,
};
use nervure_primitives::Uid;
use proptest::{collection::vec, prelude::*, sample::subsequence};

/// A neuron that owns its rows.
#[derive(Clone, Debug, Default)]
struct OwnedNeuron {
    stake: u64,
    last_update: u64,
    registered: u64,
    permit: bool,
    commit_block: Option<u64>,
    weights: Vec<Cell>,
    bonds: Vec<Cell>,
    priors: [Prior; 2],
}

#[derive(Clone, Debug)]
struct Subnet {
    params: Params,
    block: u64,
    neurons: Vec<OwnedNeuron>,
}

const EMISSION: u64 = 1_000_000_000;

impl Subnet {
    fn with_input<T>(&self, emission: u64, run: impl FnOnce(&EpochInput<'_>) -> T) -> T {
        let neurons: Vec<Neuron<'_>> = self
            .neurons
            .iter()
            .map(|neuron| Neuron {
                stake: neuron.stake,
                last_update: neuron.last_update,
                registered: neuron.registered,
                permit: neuron.permit,
                commit_block: neuron.commit_block,
                weights: &neuron.weights,
                bonds: &neuron.bonds,
                priors: neuron.priors,
            })
            .collect();
        run(&EpochInput { params: &self.params, block: self.block, emission, neurons: &neurons })
    }

    fn run(&self) -> EpochOutput {
        self.with_input(EMISSION, run_epoch).unwrap()
    }
}

fn rule() -> impl Strategy<Value = BondsRule> {
    let liquid = (any::<u16>(), any::<u16>(), any::<i32>()).prop_map(|(a, b, steepness)| {
        BondsRule::Yuma3Liquid(LiquidAlpha { low: a.min(b), high: a.max(b), steepness })
    });
    let usual = Just(BondsRule::Yuma3Liquid(LiquidAlpha::default()));
    prop_oneof![Just(BondsRule::Yuma2), Just(BondsRule::Yuma3), usual, liquid]
}

fn cells(n: usize) -> impl Strategy<Value = Vec<Cell>> {
    let uids: Vec<u16> = (0..n as u16).collect();
    (subsequence(uids, 0..=n), vec(prop_oneof![Just(0u16), any::<u16>()], n))
        .prop_map(|(uids, values)| uids.into_iter().map(Uid).zip(values).collect())
}

/// A healthy subnet: distinct stakes small enough to scale, every mask possible.
fn subnet() -> impl Strategy<Value = Subnet> {
    let params = (rule(), any::<u16>(), any::<u16>(), 0u32..=1_000_000, 1u32..12);
    (params, 1usize..10).prop_flat_map(
        |((bonds, kappa, bonds_penalty, bonds_moving_average, max_validators), n)| {
            let neuron = (0u64..1_000_000, 900u64..1_000, 890u64..1_000, any::<bool>(), cells(n), cells(n));
            let params = Params {
                bonds,
                kappa,
                bonds_penalty,
                bonds_moving_average,
                max_validators,
                activity_cutoff: 60,
                ..Params::default()
            };
            (Just(params), vec(neuron, n), prop::option::of(0..n as u16)).prop_map(
                |(params, neurons, owner)| {
                    let neuron =
                        |(uid, (stake, last_update, registered, permit, weights, bonds))| OwnedNeuron {
                            stake: stake * 16 + uid as u64, // distinct
                            last_update,
                            registered,
                            permit,
                            commit_block: None,
                            weights,
                            bonds,
                            priors: Default::default(),
                        };
                    let neurons = neurons.into_iter().enumerate().map(neuron).collect();
                    Subnet { params: Params { owner: owner.map(Uid), ..params }, block: 1_000, neurons }
                },
            )
        },
    )
}

/// Moves the neuron of uid i to uid `to[i]`.
fn permuted(subnet: &Subnet, to: &[usize]) -> Subnet {
    let uid = |uid: Uid| Uid(to[usize::from(uid.0)] as u16);
    let cells = |cells: &[Cell]| cells.iter().map(|(to, value)| (uid(*to), *value)).collect();
    let mut moved = subnet.clone();
    moved.params.owner = subnet.params.owner.map(uid);
    for (from, neuron) in subnet.neurons.iter().enumerate() {
        moved.neurons[to[from]] =
            OwnedNeuron { weights: cells(&neuron.weights), bonds: cells(&neuron.bonds), ..neuron.clone() };
    }
    moved
}

fn sorted(mut row: Vec<Cell>) -> Vec<Cell> {
    row.sort();
    row
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Uids do not matter, exactly: no sum here comes near saturation, so the order of addition does not
    /// matter; ties for permits, which depend on the uid, are excluded by distinct stakes.
    #[test]
    fn permuting_uids_permutes_results(subnet in subnet(), seed in any::<prop::sample::Index>()) {
        let n = subnet.neurons.len();
        let shift = seed.index(n);
        let to: Vec<usize> = (0..n).map(|uid| (n - 1 - uid + shift) % n).collect();
        let (before, after) = (subnet.run(), permuted(&subnet, &to).run());
        for uid in 0..n {
            prop_assert_eq!(before.consensus[uid], after.consensus[to[uid]]);
            prop_assert_eq!(before.incentive[uid], after.incentive[to[uid]]);
            prop_assert_eq!(before.dividends[uid], after.dividends[to[uid]]);
            prop_assert_eq!(before.validator_trust[uid], after.validator_trust[to[uid]]);
            prop_assert_eq!(before.emission[uid], after.emission[to[uid]]);
            prop_assert_eq!(before.new_permits[uid], after.new_permits[to[uid]]);
            let bonds = before.bonds[uid].iter().map(|(uid, value)| (Uid(to[usize::from(uid.0)] as u16), *value));
            prop_assert_eq!(sorted(bonds.collect()), after.bonds[to[uid]].clone());
        }
    }

    /// The order within a row does not matter either.
    #[test]
    fn rows_may_come_in_any_order(subnet in subnet()) {
        let mut turned = subnet.clone();
        for neuron in &mut turned.neurons {
            neuron.weights.reverse();
            neuron.bonds.reverse();
        }
        prop_assert_eq!(subnet.run(), turned.run());
    }

    /// A validator without stake affects neither miners nor the earnings of others.
    #[test]
    fn weights_without_stake_change_nothing(subnet in subnet(), row in cells(9)) {
        let mut subnet = subnet;
        let n = subnet.neurons.len();
        subnet.neurons[0] = OwnedNeuron { stake: 0, permit: true, last_update: 1_000, ..subnet.neurons[0].clone() };
        let before = subnet.run();
        subnet.neurons[0].weights = row.into_iter().filter(|(uid, _)| usize::from(uid.0) < n).collect();
        let after = subnet.run();
        prop_assert_eq!(&before.consensus, &after.consensus);
        prop_assert_eq!(&before.incentive, &after.incentive);
        // Emission divides by the sum of incentives and dividends; under Yuma 3 the latter sum may round otherwise in its
        // last bit, 2^-32 for each uid.
        let rounding = if subnet.params.bonds == BondsRule::Yuma2 { 0 } else { 4 };
        for (before, after) in before.server_emission.iter().zip(&after.server_emission) {
            prop_assert!(before.abs_diff(*after) <= rounding, "{} and {}", before, after);
        }
        prop_assert_eq!(&before.new_permits, &after.new_permits);
        prop_assert_eq!(after.dividends[0], 0);
        if subnet.params.bonds == BondsRule::Yuma2 {
            // (Under Yuma 3 its bonds dilute those of others in the same miner.)
            prop_assert_eq!(&before.dividends, &after.dividends);
        }
    }

    /// Stake is relative. Exactly, when the scale is a power of two: a share is the quotient of two
    /// whole numbers, cut once to 64 and once to 32 fraction bits. In fact for any scale that keeps the
    /// sum below 2^63, since the quotient itself does not change.
    #[test]
    fn scaling_all_stakes_changes_nothing(subnet in subnet(), scale in 1u64..50_000_000_000) {
        let mut scaled = subnet.clone();
        scaled.neurons.iter_mut().for_each(|neuron| neuron.stake *= scale);
        prop_assert_eq!(subnet.run(), scaled.run());
    }

    /// No emission is created: shares sum to at most one, and rounding loses less than a unit per uid and
    /// the resolution of a share (2^-32 of the emission) for each of at most three divisions.
    #[test]
    fn emission_is_split_without_minting(subnet in subnet()) {
        let (output, trace) = subnet.with_input(EMISSION, run_epoch_traced).unwrap();
        let n = subnet.neurons.len() as u64;
        let sum: i64 = trace.incentive.iter().map(|share| share.to_bits()).sum();
        prop_assert!(sum <= 1 << 32);
        prop_assert!(sum == 0 || sum >= (1 << 32) - n as i64, "incentive sums to {sum} of 2^32");
        let incentive: u64 = output.incentive.iter().map(|share| u64::from(*share)).sum();
        prop_assert!(incentive <= 65_535 && (incentive == 0 || incentive + n + 1 >= 65_535));
        let parts: u64 = output.server_emission.iter().chain(&output.validator_emission).sum();
        let remainder = output.remainder(EMISSION).unwrap();
        prop_assert!(parts <= EMISSION);
        let any_stake = trace.stake.iter().any(|share| share.to_bits() != 0);
        prop_assert!(incentive == 0 && !any_stake || remainder <= 2 * n, "{remainder} is left");
        prop_assert_eq!(output.emission.iter().sum::<u64>() + remainder, EMISSION);
        prop_assert!(parts <= EMISSION - remainder);
    }

    /// A trace changes nothing.
    #[test]
    fn traced_and_untraced_epochs_agree(subnet in subnet()) {
        let (output, trace) = subnet.with_input(EMISSION, run_epoch_traced).unwrap();
        prop_assert_eq!(&output, &subnet.run());
        let consensus: Vec<u16> = trace.consensus.iter().map(|share| share.to_proportion()).collect();
        prop_assert_eq!(consensus, output.consensus);
    }
}

/// Six validators and twenty miners, with any weights, bonds and priors.
fn wide() -> impl Strategy<Value = Subnet> {
    let prior = (any::<u32>(), any::<u32>()).prop_map(|(consensus, mean)| Prior { consensus, mean });
    let rows = vec((1u64..1_000_000, cells(26), cells(26)), 6);
    let priors = vec((prior.clone(), prior).prop_map(|(last, before)| [last, before]), 26);
    (rows, priors, 1u16.., rule()).prop_map(|(rows, priors, peer_prediction, bonds)| {
        let miner = |priors| OwnedNeuron { priors, ..OwnedNeuron::default() };
        let mut neurons: Vec<OwnedNeuron> = priors.into_iter().map(miner).collect();
        for (uid, (neuron, (stake, weights, bonds))) in neurons.iter_mut().zip(rows).enumerate() {
            let stake = stake * 16 + uid as u64;
            *neuron =
                OwnedNeuron { stake, last_update: 1_000, permit: true, weights, bonds, ..neuron.clone() };
        }
        Subnet { params: Params { peer_prediction, bonds, ..Params::default() }, block: 1_000, neurons }
    })
}

proptest! {
    /// Peer prediction moves dividends between validators and nothing else: no token is made or lost by it.
    #[test]
    fn peer_prediction_moves_dividends_only(subnet in wide(), shift in 0usize..26) {
        let (with, trace) = subnet.with_input(EMISSION, run_epoch_traced).unwrap();
        let params = Params { peer_prediction: 0, ..subnet.params.clone() };
        let without = Subnet { params, ..subnet.clone() }.run();
        prop_assert!(without.priors.is_empty() && with.priors.len() == 26 && trace.skills.len() == 26);
        prop_assert_eq!((&with.consensus, &with.incentive, &with.bonds), (&without.consensus, &without.incentive, &without.bonds));
        let sums = [&with, &without].map(|output| output.validator_emission.iter().sum::<u64>());
        prop_assert!(sums[0].abs_diff(sums[1]) <= 60, "{:?}", sums);
        let mut miners = with.server_emission.iter().zip(&without.server_emission);
        prop_assert!(miners.all(|(with, without)| with.abs_diff(*without) <= 20));
        prop_assert!(with.server_emission.iter().chain(&with.validator_emission).sum::<u64>() <= EMISSION);
        let to: Vec<usize> = (0..26).map(|uid| (25 - uid + shift) % 26).collect();
        let moved = permuted(&subnet, &to).run();
        for (uid, new) in to.iter().enumerate() {
            prop_assert_eq!(with.dividends[uid], moved.dividends[*new]);
            prop_assert_eq!(with.priors[uid], moved.priors[*new]);
        }
    }
}

/// Ten honest validators give miner 10 everything; `colluders` of ten of equal stake give miner 11.
fn coalition(colluders: usize, kappa: u16) -> EpochOutput {
    let neuron = |uid: usize| OwnedNeuron {
        stake: if uid < 10 { 1_000 } else { 0 },
        last_update: 1_000,
        permit: uid < 10,
        weights: if uid < colluders {
            vec![(Uid(11), 65_535)]
        } else if uid < 10 {
            vec![(Uid(10), 65_535)]
        } else {
            vec![]
        },
        ..OwnedNeuron::default()
    };
    Subnet {
        params: Params { kappa, ..Params::default() },
        block: 1_000,
        neurons: (0..12).map(neuron).collect(),
    }
    .run()
}

/// Whether a coalition without a majority gets nothing for its miner.
fn clips_minorities(kappa: u16) -> bool {
    (1..5).all(|colluders| {
        let output = coalition(colluders, kappa);
        output.consensus[11] == 0 && output.incentive[11] == 0 && output.incentive[10] == 65_535
    })
}

#[test]
fn a_coalition_below_kappa_cannot_raise_its_miner() {
    assert!(clips_minorities(32_767));
    // Broken variants: a median that takes the largest vote, or asks only for a tenth of the stake.
    assert!(!clips_minorities(0));
    assert!(!clips_minorities(6_553));
    // The rule allows a majority.
    assert!(coalition(6, 32_767).incentive[11] > 0);
}

proptest! {
    /// For all weights of the honest majority and of the minority, no miner's clipped weight exceeds
    /// the largest weight of an honest validator.
    #[test]
    fn a_minority_stays_below_the_clip(honest in vec(vec(1u16.., 3), 4..8), lies in vec(vec(any::<u16>(), 3), 1..4)) {
        let honest_count = honest.len();
        let rows: Vec<Vec<u16>> = honest.into_iter().chain(lies).collect();
        let validators = rows.len();
        let neuron = |uid: usize| OwnedNeuron {
            stake: if uid < honest_count { 1_000 } else if uid < validators { 999 } else { 0 },
            last_update: 1_000,
            permit: uid < validators,
            weights: rows.get(uid).map_or(vec![], |row| {
                row.iter().enumerate().map(|(miner, value)| (Uid((validators + miner) as u16), *value)).collect()
            }),
            ..OwnedNeuron::default()
        };
        let neurons = (0..validators + 3).map(neuron).collect();
        let subnet = Subnet { params: Params::default(), block: 1_000, neurons };
        let (_, trace) = subnet.with_input(EMISSION, run_epoch_traced).unwrap();
        for miner in validators..validators + 3 {
            let largest = (0..honest_count).filter_map(|uid| trace.weights.get(uid, miner)).max().unwrap();
            prop_assert!(trace.consensus[miner] <= largest);
            prop_assert!((0..validators).all(|uid| trace.clipped.get(uid, miner).unwrap_or_default() <= largest));
        }
    }
}

/// Any input that the types allow.
fn hostile() -> impl Strategy<Value = Subnet> {
    let number = || prop_oneof![0u64..4, any::<u64>(), (u64::MAX - 3)..=u64::MAX];
    let cells = |max: u16| {
        vec((0..=max, any::<u16>()), 0..6)
            .prop_map(|row| row.into_iter().map(|(uid, v)| (Uid(uid), v)).collect())
    };
    let neuron =
        (number(), number(), number(), any::<bool>(), prop::option::of(number()), cells(5), cells(5))
            .prop_map(|(stake, last_update, registered, permit, commit_block, weights, bonds)| OwnedNeuron {
                stake,
                last_update,
                registered,
                permit,
                commit_block,
                weights,
                bonds,
                priors: [Prior { consensus: commit_block.unwrap_or(7) as u32, mean: stake as u32 }; 2],
            });
    let liquid = (any::<u16>(), any::<u16>(), any::<i32>())
        .prop_map(|(low, high, steepness)| BondsRule::Yuma3Liquid(LiquidAlpha { low, high, steepness }));
    let rule = prop_oneof![Just(BondsRule::Yuma2), Just(BondsRule::Yuma3), liquid];
    let first = (any::<u16>(), any::<u16>(), 0u32..1_100_000, rule, 0u32..8);
    let second = (number(), number(), number(), prop::option::of(0u16..8), number());
    (first, second, number(), vec(neuron, 0..6)).prop_map(|(first, second, block, neurons)| {
        let (kappa, bonds_penalty, bonds_moving_average, bonds, max_validators) = first;
        let (tempo, activity_cutoff, stake_threshold, owner, last_step_block) = second;
        let params = Params {
            kappa,
            bonds_penalty,
            bonds_moving_average,
            bonds,
            max_validators,
            tempo,
            activity_cutoff,
            stake_threshold,
            owner: owner.map(Uid),
            last_step_block,
            peer_prediction: kappa,
        };
        Subnet { params, block, neurons }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn hostile_numbers_give_a_result_or_an_error(subnet in hostile(), emission: u64) {
        let n = subnet.neurons.len();
        if let Ok(output) = subnet.with_input(emission, run_epoch) {
            prop_assert_eq!(output.emission.len(), n);
            prop_assert_eq!(output.bonds.len(), n);
            // Its bonds are a valid input of the next epoch.
            let mut next = subnet.clone();
            for (neuron, bonds) in next.neurons.iter_mut().zip(output.bonds) {
                neuron.bonds = bonds;
            }
            prop_assert!(next.with_input(emission, run_epoch_traced).is_ok());
        }
    }
}

#[test]
fn small_and_empty_subnets() {
    let empty = Subnet { params: Params::default(), block: 5, neurons: vec![] };
    assert_eq!(empty.run(), EpochOutput::default());
    assert_eq!(empty.run().remainder(EMISSION), Some(EMISSION));

    let alone = Subnet { neurons: vec![OwnedNeuron { stake: 7, ..OwnedNeuron::default() }], ..empty.clone() };
    assert_eq!(alone.run().emission, [EMISSION], "the only staker, although it may not vote yet");
    let poor = Subnet { neurons: vec![OwnedNeuron::default(); 3], ..empty };
    assert_eq!(poor.run().emission, [0, 0, 0]);
    assert_eq!(poor.run().new_permits, [false; 3]);
}

#[test]
fn emission_goes_by_stake_when_all_are_inactive() {
    let neuron =
        |stake| OwnedNeuron { stake, permit: true, weights: vec![(Uid(2), 9)], ..OwnedNeuron::default() };
    let params = Params { activity_cutoff: 10, ..Params::default() };
    let neurons = vec![neuron(1), neuron(3), neuron(0)];
    let output = Subnet { params, block: 11, neurons }.run();
    assert_eq!(output.validator_emission, [EMISSION / 4, EMISSION / 4 * 3, 0]);
    assert_eq!(output.server_emission, [0, 0, 0]);
}

#[test]
fn refuses_invalid_rows() {
    let with = |cells: &[(u16, u16)]| {
        let weights = cells.iter().map(|(uid, value)| (Uid(*uid), *value)).collect();
        let neurons = vec![OwnedNeuron { weights, ..OwnedNeuron::default() }, OwnedNeuron::default()];
        Subnet { params: Params::default(), block: 1, neurons }.with_input(1, run_epoch)
    };
    assert!(with(&[(1, 5), (0, 5)]).is_ok());
    assert!(matches!(with(&[(0, 5), (2, 5)]), Err(YumaError::UidOutOfRange { uid: Uid(2), .. })));
    assert!(matches!(with(&[(1, 5), (0, 5), (1, 6)]), Err(YumaError::DuplicateUid { uid: Uid(1), .. })));
}

#[test]
fn a_completed_step_moves_the_start_of_recent_registrations() {
    let run = |last_step_block, registered| {
        let validator = OwnedNeuron {
            stake: 9,
            permit: true,
            last_update: 99,
            weights: vec![(Uid(1), 65_535)],
            bonds: vec![(Uid(1), 65_535)],
            ..OwnedNeuron::default()
        };
        let params = Params { last_step_block, tempo: 10, ..Params::default() };
        let neurons = vec![validator, OwnedNeuron { registered, ..OwnedNeuron::default() }];
        Subnet { params, block: 100, neurons }.run().bonds[0][0].1
    };
    let (fresh, kept) = (6_553, 65_535);
    assert_eq!((run(0, 89), run(0, 90)), (kept, fresh), "without a step, one tempo ago counts");
    assert_eq!((run(80, 80), run(80, 81)), (kept, fresh), "else the block after the last step");
}
