//! `nervure man`: the manual pages.

use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;

use super::{Global, output};

/// Writes the manual pages, one per command
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  nervure man ~/.local/share/man/man1 && man nervure-ask")]
pub(crate) struct ManArgs {
    /// Directory to write to; it is created
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

impl ManArgs {
    /// Runs the command.
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let out = &self.out;
        let cannot = || format!("cannot write the manual pages to {}", out.display());
        std::fs::create_dir_all(out).with_context(cannot)?;
        clap_mangen::generate_to(super::Cli::command(), out).with_context(cannot)?;
        if global.json {
            return output::json(&serde_json::json!({ "directory": out }));
        }
        output::note(&format!("the manual pages are in {}", out.display()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_page_for_every_command() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("man1");
        let global = Global { dir: None, json: false };
        ManArgs { out: out.clone() }.run(&global).unwrap();
        let page = |name: &str| std::fs::read_to_string(out.join(name)).unwrap_or_default();
        assert!(page("nervure.1").contains("nervure\\-ask(1)"), "{}", page("nervure.1"));
        assert!(page("nervure-ask.1").contains("capability"));
        assert!(page("nervure-weights-commit.1").contains("UID=WEIGHT"));
        assert!(!out.join("nervure-stand-in.1").exists(), "an earlier name has no page");
    }
}
