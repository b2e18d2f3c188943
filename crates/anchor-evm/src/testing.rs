//! Access for tests that send the contract submissions which no honest caller sends.

use alloy::{primitives::hex, sol_types::SolCall};
use nervure_anchor::{AnchorError, Submission};

pub use crate::{contract::CheckpointAnchor, deploy::deploy_code};

/// The call that submits, as JSON-RPC takes it.
pub fn calldata(submission: &Submission) -> String {
    hex::encode_prefixed(crate::convert::submission(submission).abi_encode())
}

/// The error in the data of a revert.
pub fn rejection(data: &str) -> AnchorError {
    hex::decode(data)
        .map_or_else(|_| AnchorError::Untrustworthy(data.into()), |data| crate::convert::rejection(&data))
}
