//! What a mesh may set about its economy, with the defaults of a public mesh.

use nervure_consensus::yuma;

use crate::{
    economics::{burn::BurnRule, lock::LockRule},
    spec::SLOTS,
};

/// The parameters of a mesh's ledger. Amounts are base units, times are blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The least fee of a transaction that an owner key signs. Fees are recycled. 0 makes refilling
    /// blocks free; default 1,000.
    pub min_fee: u64,
    /// The least that a staker may keep on a node: bounds how many stakers there can be. Default 0.1
    /// token.
    pub min_stake: u64,
    /// Blocks between unstaking and having the amount; default 720. Below the time in which fraud is
    /// noticed, stake answers for nothing.
    pub unbonding: u64,
    /// Blocks between two raises of a node's take; default 216,000 (30 days).
    pub take_interval: u64,
    /// How the price of a neuron's slot moves. A new subnet starts at its floor.
    pub burn: BurnRule,
    /// How the price of a subnet moves.
    pub lock: LockRule,
    /// Most neurons of a subnet; default 256.
    pub slots: usize,
    /// Most subnets of the mesh; default 128.
    pub max_subnets: usize,
    /// Blocks in which a new neuron cannot lose its slot to a newcomer; default 5,000.
    pub neuron_immunity: u64,
    /// Blocks in which a new subnet cannot be dissolved; default 50,400 (7 days).
    pub subnet_immunity: u64,
    /// Blocks over which a subnet's emission is averaged to rank it, at least 1; default 50,400.
    pub emission_average: u64,
    /// Blocks between two votes of a node on the subnets' shares; default 100.
    pub vote_interval: u64,
    /// Unrevealed commits that a neuron may have; default 10.
    pub max_commits: usize,
    /// Least number of uids that revealed weights name; default 1.
    pub min_weights: usize,
    /// Oldest version of a validator whose weights count; 0, the default, takes every one.
    pub version_key: u64,
    /// The epoch of a subnet: tempo, kappa, bonds, stake threshold. Owner and last step are filled in.
    pub yuma: yuma::Params,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            min_fee: 1_000,
            min_stake: 100_000_000,
            unbonding: 720,
            take_interval: 216_000,
            burn: BurnRule::default(),
            lock: LockRule::default(),
            slots: SLOTS,
            max_subnets: 128,
            neuron_immunity: 5_000,
            subnet_immunity: 50_400,
            emission_average: 50_400,
            vote_interval: 100,
            max_commits: 10,
            min_weights: 1,
            version_key: 0,
            yuma: yuma::Params::default(),
        }
    }
}
