//! `nervure anchor`: the keys that validators sign checkpoints with, and the contract that keeps the checkpoints.

#[cfg(feature = "anchor-evm")]
mod deploy;

use std::path::PathBuf;

use nervure_anchor::{AnchorKey, ProofOfPossession};
use nervure_ledger::transaction::{Call, RegisterAnchorKey};
use serde::Serialize;

use super::{Global, output, sign::NodeSignArgs};
use crate::runtime::ANCHOR_KEY_FILE;

/// Anchors checkpoints in a contract on another chain
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AnchorCommand {
    Key(KeyArgs),
    Register(RegisterArgs),
    #[cfg(feature = "anchor-evm")]
    Deploy(deploy::DeployArgs),
    /// Not in this build: the client of EVM chains
    #[cfg(not(feature = "anchor-evm"))]
    Deploy(super::absent::AbsentArgs),
}

/// Shows the address of this validator's anchor key, and creates the key if there is none
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// The key's file [default: anchor.key in the node's directory]
    file: Option<PathBuf>,
}

/// Registers this validator's anchor key on the ledger; it counts from the next election on
#[derive(Debug, clap::Args)]
pub(crate) struct RegisterArgs {
    /// The anchor key's file [default: anchor.key in the node's directory]
    #[arg(long, value_name = "FILE")]
    anchor_key: Option<PathBuf>,
    #[command(flatten)]
    terms: NodeSignArgs,
}

/// An anchor key, as `--json` prints it.
#[derive(Serialize)]
struct KeyInfo {
    address: String,
    file: PathBuf,
}

impl AnchorCommand {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Key(args) => args.run(global),
            Self::Register(args) => args.run(global).await,
            #[cfg(feature = "anchor-evm")]
            Self::Deploy(args) => args.run(global).await,
            #[cfg(not(feature = "anchor-evm"))]
            Self::Deploy(_) => Err(super::absent::error("nervure anchor deploy", "anchor-evm")),
        }
    }
}

/// The named file, else the anchor key of the user's own node.
fn file_here(named: Option<PathBuf>, global: &Global) -> anyhow::Result<PathBuf> {
    named.map_or_else(|| Ok(global.own_node_dir()?.join(ANCHOR_KEY_FILE)), Ok)
}

impl KeyArgs {
    fn run(self, global: &Global) -> anyhow::Result<()> {
        let file = file_here(self.file, global)?;
        let key = match file.exists() {
            true => AnchorKey::read(&file)?,
            false => {
                let key = AnchorKey::create(&file)?;
                output::note(&format!("wrote {}", file.display()));
                key
            }
        };
        let address = key.address().to_string();
        if global.json { output::json(&KeyInfo { address, file }) } else { output::line(&address) }
    }
}

impl RegisterArgs {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let key = AnchorKey::read(&file_here(self.anchor_key, global)?)?;
        let mut signer = self.terms.signer(global).await?;
        let possession = ProofOfPossession::prove(&key, &signer.id(), &signer.mesh()?);
        let call = Call::RegisterAnchorKey(RegisterAnchorKey { address: key.address(), possession });
        signer.send(call, global).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use nervure_anchor::{AnchorKey, ProofOfPossession};
    use nervure_ledger::{
        block::BlockContext,
        spec::MeshSpec,
        state::LedgerState,
        transaction::{Call, Checked, RegisterAnchorKey, Transaction},
    };
    use nervure_primitives::{Amount, BlockHeight, NodeKey};

    use crate::cli::wallet::finality::effect_line;

    /// What `nervure anchor register --dry-run` prints for a validator of a public mesh, which owns itself.
    fn anchor_key_of_a_validator() -> String {
        let (node, anchor) = (NodeKey::from_seed(&[7; 32]), AnchorKey::from_secret(&[9; 32]).unwrap());
        let (id, tokens) = (node.node_id(), |tokens| Amount::from_tokens(tokens).unwrap());
        let spec =
            MeshSpec::public("documents").with_validator(id, tokens(1_000)).with_account(id, tokens(1));
        let state = LedgerState::genesis(&spec).unwrap();
        let possession = ProofOfPossession::prove(&anchor, &id, &state.mesh());
        let call = Call::RegisterAnchorKey(RegisterAnchorKey { address: anchor.address(), possession });
        // Free, as the command signs it for a validator.
        let (fee, tip, expiry) = (Amount::ZERO, Amount::ZERO, BlockHeight(10));
        let sealed = Transaction { nonce: 0, fee, tip, expiry, call }.seal(&node, &state.mesh()).unwrap();
        let checked = Checked::new(&sealed, &state.mesh());
        let tried = state.try_transaction(&BlockContext::default(), &checked).unwrap();
        effect_line(&tried.outcome, tried.paid, fee)
    }

    /// The sentence in the document is the one that the program makes.
    #[test]
    fn the_document_shows_what_a_dry_run_prints() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ledger.md");
        let page = fs::read_to_string(&path).unwrap();
        let command = "$ nervure anchor register --dry-run\n";
        let (before, rest) = page.split_once(command).unwrap();
        let (_, after) = rest.split_once('\n').unwrap();
        let wanted = format!("{before}{command}{}\n{after}", anchor_key_of_a_validator());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &wanted).unwrap();
        }
        let update = "UPDATE_DOCS=1 cargo test -p nervure --lib the_document_shows_what_a_dry_run_prints";
        assert!(
            page == wanted || std::env::var_os("UPDATE_DOCS").is_some(),
            "docs/ledger.md is stale\nrun: {update}"
        );
    }
}
