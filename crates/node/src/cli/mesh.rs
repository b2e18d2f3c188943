//! `nervure mesh`: mesh specs, the files that say what a mesh is.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use nervure_ledger::spec::{MAX_SPEC_LEN, MeshSpec, Role};
use nervure_primitives::MeshId;
use serde::Serialize;

use super::{Global, output};

/// Make and read mesh specs
#[derive(Debug, clap::Subcommand)]
pub(crate) enum MeshCommand {
    /// Writes a commented mesh spec to begin with
    New {
        /// What people call the mesh
        name: String,
        /// Where its nodes may be: on this machine or network, or on the internet
        #[arg(long, value_enum, default_value = "local")]
        preset: Preset,
        /// Where to write it [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Checks a mesh spec and shows its id and who is in it
    Show {
        /// The mesh spec
        file: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Preset {
    Local,
    Public,
}

#[derive(Serialize)]
struct Shown {
    mesh: MeshId,
    name: String,
    subnets: usize,
    validators: usize,
    miners: usize,
    gateways: usize,
    bootstrap: Vec<String>,
}

impl MeshCommand {
    /// Runs the command.
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::New { name, preset, out } => new(&name, preset, out.as_deref()),
            Self::Show { file } => show(&file, global),
        }
    }
}

fn new(name: &str, preset: Preset, out: Option<&Path>) -> anyhow::Result<()> {
    let spec = match preset {
        Preset::Local => MeshSpec::local(name),
        Preset::Public => MeshSpec::public(name),
    };
    let text = spec.to_toml();
    // The name came from outside.
    MeshSpec::parse(&text)?;
    let Some(path) = out else { return output::line(text.trim_end()) };
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write the mesh spec to {}", path.display()))?;
    output::note(&format!(
        "wrote {}: list its nodes under [[nodes]], then: nervure mesh show {0}",
        path.display()
    ));
    Ok(())
}

fn show(path: &Path, global: &Global) -> anyhow::Result<()> {
    let spec = read(path)?;
    let count = |role| spec.nodes.iter().filter(|node| node.role == role).count();
    let shown = Shown {
        mesh: spec.mesh_id(),
        name: spec.mesh.name.clone(),
        subnets: spec.subnets.len(),
        validators: count(Role::Validator),
        miners: count(Role::Miner),
        gateways: count(Role::Gateway),
        bootstrap: spec.network.bootstrap.clone(),
    };
    if global.json {
        return output::json(&shown);
    }
    output::line(&format!("mesh       {} ({})", shown.mesh, shown.name))?;
    output::line(&format!("subnets    {}", shown.subnets))?;
    let Shown { validators, miners, gateways, .. } = shown;
    output::line(&format!("nodes      {validators} validators, {miners} miners, {gateways} gateways"))?;
    output::line(&format!("bootstrap  {}", shown.bootstrap.len()))
}

/// Reads the mesh spec in `path`.
pub(crate) fn read(path: &Path) -> anyhow::Result<MeshSpec> {
    let found = fs::metadata(path).with_context(|| {
        format!("there is no mesh spec {}\nmake one: nervure mesh new NAME --out FILE", path.display())
    })?;
    anyhow::ensure!(
        found.is_file() && found.len() <= MAX_SPEC_LEN as u64,
        "{} is no mesh spec: it has {} bytes, at most {MAX_SPEC_LEN} are read",
        path.display(),
        found.len()
    );
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read the mesh spec {}", path.display()))?;
    MeshSpec::parse(&text).with_context(|| format!("in the mesh spec {}", path.display()))
}
