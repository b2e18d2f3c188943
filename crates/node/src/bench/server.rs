//! The hidden command that a server process runs: says where it listens, and stays until its standard input ends.

use std::io::{self, Read, Write};

use anyhow::Context;
use nervure_primitives::NodeKey;

use super::{http_answer, nervure_echo, process::Hello, quinn_echo};

/// Which server.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum ServeKind {
    /// The query plane.
    Nervure,
    /// Bare quinn.
    Quinn,
    /// HTTP.
    Http,
}

/// Serves until standard input ends. Blocks.
pub(crate) fn serve(kind: ServeKind) -> anyhow::Result<()> {
    let key = NodeKey::generate().context("no randomness")?;
    let node = key.node_id();
    match kind {
        ServeKind::Nervure => {
            let server = nervure_echo::serve(key)?;
            hello(&Hello { node, address: server.local_addr() })?;
            wait();
        }
        ServeKind::Quinn | ServeKind::Http => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let _guard = runtime.enter();
            let address = match kind {
                ServeKind::Http => http_answer::serve()?,
                _ => quinn_echo::serve(&key)?,
            };
            hello(&Hello { node, address })?;
            let waiting = std::thread::spawn(wait);
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

fn hello(hello: &Hello) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, hello)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

fn wait() {
    let mut ignored = [0; 64];
    while !matches!(io::stdin().lock().read(&mut ignored), Ok(0) | Err(_)) {}
}
