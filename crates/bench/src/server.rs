//! What a server process runs: it prints where it listens and serves until its standard input ends.

use std::io::{self, Read, Write};

use anyhow::Context;
use nervure_primitives::NodeKey;

use crate::{
    http_answer,
    process::ServerHello,
    query::{nervure_echo, quinn_echo},
};

/// The kinds of server processes.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum ServerKind {
    /// The query plane.
    Nervure,
    /// Bare quinn.
    Quinn,
    /// A minimal HTTP server, the baseline of the gateway.
    Http,
}

/// Serves until standard input ends. Blocks.
///
/// # Errors
/// If no socket can be bound.
pub fn serve(kind: ServerKind) -> anyhow::Result<()> {
    let key = NodeKey::generate().context("no randomness")?;
    let node = key.node_id();
    match kind {
        ServerKind::Nervure => {
            let server = nervure_echo::serve(key)?;
            print_hello(&ServerHello { node, address: server.local_addr() })?;
            wait_for_stdin_end();
        }
        ServerKind::Quinn | ServerKind::Http => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let _guard = runtime.enter();
            let address = match kind {
                ServerKind::Http => http_answer::serve()?,
                _ => quinn_echo::serve(&key)?,
            };
            print_hello(&ServerHello { node, address })?;
            let waiting = std::thread::spawn(wait_for_stdin_end);
            runtime.block_on(async move {
                // The runtime drives the server meanwhile; a thread's end cannot be awaited.
                while !waiting.is_finished() {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            });
        }
    }
    Ok(())
}

fn print_hello(hello: &ServerHello) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, hello)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

fn wait_for_stdin_end() {
    let mut ignored = [0; 64];
    while !matches!(io::stdin().lock().read(&mut ignored), Ok(0) | Err(_)) {}
}
