//! Errors in a mesh spec.

use nervure_consensus::checkpoint::ValidatorSetError;
use nervure_primitives::{Amount, BlockHeight, Excerpt, Netuid, NodeId};

use crate::params::OutOfRange;

/// Why a mesh spec is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// A mechanism with an invalid name or parameters.
    #[error(
        "invalid mechanism of subnet {netuid}: names have 1 to 32 lower-case letters, digits, hyphens and underscores, and there \
         are at most 16 parameters, each a whole number"
    )]
    BadMechanism {
        /// The subnet.
        netuid: Netuid,
    },
    /// Larger than [`super::MAX_SPEC_LEN`].
    #[error("the mesh spec has {bytes} bytes, and the maximum is {}", super::MAX_SPEC_LEN)]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// Invalid TOML, or a setting that is missing, unknown or of another type.
    #[error("not a mesh spec: {0}")]
    Toml(String),
    /// An invalid name.
    #[error("{place} = \"{name}\": a name has 1 to 64 lower-case letters, digits and hyphens")]
    BadName {
        /// Where it stands.
        place: String,
        /// The name.
        name: Excerpt,
    },
    /// A bound on block times that is out of range.
    #[error("{place} = {given}, and it has to be {least} to {most}")]
    TimeBound {
        /// Where it stands.
        place: &'static str,
        /// What it is, in milliseconds.
        given: u32,
        /// The least, in milliseconds.
        least: u32,
        /// The most, in milliseconds.
        most: u32,
    },
    /// The validators of a recovered mesh are no validator set.
    #[error("[[recovered.validators]]: {0}")]
    RecoveredValidators(ValidatorSetError),
    /// Upgrades that do not follow each other.
    #[error(
        "[[upgrades]] has version {version} at height {height}: heights and versions ascend, after height 0 and version 1"
    )]
    Upgrades {
        /// The height.
        height: BlockHeight,
        /// The version.
        version: u32,
    },
    /// A trusting period that is not shorter than the evidence window.
    #[error(
        "consensus.trusting_period_seconds = {trusting}, and evidence counts for {evidence} seconds \
         (economy.evidence_window blocks of consensus.block_milliseconds): light clients have to stop trusting validators \
         before that"
    )]
    TrustingPeriod {
        /// The trusting period in seconds.
        trusting: u64,
        /// The evidence window in seconds.
        evidence: u128,
    },
    /// A setting that must not be 0.
    #[error("{place} cannot be 0")]
    Zero {
        /// Where it stands.
        place: &'static str,
    },
    /// A subnet number that is used twice.
    #[error("[[subnets]] has netuid {netuid} twice")]
    DuplicateSubnet {
        /// The number.
        netuid: Netuid,
    },
    /// A node that is registered twice.
    #[error("[[nodes]] has {node} twice")]
    DuplicateNode {
        /// The node.
        node: NodeId,
    },
    /// A validator with too little stake to make blocks.
    #[error(
        "[[nodes]] {node} is a validator, and its stake is below {least} tokens ([economy] min_self_stake)"
    )]
    ValidatorStake {
        /// The node.
        node: NodeId,
        /// The minimum self-stake.
        least: Amount,
    },
    /// Too many endpoints.
    #[error("network.endpoints has more than {} entries", super::MAX_ENDPOINTS)]
    Endpoints,
    /// An anchor key of two nodes.
    #[error("[[nodes]] {node} has the anchor key of another node: each needs its own")]
    DuplicateAnchorKey {
        /// The later node.
        node: NodeId,
    },
    /// A registration in a subnet that does not exist.
    #[error("[[nodes]] {node} is registered in subnet {netuid}, which [[subnets]] does not have")]
    NoSuchSubnet {
        /// The node.
        node: NodeId,
        /// The subnet.
        netuid: Netuid,
    },
    /// A miner without a subnet.
    #[error("[[nodes]] {node} is a miner of no subnet: give it netuids = [..]")]
    Idle {
        /// The node.
        node: NodeId,
    },
    /// More validators or nodes than a subnet has slots for.
    #[error("subnet {netuid} has {count} {what}, at most {limit} fit")]
    TooManyNodes {
        /// The subnet.
        netuid: Netuid,
        /// `validators` or `nodes`.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many fit.
        limit: usize,
    },
    /// An account that is listed twice.
    #[error("[[accounts]] has {owner} twice")]
    DuplicateAccount {
        /// The owner key.
        owner: NodeId,
    },
    /// An account that is too small to exist.
    #[error("[[accounts]] {owner} has less than {least} tokens, the least that an account holds")]
    AccountTooSmall {
        /// The owner key.
        owner: NodeId,
        /// The existential deposit.
        least: Amount,
    },
    /// A vested amount that is none, or whose blocks are not in order.
    #[error(
        "[[accounts]] {owner}: vesting has an amount, an end after the genesis, and a cliff that is not after the end"
    )]
    Vesting {
        /// The owner key.
        owner: NodeId,
    },
    /// A setting of the economy outside its limits.
    #[error("[economy] {0}")]
    Economy(#[from] OutOfRange),
    /// A block time that is too short for validators to agree.
    #[error(
        "consensus.block_milliseconds = {given}: it has to be at least {}",
        super::MIN_BLOCK_MILLISECONDS
    )]
    BlockTime {
        /// The value in the spec.
        given: u32,
    },
    /// More tokens than the maximum supply.
    #[error(
        "[[accounts]] and the stakes of [[nodes]] add up to more than {} tokens",
        super::MAX_SUPPLY_TOKENS
    )]
    OverCap,
}
