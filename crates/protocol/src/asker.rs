//! Classes of askers: who is served first when there is not enough for all.
//!
//! A key costs nothing and a registration next to nothing, so that neither is worth a place that others paid for. What
//! counts is what the finalised ledger says of the node's key: a permit, or stake of its owner's.

use std::num::NonZeroU32;

/// A class of askers, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AskerClass {
    /// A key that the ledger does not know.
    Stranger,
    /// A key that is registered, which costs a fee.
    Registered,
    /// A node whose owner has stake behind its key.
    Staked,
    /// A validator with a permit in a subnet that the asked node serves, or one that makes blocks.
    Validator,
}

impl AskerClass {
    /// All of them, in ascending order.
    pub const ALL: [Self; 4] = [Self::Stranger, Self::Registered, Self::Staked, Self::Validator];

    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Registered => "registered",
            Self::Staked => "staked",
            Self::Validator => "validator",
        }
    }

    /// Whether an adversary gets any number of such keys for next to nothing. All of these together have one share.
    pub const fn is_free(self) -> bool {
        matches!(self, Self::Stranger | Self::Registered)
    }

    /// The weight of its share where all classes wait: validators and staked askers get eight parts each, registered
    /// keys two, strangers one.
    pub const fn weight(self) -> NonZeroU32 {
        let more = match self {
            Self::Stranger => 0,
            Self::Registered => 1,
            Self::Staked | Self::Validator => 7,
        };
        NonZeroU32::MIN.saturating_add(more)
    }
}

/// What an asker is, as the ledger knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskerStanding {
    /// Its class.
    pub class: AskerClass,
    /// Its part of the class's share, relative to the other askers of the class. It follows stake where there is any, so
    /// that an owner gains nothing by dividing stake among many keys.
    pub weight: NonZeroU32,
}

impl AskerStanding {
    /// An asker of `class`, with the smallest weight.
    pub const fn of(class: AskerClass) -> Self {
        Self { class, weight: NonZeroU32::MIN }
    }
}
