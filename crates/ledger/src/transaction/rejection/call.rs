//! Rejections of calls in a batch, of a threshold account, or by a proxy.

use nervure_primitives::BlockHeight;
use serde::{Deserialize, Serialize};

use super::{ProxyRejection, Rejection};

/// Why a call inside of another one is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallRejection {
    /// A call of a batch was rejected, and the others with it.
    #[error("call {call} of the batch: {why}")]
    Batch {
        /// Which call, from 1.
        call: u8,
        /// Why.
        why: Box<Rejection>,
    },
    /// Not the next nonce of the threshold account: this call was carried out before, or another one instead.
    #[error("the approvals are for nonce {given} of the threshold account, whose next nonce is {expected}")]
    MultisigNonce {
        /// The account's next nonce.
        expected: u64,
        /// The nonce that was approved.
        given: u64,
    },
    /// The approvals hold no more.
    #[error("the approvals expired at block {expiry}")]
    ApprovalsExpired {
        /// Their last block.
        expiry: BlockHeight,
    },
    /// A proxy that may not do what it asks for.
    #[error(transparent)]
    Proxy(#[from] ProxyRejection),
}

impl CallRejection {
    /// The next step of a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Batch { why, .. } => why.hint(),
            Self::MultisigNonce { .. } | Self::ApprovalsExpired { .. } => {
                "make a new proposal and collect approvals for it: --multisig FILE --propose FILE"
            }
            Self::Proxy(rejection) => rejection.hint(),
        }
    }
}
