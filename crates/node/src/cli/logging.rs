//! A node's log: to standard error, with the level that `NERVURE_LOG` says.

use std::io;

use anyhow::Context;
use tracing_subscriber::{EnvFilter, fmt};

/// What is logged when nothing is said: our own news, and only the worries of others.
const DEFAULT: &str = "warn,nervure=info,nervure_p2p=info,nervure_experts=info";

/// Starts logging.
pub(crate) fn start() -> anyhow::Result<()> {
    let filter = match std::env::var("NERVURE_LOG") {
        Ok(text) if !text.is_empty() => text.parse::<EnvFilter>().with_context(|| {
            format!("NERVURE_LOG is '{text}', which is no filter\nwrite info, or nervure=debug")
        })?,
        _ => EnvFilter::new(DEFAULT),
    };
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).with_target(true);
    let started = match std::env::var("NERVURE_LOG_FORMAT").as_deref() {
        Ok("json") => builder.json().try_init(),
        Ok("text" | "") | Err(_) => builder.with_ansi(false).try_init(),
        Ok(other) => anyhow::bail!("NERVURE_LOG_FORMAT is '{other}'\nwrite text or json"),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}
