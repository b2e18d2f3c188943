//! A crowd of sybils with registered keys in the gossip of a topic, and next to a key of the DHT: the tests of
//! `tests/strangers` in full size.
//!
//! ```text
//! cargo run --release -p nervure-p2p --example strangers
//! ```

#![allow(clippy::print_stdout, reason = "it is a program that prints a table")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/strangers/crowd.rs"]
mod crowd;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/strangers/dht.rs"]
mod dht;

use std::time::Instant;

use crowd::{Crowd, CrowdSize, Sybil};
use dht::{Dht, DhtSize};
use nervure_protocol::{AskerClass, directory::COPIES};

#[tokio::main]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let parts = if quick { 5 } else { 1 };
    gossip(parts).await;
    directory(parts).await;
}

async fn gossip(parts: usize) {
    let size = CrowdSize {
        honest: 40 / parts,
        sybils: 160 / parts,
        friends: 8 / parts.min(2),
        victims: 10,
        seed: 1,
    };
    println!("{} honest nodes, {} sybils", size.honest, size.sybils);
    println!(
        "| sybils | honest are | delivered | honest among mesh peers | junk judged | s |\n|---|---|---|---|---|---|"
    );
    for sybil in [Sybil::Silent, Sybil::Floods] {
        for class in [AskerClass::Registered, AskerClass::Validator] {
            let began = Instant::now();
            let crowd = Crowd::start(size, (class, AskerClass::Registered), sybil).await;
            crowd.connected(size).await;
            let delivered = crowd.delivery(10).await;
            let (share, junk) = (crowd.honest_share_of_meshes().await, crowd.junk());
            let took = began.elapsed().as_secs();
            println!(
                "| {sybil:?} | {} | {:.3} % | {share:.2} | {junk} | {took} |",
                class.name(),
                delivered * 100.0
            );
        }
    }
}

async fn directory(parts: usize) {
    let began = Instant::now();
    let dht = Dht::start(DhtSize { honest: 500 / parts, sybils: 60 / parts, seed: 1 }).await;
    println!("\n{} honest nodes, {} sybils next to a key", 500 / parts, 60 / parts);
    for copies in [COPIES, 1] {
        println!(
            "{copies} keys for each shard: {:.2} % of its experts found",
            dht.found(copies).await * 100.0
        );
    }
    println!("{} s", began.elapsed().as_secs());
}
