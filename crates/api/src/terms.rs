//! The terms of a query that the OpenAI API has no field for: how experts are chosen, the budget, the deadline.
//!
//! They are the object `nervure` of a `/v1` request, headers of one, and `terms` of `/ask`.

use nervure_primitives::{Hash, Netuid};
use nervure_subnet::Policy;
use serde::{Deserialize, Serialize};

use crate::Strategy;

/// Terms of a query. The node's operator sets the default of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct QueryTerms {
    /// `best`, `hedge`, `race:N`, `vote:N`, `average:N` or `mix:N`; `best` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Which part of the cost counts most: `balanced` (the default), `fastest`, `cheapest` or `trusted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// The maximum price, in tokens, as text: `"0.5"`. The node's own limit by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<String>,
    /// A filter over experts, such as `context >= 4096 and price <= 5`.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The subnets that the asker trusts: only their experts are asked, and what their validators found counts in full.
    /// At most 64. The node's own `trusted_subnets` by default, else all subnets, each by the stake behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnets: Option<Vec<Netuid>>,
    /// Milliseconds for the whole answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Whether to record a trace: every candidate, every number, and the experts' receipts. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<bool>,
    /// The client's nonce, 64 hexadecimal digits that it uses once. The expert's receipt covers it, so that an old answer
    /// with its receipt does not verify.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Hash>,
    /// Whether the question and the answer may be shown to one validator, which audits the expert. The node's operator
    /// decides by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<bool>,
}
