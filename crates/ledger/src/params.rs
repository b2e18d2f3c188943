//! What a mesh may set about its economy, with the defaults of a public mesh.

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
}

impl Default for Params {
    fn default() -> Self {
        Self { min_fee: 1_000, min_stake: 100_000_000, unbonding: 720, take_interval: 216_000 }
    }
}
