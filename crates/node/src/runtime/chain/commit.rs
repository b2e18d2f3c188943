//! Decided blocks: committed one by one, or many when this node was away.

use std::time::Instant;

use nervure_consensus::{
    bft::{Candidate, Round},
    checkpoint::CommitCertificate,
};
use nervure_ledger::chain::Next;
use nervure_primitives::NodeId;

use super::{
    ChainCounters,
    blocks::{Certified, MOST},
    host::{Host, HostError},
};

impl Host {
    /// Validators agreed: commits the block, or fetches it first.
    pub(super) fn decided(&mut self, certificate: CommitCertificate) -> Result<(), HostError> {
        self.awaited = Some(certificate);
        self.commit_awaited()?;
        if let Some(CommitCertificate { height, round, value, ref signatures, .. }) = self.awaited
            && let Some((signer, _)) = signatures.iter().next()
        {
            self.parts.net.body(Candidate { height, round, value, proposer: *signer });
        }
        Ok(())
    }

    /// Commits the block that was decided, if it is here.
    pub(super) fn commit_awaited(&mut self) -> Result<(), HostError> {
        let Some(certificate) =
            self.awaited.take_if(|certificate| self.executed.contains_key(&certificate.value))
        else {
            return Ok(());
        };
        if let Some(next) = self.executed.remove(&certificate.value) {
            self.commit(next, &certificate, true)?;
            self.begin_at = Some(self.begun + self.parts.block_time);
        }
        Ok(())
    }

    /// Blocks that were decided without this node. Each is verified against the validators that the block before it
    /// names; what comes after the first that does not hold is dropped.
    pub(super) fn take_blocks(
        &mut self,
        peer: NodeId,
        blocks: Option<Vec<Certified>>,
    ) -> Result<(), HostError> {
        self.syncing = None;
        let blocks = blocks.unwrap_or_default();
        let (count, before) = (blocks.len(), self.tip.header.height);
        for (number, (block, certificate)) in blocks.into_iter().enumerate() {
            let Some(validators) = self.tip.state.validators() else { break };
            let agreed = (certificate.height, certificate.value) == (block.header.height, block.header.id())
                && certificate.verify(validators, &self.tip.header.mesh).is_ok();
            if block.header.height <= self.tip.header.height {
                continue;
            }
            if !agreed {
                tracing::warn!(%peer, height = %block.header.height, "a block without the validators' agreement");
                break;
            }
            let checked = self.tip.check(&self.parts.store.read()?, &block, self.parts.threads);
            let next = checked.map_err(|error| {
                tracing::error!(height = %block.header.height, %error, "the validators' block does not follow");
                HostError::Contradicted { height: block.header.height, id: block.header.id() }
            })?;
            self.commit(next, &certificate, number + 1 == count)?;
        }
        if self.tip.header.height > before {
            tracing::info!(height = %self.tip.header.height, %peer, "caught up with blocks of others");
            self.awaited = None;
            self.begin_at = Some(Instant::now());
            if count == usize::from(MOST) {
                self.syncing = Some(Instant::now());
                self.parts.net.blocks(peer, self.height());
            }
        }
        Ok(())
    }

    fn commit(
        &mut self,
        next: Next,
        certificate: &CommitCertificate,
        durable: bool,
    ) -> Result<(), HostError> {
        let proof = certificate.encode().map_err(|error| HostError::Wal(std::io::Error::other(error)))?;
        match durable {
            true => self.parts.store.commit(&next, Some(&proof))?,
            false => self.parts.store.commit_soon(&next, Some(&proof))?,
        }
        if durable {
            self.parts.wal.next_height()?;
        }
        self.tip = next.tip();
        self.executed.clear();
        self.parts.bodies.clear();
        self.pool.update(&self.tip.state);
        self.report(certificate.round);
        Ok(())
    }

    fn report(&self, round: Round) {
        let (tip, waiting) = (self.tip.clone(), self.pool.len());
        tracing::debug!(height = %tip.header.height, round = round.0, waiting, "committed");
        self.parts.view.send_modify(|view| {
            view.behind = view.behind.filter(|behind| *behind > tip.header.height);
            view.silent_through = view.silent_through.filter(|through| *through > tip.header.height);
            (view.committed, view.took) = (Instant::now(), Some(self.begun.elapsed()));
            (view.round, view.waiting) = (0, waiting);
            view.tip = tip.into();
        });
    }

    /// Ends: says why.
    pub(super) fn fail(&self, error: &dyn std::error::Error) {
        tracing::error!(error = %error, "this node follows the chain no more; start it again when that is mended");
        ChainCounters::count(&self.parts.counters.refused_blocks);
        self.parts.view.send_modify(|view| view.failed = Some(error.to_string()));
    }
}
