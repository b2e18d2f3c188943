//! `nervure mesh`: mesh specs, the files that define a mesh.

pub(super) mod describe;
mod founder;
mod recover;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use nervure_ledger::spec::{MAX_SPEC_LEN, MeshSpec, SubnetSpec};
use nervure_primitives::{
    MechanismSpec, Netuid,
    durable::{self, Access},
};

use super::{Global, output};
use crate::runtime::clock;
use describe::MeshInfo;
use founder::FounderArgs;
use recover::RecoverArgs;

/// How long fetching a spec may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(15);

/// Redirects that are followed to a spec.
const MAX_REDIRECTS: usize = 3;

/// Subnets of a public mesh in which model servers earn: number, name and mechanism.
const SERVER_SUBNETS: [(Netuid, &str, &str); 2] =
    [(Netuid(18), "text-api", "exact-answer"), (Netuid(21), "embedding", "embedding")];

/// Creates and shows mesh specs
#[derive(Debug, clap::Subcommand)]
pub(crate) enum MeshCommand {
    /// Writes the spec of a new mesh: what the flags say, or without them a commented one to fill in
    New {
        /// Name of the mesh
        name: String,
        /// Whether its nodes are on this machine or network, or on the internet
        #[arg(long, value_enum, default_value = "local")]
        preset: Preset,
        /// File to write [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        founder: Box<FounderArgs>,
    },
    /// Checks a mesh spec and shows its id and contents
    Show {
        /// The mesh spec: a file or a URL
        spec: String,
    },
    /// Makes the spec of a mesh that continues this one after validators with a third of the power or more are lost
    Recover(RecoverArgs),
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Preset {
    Local,
    Public,
}

impl MeshCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::New { name, preset, out, founder } => {
                let spec = founder.complete(preset.spec(&name))?;
                write(&spec, out.as_deref())
            }
            Self::Show { spec } => show(&read(&spec).await?, global),
            Self::Recover(recover) => recover.run(global).await,
        }
    }
}

impl Preset {
    /// The mesh to begin with.
    fn spec(self, name: &str) -> MeshSpec {
        match self {
            Self::Local => MeshSpec::local(name),
            Self::Public => {
                let mut spec = MeshSpec::public(name);
                // Light clients trust the genesis for the trusting period from now on.
                spec.consensus.genesis_unix_milliseconds = clock::now().0;
                // In the first subnet only byte models earn; people have chat servers and embedding models.
                spec.subnets.extend(SERVER_SUBNETS.map(|(netuid, name, mechanism)| {
                    SubnetSpec::new(netuid, name, Some(MechanismSpec::named(mechanism)))
                }));
                spec
            }
        }
    }
}

fn write(spec: &MeshSpec, out: Option<&Path>) -> anyhow::Result<()> {
    let text = spec.to_toml();
    // Names and keys come from the user and may be invalid.
    MeshSpec::parse(&text)?;
    let Some(path) = out else { return output::text(text.trim_end()) };
    let written = durable::create(path, text.as_bytes(), Access::Default);
    written.with_context(|| format!("cannot write the mesh spec to {}", path.display()))?;
    let next = match spec.nodes.is_empty() {
        true => "list its nodes under [[nodes]], then",
        false => "look at it, and give it to its members",
    };
    output::note(&format!("wrote {}: {next}: nervure mesh show {0}", path.display()));
    Ok(())
}

fn show(spec: &MeshSpec, global: &Global) -> anyhow::Result<()> {
    let info = MeshInfo::of(spec);
    if global.json { output::json(&info) } else { info.show() }
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
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            anyhow::bail!(
                "there is no mesh spec {}\ncreate one: nervure mesh new NAME --out FILE",
                path.display()
            )
        }
        found => found.with_context(|| format!("cannot read the mesh spec {}", path.display()))?,
    };
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
