//! `nervure mesh`: mesh specs, the files that say what a mesh is.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use nervure_ledger::spec::{MAX_SPEC_LEN, MeshSpec, Role};
use nervure_primitives::{
    MeshId,
    durable::{self, Access},
};
use serde::Serialize;

use super::{Global, output};

/// Time for fetching a spec.
const FETCH_PATIENCE: Duration = Duration::from_secs(15);

/// Redirects that are followed to a spec.
const MAX_REDIRECTS: usize = 3;

/// Makes and reads mesh specs
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
        /// The mesh spec: a file or a URL
        spec: String,
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
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::New { name, preset, out } => new(&name, preset, out.as_deref()),
            Self::Show { spec } => show(&read(&spec).await?, global),
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
    let written = durable::create(path, text.as_bytes(), Access::Default);
    written.with_context(|| format!("cannot write the mesh spec to {}", path.display()))?;
    output::note(&format!(
        "wrote {}: list its nodes under [[nodes]], then: nervure mesh show {0}",
        path.display()
    ));
    Ok(())
}

fn show(spec: &MeshSpec, global: &Global) -> anyhow::Result<()> {
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

/// Reads the mesh spec at `source`: a file, or an `http://` or `https://` URL.
pub(crate) async fn read(source: &str) -> anyhow::Result<MeshSpec> {
    let text = match source.starts_with("http://") || source.starts_with("https://") {
        true => fetch(source).await.with_context(|| format!("cannot fetch the mesh spec {source}"))?,
        false => read_file(Path::new(source))?,
    };
    MeshSpec::parse(&text).with_context(|| format!("in the mesh spec {source}"))
}

fn read_file(path: &Path) -> anyhow::Result<String> {
    let found = fs::metadata(path).with_context(|| {
        format!("there is no mesh spec {}\nmake one: nervure mesh new NAME --out FILE", path.display())
    })?;
    anyhow::ensure!(
        found.is_file() && found.len() <= MAX_SPEC_LEN as u64,
        "{} is no mesh spec: it has {} bytes, at most {MAX_SPEC_LEN} are read",
        path.display(),
        found.len()
    );
    fs::read_to_string(path).with_context(|| format!("cannot read the mesh spec {}", path.display()))
}

/// Fetches a spec. Whoever serves it decides which mesh is joined, so that its id is what people should compare.
async fn fetch(url: &str) -> anyhow::Result<String> {
    let client = reqwest::Client::builder()
        .timeout(FETCH_PATIENCE)
        .redirect(reqwest::redirect::Policy::limited(MAX_REDIRECTS))
        .build()?;
    let mut response = client.get(url).send().await?.error_for_status()?;
    let mut text = Vec::new();
    while let Some(piece) = response.chunk().await? {
        anyhow::ensure!(text.len() + piece.len() <= MAX_SPEC_LEN, "it is longer than {MAX_SPEC_LEN} bytes");
        text.extend_from_slice(&piece);
    }
    Ok(String::from_utf8(text)?)
}
