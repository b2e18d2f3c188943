//! `nervure service`: the node as a service of systemd, of the user or of the machine.

mod unit;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};
use nervure_primitives::durable::{self, Access};

use super::{Global, output};
use unit::Unit;

/// Name of the service.
const SERVICE: &str = "nervure";

/// Keeps a node running as a service of systemd: starts it at boot, restarts it, and keeps its log
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ServiceCommand {
    Install(InstallArgs),
    /// Shows whether the service runs
    Status {
        #[command(flatten)]
        scope: ScopeArgs,
    },
    /// Shows the log of the service
    Logs {
        /// How many of the last lines
        #[arg(long, short = 'n', value_name = "LINES", default_value_t = 100)]
        lines: u32,
        /// Print new lines as they come
        #[arg(long, short)]
        follow: bool,
        #[command(flatten)]
        scope: ScopeArgs,
    },
    /// Stops the service and removes its unit; the node's directory stays
    Uninstall {
        #[command(flatten)]
        scope: ScopeArgs,
    },
}

/// Writes a hardened unit for a node, starts it now and at each boot
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What follows -- are the arguments of nervure join. A service of the user runs while the user is logged in, and always after:
loginctl enable-linger. A service of the machine (--system, as root) runs as a user of its own, in /var/lib/nervure. A
passphrase of the key goes into service.env in the node's directory, as NERVURE_KEY_PASSPHRASE=…

Examples:
  nervure service install -- mesh.toml --role miner --expert openai:http://127.0.0.1:8000/v1
  sudo nervure service install --system -- /etc/nervure/mesh.toml --role validator --corpus /var/lib/nervure/corpus
  nervure service install --print -- mesh.toml                    shows the unit, and changes nothing")]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Print the unit, and change nothing
    #[arg(long)]
    print: bool,
    /// The arguments of nervure join
    #[arg(last = true, required = true, value_name = "JOIN")]
    join: Vec<String>,
}

/// Whose service it is.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ScopeArgs {
    /// The service of the machine instead of the user
    #[arg(long)]
    system: bool,
}

impl ServiceCommand {
    /// Runs the command.
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Install(install) => install.run(global),
            Self::Status { scope } => scope.systemctl(&["status", "--no-pager", SERVICE]),
            Self::Logs { lines, follow, scope } => {
                let lines = lines.to_string();
                let mut arguments = vec!["--no-pager", "-u", SERVICE, "-n", &lines];
                arguments.extend(follow.then_some("-f"));
                scope.run("journalctl", &arguments)
            }
            Self::Uninstall { scope } => {
                let path = scope.unit_path()?;
                anyhow::ensure!(path.exists(), "there is no unit {}\nnothing was changed", path.display());
                scope.systemctl(&["disable", "--now", SERVICE])?;
                std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
                scope.systemctl(&["daemon-reload"])?;
                output::note(&format!("removed {}; the node's directory is untouched", path.display()));
                Ok(())
            }
        }
    }
}

impl InstallArgs {
    fn run(self, global: &Global) -> anyhow::Result<()> {
        let dir = match self.scope.system {
            true => global.dir.clone().unwrap_or_else(|| PathBuf::from("/var/lib/nervure")),
            false => global.own_node_dir()?,
        };
        let program = std::env::current_exe().context("this program does not know where it is")?;
        let join = self.join.iter().map(|argument| absolute(argument)).collect();
        let unit = Unit { program, dir, join, system: self.scope.system };
        let text = unit.text()?;
        if self.print {
            return output::text(text.trim_end());
        }
        if cfg!(not(target_os = "linux")) {
            bail!(
                "there is no systemd on this system\nrun the node by its own means; the command is in: --print"
            );
        }
        let path = self.scope.unit_path()?;
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        durable::replace(&path, text.as_bytes(), Access::Default)
            .with_context(|| format!("cannot write {}", path.display()))?;
        output::note(&format!("wrote {}", path.display()));
        self.scope.systemctl(&["daemon-reload"])?;
        self.scope.systemctl(&["enable", "--now", SERVICE])?;
        output::note("it runs; see: nervure service status; nervure service logs -f; nervure doctor");
        Ok(())
    }
}

/// An argument that names a file here as an absolute path: a service has another working directory.
fn absolute(argument: &str) -> String {
    match Path::new(argument).exists() {
        true => std::path::absolute(argument)
            .map_or_else(|_| argument.to_owned(), |path| path.to_string_lossy().into_owned()),
        false => argument.to_owned(),
    }
}

impl ScopeArgs {
    fn unit_path(self) -> anyhow::Result<PathBuf> {
        let file = format!("{SERVICE}.service");
        if self.system {
            return Ok(Path::new("/etc/systemd/system").join(file));
        }
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
        let config = config.context("neither XDG_CONFIG_HOME nor HOME is set")?;
        Ok(config.join("systemd/user").join(file))
    }

    fn systemctl(self, arguments: &[&str]) -> anyhow::Result<()> {
        self.run("systemctl", arguments)
    }

    fn run(self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let scope = if self.system { "--system" } else { "--user" };
        let status = Command::new(program).arg(scope).args(arguments).status().with_context(|| {
            format!(
                "cannot run {program}\nis systemd there? otherwise run the node by other means: nervure join"
            )
        })?;
        anyhow::ensure!(
            status.success(),
            "{program} {scope} {} failed ({status})\nread its message above; as root for --system",
            arguments.join(" ")
        );
        Ok(())
    }
}
