//! Why a proxy may not do what it asks for.

use nervure_primitives::{Amount, BlockHeight, Hash, NodeId};
use serde::{Deserialize, Serialize};

use crate::proxies::{MAX_ANNOUNCED_BYTES, MAX_ANNOUNCEMENTS, MAX_PROXIES, MAX_PROXY_BLOCKS};

/// Why a proxy is not set, or may not do what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyRejection {
    /// Not a key that may act for the owner.
    #[error("{proxy} is no proxy of this owner")]
    NoProxy {
        /// The key.
        proxy: NodeId,
    },
    /// A proxy whose time is over.
    #[error("the proxy could act until block {expiry}")]
    Expired {
        /// The last block at which it could act.
        expiry: BlockHeight,
    },
    /// A call that the proxy may not do, or none may.
    #[error("the proxy may not do this: it is not in its scopes, or only the owner itself may")]
    Scope,
    /// More than the proxy may spend.
    #[error("the proxy may spend only {left} tokens more in this interval")]
    Limit {
        /// What its limit leaves.
        left: Amount,
    },
    /// A grant that means nothing or cannot be kept, or one for oneself.
    #[error(
        "a proxy is another key, with at least one scope, an interval of 1 to {MAX_PROXY_BLOCKS} blocks, a delay of at most as many, \
         and an expiry that is not over"
    )]
    Grant,
    /// The owner has as many proxies as it may.
    #[error("an owner has at most {MAX_PROXIES} proxies")]
    TooManyProxies,
    /// The same call was announced before.
    #[error("this call is already announced, as {id}")]
    AlreadyAnnounced {
        /// The announcement.
        id: Hash,
    },
    /// As much is announced for the owner as may be.
    #[error("at most {MAX_ANNOUNCEMENTS} calls are announced for an owner at a time")]
    TooManyAnnouncements,
    /// A call that is too large to be kept.
    #[error("a call that is announced has at most {MAX_ANNOUNCED_BYTES} bytes")]
    AnnouncementTooLarge,
    /// The proxy acts without a delay.
    #[error("this proxy acts without a delay: nothing has to be announced")]
    NoDelay,
    /// The call was not announced, or was cancelled.
    #[error("this call is not announced, or was cancelled")]
    NotAnnounced,
    /// The delay is not over.
    #[error("the announced call can be sent from block {from} on")]
    NotReady {
        /// The first block.
        from: BlockHeight,
    },
}

impl ProxyRejection {
    /// The next step of a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoProxy { .. } | Self::Expired { .. } | Self::Scope | Self::TooManyProxies => {
                "the owner sees and sets its proxies: nervure wallet show, nervure wallet proxy set PROXY"
            }
            Self::Limit { .. } => "wait for the next interval, or ask the owner for a higher limit",
            Self::Grant => "see nervure wallet proxy set --help",
            Self::AlreadyAnnounced { .. } | Self::NotReady { .. } => {
                "wait for that block, then send it without --announce; the current one: nervure status"
            }
            Self::TooManyAnnouncements => "cancel one first: nervure wallet proxy cancel ID",
            Self::AnnouncementTooLarge => "only a proxy without a delay, or the owner, can do this",
            Self::NoDelay => "send it without --announce",
            Self::NotAnnounced => "announce it first: --announce",
        }
    }
}
