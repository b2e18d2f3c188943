//! `nervure completions`: tab completion for shells.

use std::io;

use clap::CommandFactory;

/// Prints tab completion for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  nervure completions bash > ~/.local/share/bash-completion/completions/nervure"
)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

impl CompletionsArgs {
    /// Runs the command.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "nervure", &mut script);
        match io::Write::write_all(&mut io::stdout(), &script) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}
