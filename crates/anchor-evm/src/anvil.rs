//! A development chain of our own: anvil, for local testnets and tests.
//!
//! The npm package `@foundry-rs/anvil-linux-amd64` is the binary; `npm ci` in `contracts/` installs it. The process ends
//! with its guard. Its accounts are known to everybody: nothing on it is worth anything.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use alloy::primitives::hex;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};
use zeroize::Zeroizing;

use crate::Account;

/// Names the binary, when it is somewhere else.
pub const ANVIL: &str = "NERVURE_ANVIL";

/// How long it may take to begin; 55 to 160 ms were measured.
const START: Duration = Duration::from_secs(20);

/// How long it may take to write its state when it is stopped.
const STOP: Duration = Duration::from_secs(10);

/// The secret of the first account, which has tokens: that of the mnemonic of every development chain.
const FIRST_ACCOUNT: [u8; 32] = hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

/// A running chain; it is killed when this is dropped.
#[derive(Debug)]
pub struct Anvil {
    child: Child,
    endpoint: String,
}

/// How the chain runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Its port; 0 takes a free one.
    pub port: u16,
    /// Time from one block to the next; without it, each transaction is a block at once.
    pub block_time: Option<Duration>,
    /// A file that it begins from, if it is there, and is written to when it is stopped.
    pub state: Option<PathBuf>,
}

/// Why there is no chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnvilError {
    /// No binary.
    #[error("there is no anvil here: npm ci in contracts/ installs it, or {ANVIL} names it")]
    Missing,
    /// It could not be started.
    #[error("{} does not start: {error}", program.display())]
    Start {
        /// The binary.
        program: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It did not say that it listens.
    #[error("anvil did not begin to listen: {0}")]
    Silent(String),
}

/// The binary: what [`ANVIL`] names, one in `modules` (a `node_modules`), or one on the path.
///
/// # Errors
/// When there is none.
pub fn find(modules: &Path) -> Result<PathBuf, AnvilError> {
    let named = env::var_os(ANVIL).map(PathBuf::from);
    let machine = match env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let installed = modules.join(format!("@foundry-rs/anvil-{system}-{machine}/bin/anvil"));
    let path: OsString = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|folder| folder.join("anvil"));
    named.into_iter().chain([installed]).chain(on_path).find(|one| one.is_file()).ok_or(AnvilError::Missing)
}

impl Anvil {
    /// Starts a chain and waits until it listens.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start(program: &Path, options: &Options) -> Result<Self, AnvilError> {
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--port", &options.port.to_string()]);
        if let Some(time) = options.block_time {
            command.args(["--block-time", &time.as_secs_f64().to_string()]);
        }
        if let Some(state) = &options.state {
            command.arg("--preserve-historical-states").arg("--state").arg(state);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let start = |error| AnvilError::Start { program: program.to_owned(), error };
        let mut child = command.spawn().map_err(start)?;
        let endpoint = timeout(START, listening(&mut child)).await;
        let endpoint = endpoint.map_err(|_| AnvilError::Silent("it took too long".into()))??;
        Ok(Self { child, endpoint })
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// An account with tokens.
    pub fn account() -> Option<Account> {
        Account::from_secret(&Zeroizing::new(FIRST_ACCOUNT))
    }

    /// Stops it, so that it writes its state.
    ///
    /// # Errors
    /// When it does not stop.
    pub async fn stop(mut self) -> std::io::Result<()> {
        let id = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?));
        if let Some(id) = id {
            rustix::process::kill_process(id, rustix::process::Signal::INT)?;
        }
        timeout(STOP, self.child.wait()).await.map_err(|_| std::io::ErrorKind::TimedOut)?.map(drop)
    }
}

/// Reads what it prints until it says where it listens, and goes on reading, so that it never waits for us.
async fn listening(child: &mut Child) -> Result<String, AnvilError> {
    let output = child.stdout.take().ok_or_else(|| AnvilError::Silent("it has no output".into()))?;
    let mut lines = BufReader::new(output).lines();
    let mut said = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = line.strip_prefix("Listening on ") {
            let endpoint = format!("http://{}", address.trim());
            // It ends with the process whose output it reads.
            drop(tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} }));
            return Ok(endpoint);
        }
        said = line;
    }
    Err(AnvilError::Silent(said.chars().take(200).collect()))
}
