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
use nervure_anchor::{AnchorAddress, AnchorError};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};
use zeroize::Zeroizing;

use crate::{Account, Limits, convert, rpc::Rpc};

/// Names the binary, when it is somewhere else.
pub const ANVIL: &str = "NERVURE_ANVIL";

/// What an account is given, in wei: a thousand tokens.
const TOKENS: u128 = 1_000 * 10u128.pow(18);

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
    /// How often that file is written meanwhile, in whole seconds.
    pub save_every: Option<Duration>,
}

impl Options {
    /// Its command line.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> =
            ["--host", "127.0.0.1", "--port", &self.port.to_string()].map(OsString::from).to_vec();
        if let Some(time) = self.block_time {
            arguments.extend(["--block-time".into(), time.as_secs_f64().to_string().into()]);
        }
        if let Some(state) = &self.state {
            arguments.extend(["--preserve-historical-states".into(), "--state".into(), state.into()]);
        }
        if let Some(every) = self.save_every {
            arguments.extend(["--state-interval".into(), every.as_secs().max(1).to_string().into()]);
        }
        arguments
    }
}

/// Gives accounts tokens, as only a development chain does.
///
/// # Errors
/// When the chain at `endpoint` does not answer, or is another one.
pub async fn fund(endpoint: &str, accounts: &[AnchorAddress], limits: &Limits) -> Result<(), AnchorError> {
    let rpc = Rpc::new(endpoint, limits)?;
    for account in accounts {
        rpc.set_balance(convert::address(*account), TOKENS).await?;
    }
    Ok(())
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
        command.args(options.arguments());
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
