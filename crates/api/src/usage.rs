//! What named API keys used.

use std::num::{NonZeroU32, NonZeroU64};

use nervure_primitives::Amount;
use serde::{Deserialize, Serialize};

/// What named keys used today: one's own, or all for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsagePage {
    /// The keys, in the order in which they were added.
    pub keys: Vec<KeyUsageView>,
}

/// What a named key used since midnight (UTC), and its limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyUsageView {
    /// Its name.
    pub name: String,
    /// Whether it sees the use of all keys.
    pub operator: bool,
    /// Its share of the places where several keys wait.
    pub share: NonZeroU32,
    /// Questions that were admitted.
    pub requests: u64,
    /// Questions that a limit refused.
    pub refused: u64,
    /// Most questions a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tokens read and written.
    pub tokens: u64,
    /// Most tokens a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<NonZeroU64>,
    /// What answers cost, in base units.
    pub spent: Amount,
    /// The most that answers may cost a day, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_per_day: Option<Amount>,
    /// Seconds until the day's limits reset.
    pub resets_in_seconds: u64,
}
