//! `nervure testnet logs`: the log of a node.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use anyhow::Context;
use nervure_primitives::Escaped;
use nervure_testnet::{Layout, State, logs};

/// How often a followed log is read.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Shows the log of a node
#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// Name of the node, such as miner-3
    #[arg(value_parser = super::process_name)]
    node: String,
    /// Number of lines from the end
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    lines: usize,
    /// Show new lines until Ctrl-C
    #[arg(long, short)]
    follow: bool,
}

impl LogsArgs {
    /// Runs the command.
    pub(crate) async fn run(self, dir: &Path) -> anyhow::Result<()> {
        let layout = Layout::new(dir);
        State::load(&layout)?.knows(&self.node)?;
        let path = layout.node(&self.node).log();
        let unreadable = || format!("cannot read the log {}", path.display());
        let mut tail = logs::tail(&path, self.lines).with_context(unreadable)?;
        while print(&tail.text)? && self.follow {
            tokio::time::sleep(POLL_INTERVAL).await;
            tail = logs::since(&path, tail.end).with_context(unreadable)?;
        }
        Ok(())
    }
}

/// Prints `text`; returns false if the reader has closed the pipe.
fn print(text: &str) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    // Nodes escape what they log; a mock server or a development chain may not.
    match write!(out, "{}", Escaped::prose(text)).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}
