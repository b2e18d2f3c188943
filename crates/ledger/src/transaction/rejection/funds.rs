//! Rejections about balances, deposits and vested amounts.

use nervure_primitives::Amount;
use serde::{Deserialize, Serialize};

/// Why an account cannot pay, or cannot get, what a transaction says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FundsRejection {
    /// The signer's balance is too low.
    #[error("the balance is too low: {needed} tokens are needed")]
    Balance {
        /// The least balance.
        needed: Amount,
    },
    /// An amount of zero.
    #[error("the amount is zero")]
    Nothing,
    /// A payment that would make an account with less than the existential deposit.
    #[error("the recipient has no account, and an account holds at least {least} tokens")]
    AccountTooSmall {
        /// The existential deposit.
        least: Amount,
    },
    /// What the signer's account would be left with is not zero and less than the existential deposit.
    #[error("the account would be left with {left} tokens, and an account holds at least {least}")]
    RestTooSmall {
        /// What would be left.
        left: Amount,
        /// The existential deposit.
        least: Amount,
    },
    /// The owner cannot pay the deposit of a record.
    #[error("the owner's balance is too low for the deposit: {needed} tokens are needed")]
    Deposit {
        /// The deposit, and what the account has to keep.
        needed: Amount,
    },
    /// Blocks of a vested amount that are not in order.
    #[error("a vested amount has a start, a cliff and an end in this order, and an end that is to come")]
    Schedule,
    /// Too little to vest.
    #[error("a vested amount is at least {least} tokens")]
    VestedAmount {
        /// The least amount.
        least: Amount,
    },
    /// The sender has vested as many amounts for the recipient as it may.
    #[error(
        "at most {} vested amounts go from one account to another at a time",
        crate::vesting::MAX_VESTINGS
    )]
    TooManyVestings,
    /// Nothing that can be claimed.
    #[error("nothing of what this account gave has vested since the last claim")]
    NothingVested,
}

impl FundsRejection {
    /// The next step of a user at a terminal.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Balance { .. } => "see the balance: nervure wallet show",
            Self::Nothing => "name an amount above zero",
            Self::AccountTooSmall { .. } => "send at least that much",
            Self::RestTooSmall { .. } => "spend less, or send all of it away: nervure wallet send TO all",
            Self::Deposit { .. } => "pay that much into the owner's account; see it: nervure wallet show",
            Self::Schedule => "see nervure wallet vest --help",
            Self::VestedAmount { .. } => {
                "name a larger amount, or transfer it: nervure wallet send TO AMOUNT"
            }
            Self::TooManyVestings => "wait until the recipient has claimed one of them in full",
            Self::NothingVested => "see what vests when: nervure wallet show",
        }
    }
}
