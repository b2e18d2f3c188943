//! Signs a transaction with an owner key or a node key, submits it, and waits until it is final.
//!
//! Owner keys pay fees. What node keys sign is free for validators, within a quota; otherwise the owner of the node pays.
//! In all cases the command first prints what the transaction will do and cost.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use data_encoding::BASE64;
use nervure_api::{
    AccountView, Client, ClientError, FeesView, NodeView, SubmitBody, TransactionState, TransactionView,
};
use nervure_ledger::transaction::{Call, SignerKey, Transaction};
use nervure_primitives::{BlockHeight, Envelope, Hash, MeshId, NodeId, NodeKey, key_file};
use nervure_testnet::{Layout, OWNER_KEY};

use super::{
    Global,
    access::{Access, Session},
    behalf::BehalfArgs,
    fees::{FeeArgs, Price},
    key, output,
    wallet::{finality::Spending, submit::SignedFile},
};

/// Blocks until a transaction expires.
const EXPIRES_AFTER_BLOCKS: u64 = 100;

/// The same for one that is carried in a file: half an hour with blocks of two seconds.
const FILE_EXPIRES_AFTER_BLOCKS: u64 = 1_000;

/// How often a transaction is signed again because another one took its nonce.
const MAX_NONCE_RACES: u32 = 3;

/// The owner key.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// The owner key's file [default: owner.pem of a testnet, key.pem of a node]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// The options of a command that an owner key signs.
#[derive(Debug, clap::Args)]
pub(crate) struct SpendArgs {
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    fees: FeeArgs,
    #[command(flatten)]
    behalf: BehalfArgs,
    #[command(flatten)]
    access: Access,
    /// Print what the transaction would do and cost, and do not submit it
    #[arg(long)]
    dry_run: bool,
    /// Write the signed transaction to this file instead of submitting it; any node submits it: nervure wallet submit FILE.
    /// Where there are several, the second is in FILE with -2 before the extension; they are submitted in this order
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    sign_to: Option<PathBuf>,
    /// Blocks for which the file can be submitted [default: 1000; a mesh bounds it with max_lifetime]
    #[arg(long, value_name = "BLOCKS", requires = "sign_to")]
    valid_for: Option<u64>,
}

/// Where a signed transaction is written instead of being submitted.
#[derive(Clone, Copy)]
struct SignTo<'a> {
    file: &'a Path,
    /// Blocks until it expires.
    valid_for: u64,
}

impl SignTo<'_> {
    /// The file of a transaction, when `before` of the same command are in files.
    fn path(self, before: u32) -> PathBuf {
        if before == 0 {
            return self.file.to_owned();
        }
        let mut name = self.file.file_stem().unwrap_or_default().to_owned();
        name.push(format!("-{}", before + 1));
        if let Some(extension) = self.file.extension() {
            name.push(".");
            name.push(extension);
        }
        self.file.with_file_name(name)
    }
}

/// The options of a command that a node key signs.
#[derive(Debug, clap::Args)]
pub(crate) struct NodeSignArgs {
    /// The node key's file [default: key.pem in the node's directory]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    fees: FeeArgs,
    #[command(flatten)]
    access: Access,
    /// Print what the transaction would do, and do not submit it
    #[arg(long)]
    dry_run: bool,
}

/// A key, and the node that takes its transactions.
pub(crate) struct Signer<'a> {
    session: Session,
    key: NodeKey,
    /// What its transactions may cost.
    fees: &'a FeeArgs,
    /// For whom it acts, if not for itself.
    behalf: Option<&'a BehalfArgs>,
    /// The account that acts.
    account: NodeId,
    dry_run: bool,
    /// None where it is submitted.
    sign_to: Option<SignTo<'a>>,
    /// Transactions that were signed to files: they have the nonces before that of the next one.
    signed: u32,
}

/// What the node says about a key.
#[derive(Clone, Copy)]
struct Standing {
    nonce: u64,
    fees: FeesView,
    height: BlockHeight,
}

impl KeyArgs {
    /// Reads the key.
    pub(crate) fn read(&self, global: &Global) -> anyhow::Result<NodeKey> {
        let path = match &self.key {
            Some(path) => path.clone(),
            None => {
                let dir = global.node_dir()?;
                let owner = dir.join(OWNER_KEY);
                if owner.exists() { owner } else { dir.join(key::KEY_FILE) }
            }
        };
        key::read_owner(&path)
    }
}

impl SpendArgs {
    /// The owner key, which signs transactions.
    pub(crate) async fn signer(&self, global: &Global) -> anyhow::Result<Signer<'_>> {
        // The key first: to join a mesh and then find no key would waste the user's time.
        let key = self.key.read(global)?;
        let (behalf, account) = (Some(&self.behalf), self.behalf.account(key.node_id())?);
        let session = self.access.open(global).await?;
        let valid_for = self.valid_for.unwrap_or(FILE_EXPIRES_AFTER_BLOCKS);
        let sign_to = self.sign_to.as_deref().map(|file| SignTo { file, valid_for });
        Ok(Signer {
            session,
            key,
            fees: &self.fees,
            behalf,
            account,
            dry_run: self.dry_run,
            sign_to,
            signed: 0,
        })
    }

    /// The owner key.
    pub(crate) fn key(&self, global: &Global) -> anyhow::Result<NodeKey> {
        self.key.read(global)
    }

    /// Signs `call`, submits it, and waits until it is final.
    pub(crate) async fn send(&self, call: Call, global: &Global) -> anyhow::Result<TransactionView> {
        self.signer(global).await?.send(call, global).await
    }
}

impl NodeSignArgs {
    /// The node key, which signs transactions.
    pub(crate) async fn signer(&self, global: &Global) -> anyhow::Result<Signer<'_>> {
        let path = self.key.clone().map_or_else(|| node_key_here(global), Ok)?;
        let key = key_file::read(&path, key::passphrase()?.as_ref())?;
        let (account, session) = (key.node_id(), self.access.open(global).await?);
        let (fees, dry_run) = (&self.fees, self.dry_run);
        Ok(Signer { session, key, fees, behalf: None, account, dry_run, sign_to: None, signed: 0 })
    }

    /// Signs `call`, submits it, and waits until it is final.
    pub(crate) async fn send(&self, call: Call, global: &Global) -> anyhow::Result<TransactionView> {
        self.signer(global).await?.send(call, global).await
    }
}

/// What became of a transaction that is in a file instead.
fn not_submitted() -> TransactionView {
    TransactionView {
        id: Hash::from_bytes([0; 32]),
        state: TransactionState::Possible,
        height: None,
        paid: None,
        outcome: None,
        rejection: None,
    }
}

/// The key of the node in the directory; a testnet has several, so one has to be named.
fn node_key_here(global: &Global) -> anyhow::Result<PathBuf> {
    let dir = global.node_dir()?;
    let path = dir.join(key::KEY_FILE);
    if !path.exists() && Layout::new(&dir).nodes().is_dir() {
        let example = Layout::new(&dir).node("validator-1").key();
        bail!("a testnet has several node keys\nname one: --key {}", example.display());
    }
    Ok(path)
}

impl Signer<'_> {
    /// The id of the account, or of the node, that acts.
    pub(crate) fn id(&self) -> NodeId {
        self.account
    }

    /// The key that signs.
    pub(crate) fn key(&self) -> &NodeKey {
        &self.key
    }

    /// The mesh id, which is part of every signature.
    pub(crate) fn mesh(&self) -> anyhow::Result<MeshId> {
        self.session.node.mesh().context("the node's mesh is not known")
    }

    /// The node that is asked.
    pub(crate) fn node(&self) -> &Client {
        self.session.node.client()
    }

    /// Whether transactions are not submitted.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Signs `call`, submits it, and waits until it is final. If another transaction of the key takes its nonce first, it
    /// is signed again.
    pub(crate) async fn send(&mut self, call: Call, global: &Global) -> anyhow::Result<TransactionView> {
        let call = match self.behalf {
            Some(behalf) => match behalf.redirect(call, self).await? {
                Some(call) => call,
                None => return Ok(not_submitted()),
            },
            None => call,
        };
        let mut left = MAX_NONCE_RACES;
        loop {
            let mut standing = self.standing(&call).await?;
            standing.nonce += u64::from(self.signed);
            let price = self.price(&call, standing).await?;
            let envelope = self.seal(&call, price, standing)?;
            if let Some(to) = self.sign_to {
                self.write(to, &call, (price, envelope))?;
                return Ok(not_submitted());
            }
            let (node, intent) = (self.session.node.client(), call.intent());
            let spending = Spending { node, envelope, fee: price.fee, intent };
            let sent = spending.run(self.dry_run, global).await;
            let Err(error) = sent else { return sent };
            // Only the node's next nonce tells a race from every other reason.
            let is_refused = error.downcast_ref::<ClientError>().is_some();
            if !is_refused || left == 0 || self.standing(&call).await?.nonce == standing.nonce {
                return Err(error);
            }
            left -= 1;
            output::note("another transaction of this key came first; signing again");
        }
    }

    /// Writes a signed transaction to its file, and says what it is.
    fn write(
        &mut self,
        to: SignTo<'_>,
        call: &Call,
        (price, envelope): (Price, Envelope),
    ) -> anyhow::Result<()> {
        let path = to.path(self.signed);
        SignedFile { mesh: self.mesh()?, envelope }.create(&path)?;
        let (account, intent, blocks, shown) = (self.account, call.intent(), to.valid_for, path.display());
        let order = if self.signed == 0 { "" } else { " after the one before it" };
        output::note(&format!(
            "signed, and not submitted: {account} {intent}, for at most {} tokens\nsubmit it{order} within {blocks} blocks, \
             from any machine: nervure wallet submit {shown}",
            price.fee
        ));
        self.signed += 1;
        Ok(())
    }

    /// What the node says about the key that signs `call`.
    async fn standing(&self, call: &Call) -> anyhow::Result<Standing> {
        let id = self.key.node_id();
        Ok(match call.signer() {
            SignerKey::Owner => {
                let AccountView { nonce, fees, height, .. } = self.node().account(&id).await?;
                Standing { nonce, fees, height }
            }
            SignerKey::Node => {
                let NodeView { nonce, fees, height, .. } = self.node().node(&id).await?;
                Standing { nonce, fees, height }
            }
        })
    }

    /// What `call` may cost: nothing if it is free for this node and the user names no price.
    async fn price(&self, call: &Call, standing: Standing) -> anyhow::Result<Price> {
        let paid = self.fees.price(call, standing.fees);
        if call.signer() == SignerKey::Owner || self.fees.is_given() {
            return Ok(paid);
        }
        let envelope = BASE64.encode(&self.seal(call, Price::FREE, standing)?.encode()?);
        match self.node().submit(&SubmitBody { envelope, dry_run: true }).await {
            Ok(_) => Ok(Price::FREE),
            // Not free here, or rejected for a reason that the trial with a fee repeats.
            Err(ClientError::Response(_)) => Ok(paid),
            Err(error) => Err(error.into()),
        }
    }

    fn seal(&self, call: &Call, price: Price, standing: Standing) -> anyhow::Result<Envelope> {
        let blocks = self.sign_to.map_or(EXPIRES_AFTER_BLOCKS, |to| to.valid_for);
        let expiry = BlockHeight(standing.height.0.saturating_add(blocks));
        let Price { fee, tip } = price;
        let transaction = Transaction { nonce: standing.nonce, fee, tip, expiry, call: call.clone() };
        Ok(transaction.seal(&self.key, &self.mesh()?)?)
    }
}
