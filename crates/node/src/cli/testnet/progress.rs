//! What `testnet up` and `down` show while they work: a live line per phase on a terminal, a line per
//! finished phase elsewhere.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use nervure_testnet::{Event, Phase, Progress};

use crate::cli::output;

/// Shows progress on standard error.
pub(crate) struct Terminal {
    live: bool,
    /// Whether a second Ctrl-C makes the end faster.
    hurry: bool,
}

impl Terminal {
    /// Live where standard error is a terminal.
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
            // A terminal that cannot be written to shows nothing.
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
                self.line("an earlier run had not ended in good order: its state is cleaned away");
            }
            Event::Cleaned { stopped } => self.line(&format!(
                "an earlier run had not ended in good order: stopped its {} and cleaned its state away",
                stopped.join(", ")
            )),
            Event::Retrying { reason } => self.line(&format!("{reason}; starting anew with other ports")),
            Event::NodeEnded { name, status } => {
                self.line(&format!("{name} ended ({status}); start it again: nervure testnet start {name}"));
            }
            Event::Stopping { nodes } if self.hurry => {
                self.line(&format!("stopping {nodes} nodes; Ctrl-C again kills them"));
            }
            Event::Stopping { nodes } => self.line(&format!("stopping {nodes} nodes")),
            Event::Killing { nodes } => {
                self.line(&format!("killing what does not stop by itself: {}", nodes.join(", ")));
            }
            _ => {}
        }
    }
}
