//! `nervure mesh recover`: the spec of a mesh that continues one whose validators are lost.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use nervure_ledger::{
    recovery,
    snapshot::{self, Imported},
    spec::{MeshSpec, Recovered},
};
use nervure_primitives::{
    BlockHeight, Hash, MeshId, NodeId, UnixMillis,
    durable::{self, Access},
};
use serde::Serialize;

use super::{Global, output, read};
use crate::{
    cli::trust::MESH_FILE,
    runtime::{LastBlock, last_block},
};

/// Makes the spec of a mesh that continues this one after validators with a third of the power or more are lost
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The new mesh begins with the last certified state of the chain in the node's
directory: balances, stakes, nonces and subnets stay. Stop the node first. All
operators who run this with the same block and the same validators get the same
spec: compare the mesh ids before anyone starts a node.

Example:
  nervure --dir /var/lib/nervure mesh recover --validators 12D3KooWFDXZ...,12D3KooWQmGL... \\
    --out recovered.toml --state recovered.state
  nervure --dir /var/lib/nervure-2 join recovered.toml --state recovered.state --role validator")]
pub(crate) struct RecoverArgs {
    /// Ids of the nodes that make the blocks from now on, each with its stake as its power
    #[arg(long, value_name = "NODE,...", value_delimiter = ',', required = true)]
    validators: Vec<NodeId>,
    /// File to write the new mesh spec to
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// File to write the last certified state to: nodes begin with it
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// The block that the new mesh continues, for when some of the nodes that are left have no later one [default: the last
    /// block here]. What is in later blocks is undone
    #[arg(long, value_name = "HEIGHT", conflicts_with = "from")]
    height: Option<BlockHeight>,
    /// The state file of another operator, instead of the chain in the node's directory
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The spec of the mesh so far: a file or a URL [default: mesh.toml in the node's directory]
    #[arg(long, value_name = "SPEC")]
    mesh: Option<String>,
    /// The time of the new genesis, in milliseconds since 1970, from which on light clients trust it for the trusting
    /// period [default: that of the last block]
    #[arg(long, value_name = "MILLISECONDS")]
    time: Option<u64>,
}

/// What the command made.
#[derive(Serialize)]
struct RecoveredMesh {
    mesh: MeshId,
    former: MeshId,
    height: BlockHeight,
    block: Hash,
    certified_state: Hash,
    state: Hash,
    validators: Vec<NodeId>,
    spec: PathBuf,
    file: PathBuf,
}

impl RecoverArgs {
    /// Runs the command.
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let dir = global.own_node_dir()?;
        let former = match &self.mesh {
            Some(spec) => read(spec).await?,
            None => read(&dir.join(MESH_FILE).display().to_string()).await?,
        };
        let last = self.last(&dir, &former)?;
        let validators: BTreeSet<NodeId> = self.validators.iter().copied().collect();
        recovery::check_certified(&last.tip, last.certificate.as_deref())?;
        let spec = recovery::recover(&former, &last.tip, &validators, self.time.map(UnixMillis))?;
        // The spec last: who has it also has the state.
        write_state(&self.state, &last)?;
        let written = durable::create(&self.out, spec.to_toml().as_bytes(), Access::Default);
        written.with_context(|| format!("cannot write the mesh spec to {}", self.out.display()))?;
        self.report(&spec, global)
    }

    /// The last certified block, from the directory or a file.
    fn last(&self, dir: &Path, former: &MeshSpec) -> anyhow::Result<LastBlock> {
        let Some(from) = &self.from else {
            let found = last_block(dir, former, self.height)
                .with_context(|| format!("the chain in {}", dir.display()))?;
            let Some(found) = found else {
                bail!(
                    "there is no chain in {}\nname the directory of a node that had the mesh: --dir DIR",
                    dir.display()
                )
            };
            return Ok(found);
        };
        let file = File::open(from).with_context(|| format!("cannot read the state {}", from.display()))?;
        let Imported { tip, certificate } = snapshot::read(former, None, &mut BufReader::new(file))?;
        Ok(LastBlock { tip, certificate })
    }

    fn report(&self, spec: &MeshSpec, global: &Global) -> anyhow::Result<()> {
        let Some(recovered) = &spec.recovered else { return Ok(()) };
        let Recovered { height, block, certified_state, state, .. } = *recovered;
        let made = RecoveredMesh {
            mesh: spec.mesh_id(),
            former: recovered.mesh,
            height,
            block,
            certified_state,
            state,
            validators: recovered.validators.iter().map(|one| one.node).collect(),
            spec: self.out.clone(),
            file: self.state.clone(),
        };
        if global.json {
            return output::json(&made);
        }
        let rows = [
            ("mesh", format!("{} ({})", made.mesh, spec.mesh.name)),
            ("continues", format!("block {height} ({block}) of mesh {}", made.former)),
            ("certified", format!("state {certified_state}")),
            ("begins", format!("state {state}, with {} validators", made.validators.len())),
        ];
        rows.into_iter().try_for_each(|(name, value)| output::line(&format!("{name:<10} {value}")))?;
        output::note(&format!(
            "wrote {} and {}: compare the mesh id with the other operators, then start each node in a new directory \
             with its key: nervure --dir NEW join {0} --state {1} --role validator",
            self.out.display(),
            self.state.display()
        ));
        Ok(())
    }
}

/// Writes the certified state, to a new file.
fn write_state(path: &Path, last: &LastBlock) -> anyhow::Result<()> {
    let cannot = || format!("cannot write the state to {}", path.display());
    let file = OpenOptions::new().write(true).create_new(true).open(path).with_context(cannot)?;
    let mut out = BufWriter::new(file);
    let written = snapshot::write(&last.tip, last.certificate.as_deref(), &mut out);
    let synced = written.map_err(anyhow::Error::from).and_then(|()| {
        out.flush()?;
        Ok(out.get_ref().sync_all()?)
    });
    if synced.is_err() {
        // A part of a state would be refused, and stand in the way of the next try.
        let _ = fs::remove_file(path);
    }
    synced.with_context(cannot)
}
