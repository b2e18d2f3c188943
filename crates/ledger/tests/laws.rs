//! The laws of the ledger, through its public API.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "laws/accounts.rs"]
mod accounts;
#[path = "laws/anchor.rs"]
mod anchor;
#[path = "laws/chain.rs"]
mod chain;
#[path = "laws/deposits.rs"]
mod deposits;
#[path = "laws/edges.rs"]
mod edges;
#[path = "laws/equivocation.rs"]
mod equivocation;
#[path = "laws/fees.rs"]
mod fees;
#[path = "laws/governance.rs"]
mod governance;
#[path = "laws/lane.rs"]
mod lane;
#[path = "laws/leaving.rs"]
mod leaving;
#[path = "laws/moved_stake.rs"]
mod moved_stake;
#[path = "laws/numbers.rs"]
mod numbers;
#[path = "laws/parliament.rs"]
mod parliament;
#[path = "laws/price_of_state.rs"]
mod price_of_state;
#[path = "laws/proxies.rs"]
mod proxies;
#[path = "laws/random.rs"]
mod random;
#[path = "laws/recovery.rs"]
mod recovery;
#[path = "laws/rotation.rs"]
mod rotation;
#[path = "laws/rules.rs"]
mod rules;
#[path = "laws/shared.rs"]
mod shared;
#[path = "laws/subnets.rs"]
mod subnets;
#[path = "laws/tree.rs"]
mod tree;
#[path = "laws/validators.rs"]
mod validators;
#[path = "laws/weights.rs"]
mod weights;
#[path = "laws/world.rs"]
mod world;
