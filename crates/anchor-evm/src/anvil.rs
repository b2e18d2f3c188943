//! A local development chain, anvil, for testnets and tests.
//!
//! The npm package `@foundry-rs/anvil-linux-amd64` is the binary; `npm ci` in `contracts/` installs it. The process ends
//! with its guard. Its keys are public: nothing on it has any value.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use alloy::primitives::hex;
use nervure_anchor::{AnchorAddress, AnchorError};
use nervure_primitives::Excerpt;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};
use zeroize::Zeroizing;

use crate::{Account, Limits, convert, rpc::Rpc};

/// The environment variable that names the binary.
pub const ANVIL_ENV: &str = "NERVURE_ANVIL";

/// The balance of a funded account: a thousand tokens.
const FUNDING_WEI: u128 = 1_000 * 10u128.pow(18);

/// Time until it listens; 55 to 160 ms were measured.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Time to write its state when it is stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The secret of the first account of the mnemonic that development chains use; it has tokens.
const FIRST_ACCOUNT: [u8; 32] = hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

/// A running chain; it is killed when this is dropped.
#[derive(Debug)]
pub struct Anvil {
    child: Child,
    endpoint: String,
}

/// How the chain runs.
#[derive(Clone, Debug, Default)]
pub struct AnvilOptions {
    /// Its port; 0 takes a free one.
    pub port: u16,
    /// Time from one block to the next; without it, each transaction is a block at once.
    pub block_time: Option<Duration>,
    /// The state file: loaded at the start if it exists, written at the end.
    pub state: Option<PathBuf>,
    /// How often that file is written in between; rounded to whole seconds.
    pub save_interval: Option<Duration>,
}

impl AnvilOptions {
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
        if let Some(every) = self.save_interval {
            arguments.extend(["--state-interval".into(), every.as_secs().max(1).to_string().into()]);
        }
        arguments
    }
}

/// Sets the balances of accounts, which only a development chain allows.
///
/// # Errors
/// When the chain at `endpoint` does not answer, or is another one.
pub async fn fund(endpoint: &str, accounts: &[AnchorAddress], limits: &Limits) -> Result<(), AnchorError> {
    let rpc = Rpc::new(endpoint, limits)?;
    for account in accounts {
        rpc.set_balance(convert::address(*account), FUNDING_WEI).await?;
    }
    Ok(())
}

/// Why anvil did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnvilError {
    /// No binary.
    #[error("anvil is not installed: run `npm ci` in contracts/, or name it in {ANVIL_ENV}")]
    Missing,
    /// It could not be started.
    #[error("{} does not start: {error}", program.display())]
    Start {
        /// The binary.
        program: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// It did not report that it listens.
    #[error("anvil does not listen: {0}")]
    NotListening(Excerpt),
}

/// The binary: what [`ANVIL_ENV`] names, one in `modules` (a `node_modules`), or one on the path.
///
/// # Errors
/// When there is none.
pub fn find(modules: &Path) -> Result<PathBuf, AnvilError> {
    let named = env::var_os(ANVIL_ENV).map(PathBuf::from);
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
    /// When it does not start or listen in time.
    pub async fn start(program: &Path, options: &AnvilOptions) -> Result<Self, AnvilError> {
        let mut command = Command::new(program);
        command.args(options.arguments());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let start = |error| AnvilError::Start { program: program.to_owned(), error };
        let mut child = command.spawn().map_err(start)?;
        let endpoint = timeout(START_TIMEOUT, listening(&mut child)).await;
        let endpoint = endpoint.map_err(|_| AnvilError::NotListening("timeout".into()))??;
        Ok(Self { child, endpoint })
    }

    /// Its JSON-RPC endpoint.
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
        timeout(STOP_TIMEOUT, self.child.wait()).await.map_err(|_| std::io::ErrorKind::TimedOut)?.map(drop)
    }
}

/// Reads its output until it names its address, and then drains the rest, so that a full pipe never blocks it.
async fn listening(child: &mut Child) -> Result<String, AnvilError> {
    let output = child.stdout.take().ok_or_else(|| AnvilError::NotListening("it has no output".into()))?;
    let mut lines = BufReader::new(output).lines();
    let mut last = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = line.strip_prefix("Listening on ") {
            let endpoint = format!("http://{}", address.trim());
            // It ends with the process whose output it reads.
            drop(tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} }));
            return Ok(endpoint);
        }
        last = line;
    }
    Err(AnvilError::NotListening(last.into()))
}
