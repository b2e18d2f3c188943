//! The progress of `testnet up` and `down`: a live line per phase on a terminal, else a line per finished phase.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use nervure_testnet::{Event, Phase, Progress};

use crate::cli::output;

/// Shows progress on standard error.
pub(crate) struct Terminal {
    live: bool,
    /// Whether a second Ctrl-C kills the nodes.
    hurry: bool,
}

impl Terminal {
    /// With a live line if standard error is a terminal.
    pub(crate) fn new() -> Self {
        Self { live: io::stderr().is_terminal(), hurry: false }
    }

    /// For a command in the foreground, whose second Ctrl-C kills.
    pub(crate) fn with_hurry() -> Self {
        Self { hurry: true, ..Self::new() }
    }

    /// Replaces the live line.
    fn redraw(&self, text: &str) {
        if self.live {
            // Progress is not essential: a failed write is ignored.
            let mut terminal = io::stderr().lock();
            let _ = write!(terminal, "\r\x1b[2K{text}").and_then(|()| terminal.flush());
        }
    }

    fn line(&self, text: &str) {
        self.redraw("");
        output::note(text);
    }

    fn finished(&self, phase: Phase, total: usize, at: Duration) {
        self.line(&format!("{phase:<22} {total:>3}   {:>6.2} s", at.as_secs_f64()));
    }
}

impl Progress for Terminal {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Advanced { phase, done, total } => {
                self.redraw(&format!("{phase:<22} {done:>3} of {total}"));
            }
            Event::Finished { phase, total, at } => self.finished(*phase, *total, *at),
            Event::Cleaned { stopped } if stopped.is_empty() => {
                self.line("an earlier run did not shut down cleanly");
            }
            Event::Cleaned { stopped } => self.line(&format!(
                "an earlier run did not shut down cleanly: stopped its {}",
                stopped.join(", ")
            )),
            Event::Replaced { mesh } => self.line(&format!(
                "a new testnet takes the place of the one that was stopped here (mesh {}); to continue one with its keys \
                 and its chain: nervure testnet up --resume",
                mesh.short()
            )),
            Event::Retrying { reason } => self.line(&format!("{reason}; starting again with other ports")),
            Event::NodeEnded { name, status } => {
                self.line(&format!("{name} ended ({status}); restart it: nervure testnet start {name}"));
            }
            Event::Stopping { nodes } if self.hurry => {
                self.line(&format!("stopping {nodes} nodes; Ctrl-C again kills them"));
            }
            Event::Stopping { nodes } => self.line(&format!("stopping {nodes} nodes")),
            Event::Killing { nodes } => {
                self.line(&format!("killing the nodes that did not stop: {}", nodes.join(", ")));
            }
        }
    }
}
