//! The chain and the log on the disk, opened before anything runs.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use nervure_ledger::{
    chain::{StartError, Tip},
    params::Params,
    spec::MeshSpec,
};
use nervure_primitives::{BlockHeight, NodeId};
use nervure_store::{History, LogOwner, RecoveredLog, Store, StoreError, StoreOptions, Wal, WalError};
use tokio::sync::watch;

use super::{
    ChainView,
    evidence::KeptEvidence,
    pending::PendingTransactions,
    view::{KeptHistory, MIN_STILL, STILL_BLOCKS},
};
use crate::config::{HistorySetting, NodeConfig};

/// Name of the file of the chain, in the node's directory.
const CHAIN_FILE: &str = "chain.redb";

/// Name of the write-ahead log, beside it.
const WAL_FILE: &str = "consensus.wal";

/// Name of the file of own pending transactions, beside it.
const PENDING_FILE: &str = "transactions.pending";

/// Name of the file of evidence of equivocation, beside it.
pub(crate) const EVIDENCE_FILE: &str = "equivocations.evidence";

/// Cache of the chain's database. Small, so that an idle node needs little memory.
const CACHE_BYTES: usize = 8 << 20;

/// How long the files of a killed process may stay locked.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Whether there is the file of a chain in the node's directory.
pub(crate) fn has_file(config: &NodeConfig) -> bool {
    config.dir.join(CHAIN_FILE).exists()
}

/// Whether there is a chain in the node's directory with more than the genesis. One that cannot be opened counts: what is
/// wrong with it is found when the node starts.
pub(crate) fn exists(config: &NodeConfig) -> bool {
    let path = config.dir.join(CHAIN_FILE);
    has_file(config) && Store::last_height(&path) != Some(BlockHeight(0))
}

/// Starts the chain in the node's directory from the state of a block whose certificate was verified; the first header
/// of a mesh has none. A chain that has the genesis alone is replaced.
pub(crate) fn import(config: &NodeConfig, tip: Tip, certificate: Option<&[u8]>) -> Result<(), StoreError> {
    let path = config.dir.join(CHAIN_FILE);
    std::fs::create_dir_all(&config.dir)?;
    if has_file(config) && !exists(config) {
        // Nothing is lost: the genesis is in the spec.
        std::fs::remove_file(&path)?;
    }
    Store::import(&path, tip, certificate, options()).map(drop)
}

/// Everything is kept: only a node that runs prunes.
fn options() -> StoreOptions {
    StoreOptions { cache: CACHE_BYTES, ..StoreOptions::default() }
}

/// The last block of the chain in `dir`, whose node is stopped, or an earlier one whose state is kept, with its certificate;
/// none without a chain there.
pub(crate) fn last_block(
    dir: &Path,
    spec: &MeshSpec,
    height: Option<BlockHeight>,
) -> Result<Option<LastBlock>, StoreError> {
    let path = dir.join(CHAIN_FILE);
    // Opening a file that is not there would make one.
    if !path.exists() {
        return Ok(None);
    }
    let (store, last) = Store::open(&path, spec, options())?;
    let reader = store.read()?;
    let tip = match height.filter(|height| *height != last.header.height) {
        Some(height) => reader.tip_at(spec, height)?,
        None => last,
    };
    let certificate = reader.certificate(tip.header.height)?;
    Ok(Some(LastBlock { tip, certificate }))
}

/// The last block of a chain.
pub(crate) struct LastBlock {
    /// The block and the state after it.
    pub(crate) tip: Tip,
    /// Its certificate.
    pub(crate) certificate: Option<Vec<u8>>,
}

/// The files of the chain, opened before anything runs.
pub(crate) struct OpenChain {
    pub(super) store: Store,
    pub(super) wal: Wal,
    pub(super) recovered: RecoveredLog,
    pub(super) pending: PendingTransactions,
    pub(super) evidence: KeptEvidence,
    pub(super) view: watch::Sender<ChainView>,
}

impl OpenChain {
    /// Opens the chain in the directory of `node`, or begins it with the genesis of `spec`.
    pub(crate) fn open(config: &NodeConfig, spec: &MeshSpec, node: NodeId) -> Result<Self, OpenError> {
        arm_fail_point();
        std::fs::create_dir_all(&config.dir).map_err(StoreError::from)?;
        let HistorySetting(history) = config.history.unwrap_or(HistorySetting::DEFAULT);
        let options = StoreOptions { cache: CACHE_BYTES, history, ..StoreOptions::default() };
        if let Some(recovered) = spec.recovered.as_ref().filter(|_| !has_file(config)) {
            // Before a file is made: an empty one would look like a chain to the next start.
            let (mesh, height) = (recovered.mesh, recovered.height);
            return Err(StoreError::from(StartError::NeedsState { mesh, height }).into());
        }
        let (chain, tip) =
            retry_while_locked(|| Ok(Store::open(&config.dir.join(CHAIN_FILE), spec, options)?))?;
        if chain.reclaimed() > 0 {
            tracing::info!(bytes = chain.reclaimed(), "the file of the chain was compacted");
        }
        warn_of_short(history, tip.state.params());
        let from = chain.read()?.blocks_from()?;
        let owner = LogOwner { node, mesh: spec.mesh_id(), tip: tip.header.height };
        let log = config.dir.join(WAL_FILE);
        let (wal, recovered) = retry_while_locked(|| open_log(&log, config.accept_damaged_log, &owner))?;
        let pending = PendingTransactions::open(&config.dir.join(PENDING_FILE));
        let evidence = KeptEvidence::open(&config.dir.join(EVIDENCE_FILE));
        let history = KeptHistory { from, is_archive: history == History::Archive };
        let block_time = Duration::from_millis(spec.consensus.block_milliseconds.into());
        let still_after = block_time.saturating_mul(STILL_BLOCKS).max(MIN_STILL);
        let view = watch::Sender::new(ChainView { history, still_after, ..ChainView::of(tip) });
        Ok(Self { store: chain, wal, recovered, pending, evidence, view })
    }

    /// The state of the chain, with notifications.
    pub(crate) fn view(&self) -> watch::Receiver<ChainView> {
        self.view.subscribe()
    }
}

/// Warns of a history that is shorter than the default one.
fn warn_of_short(history: History, rules: &Params) {
    let HistorySetting(default) = HistorySetting::DEFAULT;
    if let (Some(blocks), Some(least)) = (history.blocks(rules), default.blocks(rules))
        && blocks < least
    {
        tracing::warn!(
            %blocks, default = %least,
            "this node keeps fewer blocks than the mesh needs time for unbonding: nodes that were off for longer cannot \
             replay from it, and have to begin with a state"
        );
    }
}

/// Opens the log of what this node signed. A damaged one is an error, unless the operator accepts that: then nothing
/// is signed that the lost part may contradict.
fn open_log(path: &Path, accept_damage: bool, owner: &LogOwner) -> Result<(Wal, RecoveredLog), OpenError> {
    let (wal, recovered) = match Wal::open(path) {
        Err(error) if accept_damage && error.is_damage() => {
            let (wal, recovered) = Wal::accept_damage(path, owner)?;
            let silent_through = recovered.signer.silent_through.unwrap_or_default();
            tracing::error!(%error, %silent_through, "a part of what this node signed is lost; it signs nothing up to this block");
            (wal, recovered)
        }
        opened => opened?,
    };
    if recovered.torn_bytes > 0 {
        tracing::warn!(path = %path.display(), bytes = recovered.torn_bytes, "the end of the log was not whole and is cut off");
    }
    Ok((wal, recovered))
}

/// Opens a file, and retries while it is locked: a killed process holds its files until its last thread has finished
/// with the disk.
fn retry_while_locked<T>(open: impl Fn() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let until = Instant::now() + RELEASE_TIMEOUT;
    loop {
        match open() {
            Err(error) if error.is_in_use() && Instant::now() < until => {
                std::thread::sleep(RELEASE_TIMEOUT / 100)
            }
            opened => return opened,
        }
    }
}

/// Arms the fail point at which a test wants this process to exit. Released programs have none.
fn arm_fail_point() {
    let Ok(point) = std::env::var("NERVURE_FAIL_POINT") else { return };
    match nervure_store::fail_point::arm(&point) {
        Ok(()) => tracing::warn!(point, "this process will die at a fail point"),
        Err(error) => tracing::error!(point, %error, "no fail point"),
    }
}

/// Why the files of the chain cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The chain.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log of what this node's key signed.
    #[error("the log of what this node signed: {}", reason(.0))]
    Log(#[from] WalError),
}

impl OpenError {
    fn is_in_use(&self) -> bool {
        match self {
            Self::Store(error) => matches!(error, StoreError::Locked { .. }),
            Self::Log(error) => error.is_in_use(),
        }
    }
}

fn reason(error: &WalError) -> String {
    if error.is_in_use() { "in use by another process".into() } else { error.to_string() }
}
