//! The anchor: a contract, the endpoints that read it, and an account that pays.

use std::fmt;

use nervure_anchor::{
    Anchor, AnchorDomain, AnchorError, AnchorFuture, AnchoredCheckpoint, Submission, SubmissionReceipt,
};
use nervure_primitives::{BlockHeight, Hash, MeshId};
use tokio::sync::Mutex;

use crate::{Account, EvmConfig, artefact, artefact::Artefact, convert, rpc::Rpc, send::FeeOffer};

/// An anchor on an EVM chain. Reads go to all endpoints, submissions to the first.
pub struct EvmAnchor {
    pub(crate) config: EvmConfig,
    pub(crate) account: Option<Account>,
    /// At least one.
    pub(crate) endpoints: Vec<Rpc>,
    /// Held while a transaction is under way: two with one nonce would replace each other.
    pub(crate) sending: Mutex<Option<FeeOffer>>,
    /// The highest checkpoint that was read, and the chain's block that it is in.
    searched: parking_lot::Mutex<Option<(BlockHeight, u64)>>,
}

impl EvmAnchor {
    /// Connects to a contract. Every endpoint that answers has to be on the configured chain and to have this
    /// program's contract code for `mesh`. Without an account the anchor is read-only.
    ///
    /// # Errors
    /// When no endpoint answers, or one has another chain or contract.
    pub async fn connect(
        config: EvmConfig,
        mesh: MeshId,
        account: Option<Account>,
    ) -> Result<Self, AnchorError> {
        let endpoints = Rpc::all(&config)?;
        let code = Artefact::load().map_err(AnchorError::Untrustworthy)?.deployed(&mesh);
        let (mut answered, mut unreachable) = (0, None);
        for rpc in &endpoints {
            match identify(rpc, &config.domain, &code).await {
                Ok(()) => answered += 1,
                Err(error) if error.is_transient() => unreachable = Some(error),
                Err(error) => return Err(error),
            }
        }
        match unreachable {
            Some(error) if answered == 0 => Err(error),
            _ => Ok(Self {
                config,
                account,
                endpoints,
                sending: Mutex::new(None),
                searched: Default::default(),
            }),
        }
    }
}

impl EvmAnchor {
    /// The last checkpoint whose event was read.
    pub(crate) fn searched(&self) -> Option<(BlockHeight, u64)> {
        *self.searched.lock()
    }

    pub(crate) fn remember(&self, height: BlockHeight, block: u64) {
        let mut searched = self.searched.lock();
        *searched = (*searched).max(Some((height, block)));
    }
}

async fn identify(rpc: &Rpc, domain: &AnchorDomain, code: &[u8]) -> Result<(), AnchorError> {
    let chain = rpc.chain().await?;
    if chain != domain.chain {
        let wrong = format!("an endpoint is on chain {chain}, not {}", domain.chain);
        return Err(AnchorError::Untrustworthy(wrong));
    }
    let found = rpc.code(convert::address(domain.contract)).await?;
    if found.as_ref() != code {
        let found = artefact::short(&found);
        let wrong =
            format!("address {} has another contract, or one for another mesh ({found})", domain.contract);
        return Err(AnchorError::Untrustworthy(wrong));
    }
    Ok(())
}

impl fmt::Debug for EvmAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvmAnchor")
            .field("config", &self.config)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl Anchor for EvmAnchor {
    fn domain(&self) -> AnchorDomain {
        self.config.domain
    }

    fn submit<'a>(&'a self, submission: &'a Submission) -> AnchorFuture<'a, SubmissionReceipt> {
        Box::pin(self.submit_until_final(submission))
    }

    fn at(&self, height: BlockHeight) -> AnchorFuture<'_, Option<AnchoredCheckpoint>> {
        Box::pin(self.read_at(height))
    }

    fn list(&self, height: BlockHeight, most: usize) -> AnchorFuture<'_, Vec<AnchoredCheckpoint>> {
        Box::pin(self.read_list(height, most))
    }

    fn head(&self) -> AnchorFuture<'_, (BlockHeight, Hash)> {
        Box::pin(self.read_head())
    }
}
