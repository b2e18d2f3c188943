//! `nervure mesh`: mesh specs, the files that define a mesh.

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
use crate::runtime::clock;

/// How long fetching a spec may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(15);

/// Redirects that are followed to a spec.
const MAX_REDIRECTS: usize = 3;

/// Creates and shows mesh specs
#[derive(Debug, clap::Subcommand)]
pub(crate) enum MeshCommand {
    /// Writes a commented mesh spec to start from
    New {
        /// Name of the mesh
        name: String,
        /// Whether its nodes are on this machine or network, or on the internet
        #[arg(long, value_enum, default_value = "local")]
        preset: Preset,
        /// File to write [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Checks a mesh spec and shows its id and contents
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
struct MeshInfo {
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
        Preset::Public => {
            let mut spec = MeshSpec::public(name);
            // Light clients trust the genesis for the trusting period from now on.
            spec.consensus.genesis_unix_milliseconds = clock::now().0;
            spec
        }
    };
    let text = spec.to_toml();
    // The name comes from the user and may be invalid.
    MeshSpec::parse(&text)?;
    let Some(path) = out else { return output::text(text.trim_end()) };
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
    let info = MeshInfo {
        mesh: spec.mesh_id(),
        name: spec.mesh.name.clone(),
        subnets: spec.subnets.len(),
        validators: count(Role::Validator),
        miners: count(Role::Miner),
        gateways: count(Role::Gateway),
        bootstrap: spec.network.bootstrap.clone(),
    };
    if global.json {
        return output::json(&info);
    }
    output::line(&format!("mesh       {} ({})", info.mesh, info.name))?;
    output::line(&format!("subnets    {}", info.subnets))?;
    let MeshInfo { validators, miners, gateways, .. } = info;
    output::line(&format!("nodes      {validators} validators, {miners} miners, {gateways} gateways"))?;
    output::line(&format!("bootstrap  {}", info.bootstrap.len()))
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
        format!("there is no mesh spec {}\ncreate one: nervure mesh new NAME --out FILE", path.display())
    })?;
    anyhow::ensure!(
        found.is_file() && found.len() <= MAX_SPEC_LEN as u64,
        "{} is not a mesh spec: it has {} bytes, and at most {MAX_SPEC_LEN} are read",
        path.display(),
        found.len()
    );
    fs::read_to_string(path).with_context(|| format!("cannot read the mesh spec {}", path.display()))
}

/// Fetches a spec. Its server decides which mesh is joined, so users should compare the mesh id.
async fn fetch(url: &str) -> anyhow::Result<String> {
    let client = reqwest::Client::builder()
        .timeout(FETCH_TIMEOUT)
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
