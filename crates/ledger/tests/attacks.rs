//! Attacks on the ledger, each run twice: with the defence and without it.
//!
//! A test here passes when the attack fails against the defence *and* succeeds without it. Where the ledger has no switch
//! for a defence, because no mesh should have one either, the variant is a model of the rule without it.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "attacks/aligned_epochs.rs"]
mod aligned_epochs;
#[path = "attacks/approvals.rs"]
mod approvals;
#[path = "attacks/double_vote.rs"]
mod double_vote;
#[path = "attacks/drained_payer.rs"]
mod drained_payer;
#[path = "attacks/dust_validators.rs"]
mod dust_validators;
#[path = "attacks/equivocator.rs"]
mod equivocator;
#[path = "attacks/greedy_proxy.rs"]
mod greedy_proxy;
#[path = "attacks/impossible_parameter.rs"]
mod impossible_parameter;
#[path = "attacks/junk_proposal.rs"]
mod junk_proposal;
#[path = "attacks/key_swap.rs"]
mod key_swap;
#[path = "attacks/leaked_key.rs"]
mod leaked_key;
#[path = "attacks/lone_vote.rs"]
mod lone_vote;
#[path = "attacks/low_turnout.rs"]
mod low_turnout;
#[path = "attacks/mesh.rs"]
mod mesh;
#[path = "attacks/node_spam.rs"]
mod node_spam;
#[path = "attacks/one_block_stake.rs"]
mod one_block_stake;
#[path = "attacks/owner_spam.rs"]
mod owner_spam;
#[allow(dead_code, reason = "the laws use the rest of it")]
#[path = "laws/parliament.rs"]
mod parliament;
#[path = "attacks/proposal_spam.rs"]
mod proposal_spam;
#[path = "laws/proxies.rs"]
mod proxies;
#[path = "attacks/replayed_account.rs"]
mod replayed_account;
#[path = "attacks/shadowed_signature.rs"]
mod shadowed_signature;
#[allow(dead_code, reason = "the laws use the rest of it")]
#[path = "laws/shared.rs"]
mod shared;
#[path = "attacks/stake_mover.rs"]
mod stake_mover;
#[path = "attacks/staked_miner.rs"]
mod staked_miner;
#[path = "attacks/state_growth.rs"]
mod state_growth;
#[path = "attacks/two_nonces.rs"]
mod two_nonces;
#[allow(dead_code, reason = "the laws use the rest of it")]
#[path = "laws/world.rs"]
mod world;
