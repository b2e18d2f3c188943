//! Yuma consensus: from the validators' weights to incentive, dividends and emission.
//!
//! Each validator gives miners weights. The consensus weight of a miner is the largest weight that at
//! least a share kappa of the voting stake gives it. Weights above it are clipped to it, so that a
//! minority cannot raise a miner. The clipped weights, weighted by stake, rank the miners. Validators
//! earn dividends by their bonds in the miners that earn; bonds are moving averages of weights.
//!
//! [`run_epoch`] computes one epoch of one subnet from an [`EpochInput`], a pure function of integers
//! ([`crate::fixed`]): the same input gives the same bits on every machine. [`run_epoch_traced`] also
//! returns every intermediate result. [`case`] runs epochs described in JSON files.
//!
//! ```
//! use nervure_consensus::yuma::{EpochInput, Neuron, Params, run_epoch};
//! use nervure_primitives::Uid;
//!
//! let weights = [(Uid(1), 65_535)];
//! let validator = Neuron { stake: 1_000, permit: true, last_update: 5, weights: &weights, ..Neuron::default() };
//! let miner = Neuron { stake: 0, last_update: 5, ..Neuron::default() };
//! let input = EpochInput { params: &Params::default(), block: 6, emission: 1_000, neurons: &[validator, miner] };
//! let output = run_epoch(&input)?;
//! assert_eq!(output.emission, [500, 500]);
//! # Ok::<(), nervure_consensus::yuma::YumaError>(())
//! ```
//!
//! # Choices where Bittensor's rules are open
//!
//! * A column in which no stake exceeds the minority (kappa 0) has its largest weight as consensus.
//! * Weights and bonds may come in any order; naming a uid twice or one that does not exist is an error.
//! * A bond that rounds to zero in u16 is stored as an explicit zero, as long as it is above zero in
//!   32 fraction bits.
//! * Raw stakes above 2^63 - 1 saturate, and so does their sum: beyond that, shares no longer add up to
//!   one, and the epoch pays more than its emission. [`EpochOutput::remainder`] is then none.
//!
//! # What is not in Bittensor's rules
//!
//! [`Params::peer_prediction`] splits a part of the dividends by what weights said before it was public. It is 0 by
//! default, and the epoch is then that of the published vectors, to the bit.

mod bonds;
pub mod case;
mod emission;
mod error;
mod explain;
mod input;
mod median;
mod output;
mod params;
mod peer_prediction;
mod permits;
mod sparse;
mod stake;
mod trace;
mod weights;

#[cfg(test)]
mod math_tests;

pub use error::{RowKind, YumaError};
pub use explain::{Explanation, ValidatorWeight, explain};
pub use input::{Cell, EpochInput, Neuron};
pub use output::{EpochOutput, checked_sum};
pub use params::{ACTIVITY_FACTOR_MILLI, BondsRule, LiquidAlpha, Params, activity_cutoff};
pub use peer_prediction::Prior;
pub use sparse::Matrix;
pub use trace::Trace;

use crate::fixed::{I32F32, normalize};

/// Computes an epoch.
///
/// # Errors
///
/// A [`YumaError`] for invalid input: crossed bounds, and uids that do not exist or come twice.
pub fn run_epoch(input: &EpochInput<'_>) -> Result<EpochOutput, YumaError> {
    compute(input, None)
}

/// Computes an epoch and keeps every intermediate result.
///
/// # Errors
///
/// Those of [`run_epoch`].
pub fn run_epoch_traced(input: &EpochInput<'_>) -> Result<(EpochOutput, Trace), YumaError> {
    let mut trace = Trace::default();
    let output = compute(input, Some(&mut trace))?;
    Ok((output, trace))
}

/// Computes the epoch; copies intermediate results into `trace` if there is one.
#[expect(clippy::too_many_lines, reason = "the steps of the published epoch, in their order")]
fn compute(input: &EpochInput<'_>, mut trace: Option<&mut Trace>) -> Result<EpochOutput, YumaError> {
    input.check()?;
    let stake = stake::shares(input);
    let permits = permits::current(input);
    // Permits of the next epoch come from all stake, active or not; this epoch runs with the permits in
    // force.
    let new_permits = permits::next(&stake, input.params.max_validators, input.params.owner);
    // Only stake with a permit and recent weights votes.
    let active_stake = stake::active(input, &stake, &permits);

    // Incentive uses the clipped weights; bonds use a mix of both, below.
    let weights = weights::masked(input, &permits)?;
    let consensus = median::consensus(&active_stake, &weights, input.params.kappa());
    let clipped = weights.clipped(&consensus);
    // Rows sum to one before clipping (or to zero), so this is the part of a validator's weights that the
    // majority shares.
    let validator_trust = clipped.row_sums();
    let rank = clipped.weighted_column_sums(&active_stake);
    // The ranks themselves stay: the trace shows them next to the shares.
    let mut incentive = rank.clone();
    normalize(&mut incentive);
    if let Some(trace) = trace.as_deref_mut() {
        let all = weights.weighted_column_sums(&active_stake);
        trace.trust = rank.iter().zip(all).map(|(rank, all)| *rank / all).collect();
        trace.weights = weights.clone();
        trace.clipped = clipped.clone();
    }

    // Before the weights are mixed below: it reads them as they were given. No priors are kept where they are not read.
    let predicted = (input.params.peer_prediction > 0).then(|| {
        let priors: Vec<_> = input.neurons.iter().map(|neuron| neuron.priors).collect();
        let statements = peer_prediction::Statements {
            active_stake: &active_stake,
            weights: &weights,
            consensus: &consensus,
            priors: &priors,
            kappa: input.params.kappa(),
        };
        (statements.skills(), statements.prior())
    });
    let (skills, priors) = predicted.unwrap_or_default();

    // beta = 0 lets bonds follow the validator's own weights, beta = 1 the clipped ones.
    let weights = Matrix::interpolated(weights, clipped, input.params.bonds_penalty());
    let inputs = bonds::BondInputs {
        active_stake: &active_stake,
        weights: &weights,
        consensus: &consensus,
        incentive: &incentive,
    };
    let mut bonds = bonds::update(input, &inputs)?;
    if !skills.is_empty() {
        let part = I32F32::from_proportion(input.params.peer_prediction);
        peer_prediction::by_skill(&mut bonds.dividends, &skills, part);
    }
    let shares = emission::EmissionShares {
        incentive: &incentive,
        dividends: &bonds.dividends,
        active_stake: &active_stake,
        stake: &stake,
    };
    let amounts = emission::split(input.emission, &shares);
    let output = EpochOutput {
        consensus: proportions(&consensus),
        incentive: proportions(&incentive),
        dividends: proportions(&bonds.dividends),
        validator_trust: proportions(&validator_trust),
        server_emission: amounts.server,
        validator_emission: amounts.validator,
        emission: amounts.combined,
        // By the new permits: a validator that loses its permit now loses its bonds with it.
        bonds: bonds::to_stored(&bonds.after, &new_permits),
        new_permits,
        priors,
    };
    if let Some(trace) = trace {
        *trace = Trace {
            active: (0..input.neurons.len()).map(|uid| input.is_active(uid)).collect(),
            stake,
            permits,
            active_stake,
            consensus,
            validator_trust,
            rank,
            incentive,
            weights_for_bonds: weights,
            bonds_before: bonds.before,
            bonds_after: bonds.after,
            skills,
            dividends: bonds.dividends,
            ..std::mem::take(trace)
        };
    }
    Ok(output)
}

/// Shares as u16 proportions, rounded down.
fn proportions(shares: &[I32F32]) -> Vec<u16> {
    shares.iter().map(|share| share.to_proportion()).collect()
}
