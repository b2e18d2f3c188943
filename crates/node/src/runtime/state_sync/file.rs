//! Begins a recovered mesh with the state that it continues, from a file that `nervure mesh recover` wrote.
//!
//! The file is worth what its root is worth: it has to be the state of the block that the spec names, certified by the
//! validators of the mesh before, and with the validators of the spec it has to make the root that the spec names.

use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
};

use nervure_ledger::{
    recovery::{self, RecoveryError},
    snapshot::{self, SnapshotError},
    spec::MeshSpec,
};
use nervure_primitives::BlockHeight;
use nervure_store::StoreError;

use crate::{config::NodeConfig, runtime::chain};

/// Why a node cannot begin with the state in a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateFileError {
    /// The file cannot be opened.
    #[error("the state cannot be read: {0}")]
    Open(#[from] io::Error),
    /// It is not the state that the spec continues.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// It is not certified, or the mesh does not begin with it.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The state cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Starts the chain from the state in `file`. Returns its height; none when there is already a chain.
pub(crate) fn begin_from_file(
    config: &NodeConfig,
    spec: &MeshSpec,
    file: &Path,
) -> Result<Option<BlockHeight>, StateFileError> {
    if chain::has_file(config) {
        return Ok(None);
    }
    let imported = snapshot::read_certified(spec, &mut BufReader::new(File::open(file)?))?;
    recovery::check_certified(&imported.tip, imported.certificate.as_deref())?;
    let tip = recovery::begin(spec, &imported.tip)?;
    let height = tip.header.height;
    chain::import(config, tip, None)?;
    Ok(Some(height))
}
