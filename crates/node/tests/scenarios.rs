//! Real processes of the real binary, as a user starts them: one scenario per file.

#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "scenarios/mesh.rs"]
mod mesh;
#[path = "scenarios/namespace_network.rs"]
mod namespace_network;
#[path = "scenarios/space.rs"]
mod space;
#[path = "scenarios/tampering_proxy.rs"]
mod tampering_proxy;
#[path = "scenarios/validator_group.rs"]
mod validator_group;

#[path = "scenarios/anchor.rs"]
mod anchor;
#[path = "scenarios/chain.rs"]
mod chain;
#[path = "scenarios/checkpoint.rs"]
mod checkpoint;
#[path = "scenarios/cold.rs"]
mod cold;
#[path = "scenarios/crash.rs"]
mod crash;
#[path = "scenarios/failover.rs"]
mod failover;
#[path = "scenarios/faults.rs"]
mod faults;
#[path = "scenarios/forged_blocks.rs"]
mod forged_blocks;
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
#[path = "scenarios/openai_client.rs"]
mod openai_client;
#[path = "scenarios/own_node.rs"]
mod own_node;
#[path = "scenarios/partition.rs"]
mod partition;
#[path = "scenarios/pending.rs"]
mod pending;
#[path = "scenarios/score.rs"]
mod score;
#[path = "scenarios/scoring.rs"]
mod scoring;
#[path = "scenarios/seed_subnets.rs"]
mod seed_subnets;
#[path = "scenarios/state_sync.rs"]
mod state_sync;
#[path = "scenarios/together.rs"]
mod together;
#[path = "scenarios/unreachable.rs"]
mod unreachable;
#[path = "scenarios/upstream.rs"]
mod upstream;
#[path = "scenarios/vanishing_client.rs"]
mod vanishing_client;
#[path = "scenarios/yuma.rs"]
mod yuma;
