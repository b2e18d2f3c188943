//! Real processes of the real binary, as a user starts them: one scenario per file.

#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "scenarios/machine.rs"]
mod machine;
#[path = "scenarios/mesh.rs"]
mod mesh;
#[path = "scenarios/mock_server.rs"]
mod mock_server;
#[path = "scenarios/namespace_network.rs"]
mod namespace_network;
#[path = "scenarios/nat_network.rs"]
mod nat_network;
#[path = "scenarios/sniffer.rs"]
mod sniffer;
#[path = "scenarios/space.rs"]
mod space;
#[path = "scenarios/tampering_proxy.rs"]
mod tampering_proxy;
#[path = "scenarios/validator_group.rs"]
mod validator_group;

#[path = "scenarios/alerts.rs"]
mod alerts;
#[path = "scenarios/anchor.rs"]
mod anchor;
#[cfg(feature = "byte-lm")]
#[path = "scenarios/audit.rs"]
mod audit;
#[path = "scenarios/chain.rs"]
mod chain;
#[path = "scenarios/checkpoint.rs"]
mod checkpoint;
#[path = "scenarios/cold.rs"]
mod cold;
#[path = "scenarios/compat.rs"]
mod compat;
#[path = "scenarios/crash.rs"]
mod crash;
#[path = "scenarios/detached_owner.rs"]
mod detached_owner;
#[path = "scenarios/doctor.rs"]
mod doctor;
#[path = "scenarios/dual_stack.rs"]
mod dual_stack;
#[path = "scenarios/endpoints.rs"]
mod endpoints;
#[path = "scenarios/equivocator.rs"]
mod equivocator;
#[path = "scenarios/failover.rs"]
mod failover;
#[path = "scenarios/faults.rs"]
mod faults;
#[path = "scenarios/forged_blocks.rs"]
mod forged_blocks;
#[path = "scenarios/hidden_asker.rs"]
mod hidden_asker;
#[path = "scenarios/history.rs"]
mod history;
#[path = "scenarios/invite.rs"]
mod invite;
#[path = "scenarios/keys.rs"]
mod keys;
#[path = "scenarios/kills.rs"]
mod kills;
#[path = "scenarios/later_subnet.rs"]
mod later_subnet;
#[path = "scenarios/lifecycle.rs"]
mod lifecycle;
#[path = "scenarios/market.rs"]
mod market;
#[path = "scenarios/mistakes.rs"]
mod mistakes;
#[path = "scenarios/nat.rs"]
mod nat;
#[path = "scenarios/nat_stranger.rs"]
mod nat_stranger;
#[path = "scenarios/openai_client.rs"]
mod openai_client;
#[path = "scenarios/own_node.rs"]
mod own_node;
#[path = "scenarios/own_subnet.rs"]
mod own_subnet;
#[path = "scenarios/partition.rs"]
mod partition;
#[path = "scenarios/pending.rs"]
mod pending;
#[path = "scenarios/proposal.rs"]
mod proposal;
#[path = "scenarios/question_loop.rs"]
mod question_loop;
#[path = "scenarios/questions.rs"]
mod questions;
#[path = "scenarios/recover.rs"]
mod recover;
#[path = "scenarios/resume.rs"]
mod resume;
#[path = "scenarios/score.rs"]
mod score;
#[path = "scenarios/scoring.rs"]
mod scoring;
#[path = "scenarios/sealed.rs"]
mod sealed;
#[path = "scenarios/second_expert.rs"]
mod second_expert;
#[path = "scenarios/seed_subnets.rs"]
mod seed_subnets;
#[path = "scenarios/signals.rs"]
mod signals;
#[path = "scenarios/staked_miner.rs"]
mod staked_miner;
#[path = "scenarios/stale.rs"]
mod stale;
#[path = "scenarios/state_sync.rs"]
mod state_sync;
#[path = "scenarios/stranger.rs"]
mod stranger;
#[path = "scenarios/together.rs"]
mod together;
#[path = "scenarios/tools.rs"]
mod tools;
#[path = "scenarios/unreachable.rs"]
mod unreachable;
#[path = "scenarios/upgrade.rs"]
mod upgrade;
#[path = "scenarios/upstream.rs"]
mod upstream;
#[path = "scenarios/vanishing_client.rs"]
mod vanishing_client;
#[path = "scenarios/visitor.rs"]
mod visitor;
#[path = "scenarios/yuma.rs"]
mod yuma;
