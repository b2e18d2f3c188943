//! What applying a block reports.

use nervure_primitives::{Amount, BlockHeight, Hash, Netuid, NodeId, UntrustedText};
use serde::{Deserialize, Serialize};

use crate::{
    governance::{MAX_REASON_BYTES, ProposalId, Tally, Verdict},
    transaction::{Outcome, Rejection},
};

/// Something that a block did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A transaction was carried out.
    Applied {
        /// The id of its envelope.
        id: Hash,
        /// What was paid for it.
        paid: Amount,
        /// What it did.
        outcome: Outcome,
    },
    /// A transaction was rejected: it did nothing, but was paid for.
    Rejected {
        /// The id of its envelope.
        id: Hash,
        /// What was paid for it.
        paid: Amount,
        /// Why.
        rejection: Rejection,
    },
    /// A subnet's epoch was computed and paid.
    Epoch {
        /// The subnet.
        netuid: Netuid,
        /// The number of its epoch, from 0.
        epoch: u64,
        /// What owner, miners and stakers got; the rest of the pot waits for the next epoch.
        paid: Amount,
    },
    /// A subnet's epoch could not be computed; its pot waits for the next one.
    EpochFailed {
        /// The subnet.
        netuid: Netuid,
        /// Why: what the ledger stores should never lead to this.
        why: String,
    },
    /// A validator missed more than half of the last heights: it is not elected, and may join again later.
    ValidatorJailed {
        /// The node.
        node: NodeId,
        /// How many heights of the liveness window it missed.
        missed: u64,
        /// The block from which on it may join again.
        until: BlockHeight,
    },
    /// A node is not elected any more: its owner's stake on it is below the minimum.
    ValidatorRemoved {
        /// The node.
        node: NodeId,
        /// What its owner has on it.
        self_stake: Amount,
    },
    /// The votes on a proposal were counted.
    ProposalCounted {
        /// The proposal.
        proposal: ProposalId,
        /// What they decided.
        verdict: Verdict,
        /// The count.
        tally: Tally,
    },
    /// A proposal took effect.
    ProposalDone {
        /// The proposal.
        proposal: ProposalId,
    },
    /// A proposal passed and could not take effect.
    ProposalFailed {
        /// The proposal.
        proposal: ProposalId,
        /// Why.
        why: UntrustedText<MAX_REASON_BYTES>,
    },
}
