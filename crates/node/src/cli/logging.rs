//! Logging to standard error, with the filter in `NERVURE_LOG`.

use std::io;

use anyhow::Context;
use tracing_subscriber::{EnvFilter, fmt};

/// The filter if `NERVURE_LOG` is not set: information of our own crates, warnings of dependencies.
const DEFAULT_FILTER: &str = "warn,nervure=info,nervure_p2p=info,nervure_experts=info";

/// Starts logging.
pub(crate) fn start() -> anyhow::Result<()> {
    let filter = match std::env::var("NERVURE_LOG") {
        Ok(text) if !text.is_empty() => text.parse::<EnvFilter>().with_context(|| {
            format!("NERVURE_LOG is '{text}', which is not a valid filter\nwrite info, or nervure=debug")
        })?,
        _ => EnvFilter::new(DEFAULT_FILTER),
    };
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).with_target(true);
    let started = match std::env::var("NERVURE_LOG_FORMAT").as_deref() {
        Ok("json") => builder.json().try_init(),
        Ok("text" | "") | Err(_) => builder.with_ansi(false).try_init(),
        Ok(other) => {
            anyhow::bail!("NERVURE_LOG_FORMAT is '{other}', which is not a valid format\nwrite text or json")
        }
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}
