//! `nervure testnet logs`: what a node wrote.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use anyhow::Context;
use nervure_testnet::{Layout, State, logs};

/// Pause between two looks at a log that is followed.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Shows the log of a node
#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// Its name, such as miner-3
    #[arg(value_parser = super::process_name)]
    node: String,
    /// How many of its last lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    lines: usize,
    /// Show what is added, until Ctrl-C
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
            tokio::time::sleep(LOOK_EVERY).await;
            tail = logs::since(&path, tail.end).with_context(unreadable)?;
        }
        Ok(())
    }
}

/// Prints `text`; says whether anybody still reads.
fn print(text: &str) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}
