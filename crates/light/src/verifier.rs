//! A light client over a [`Source`]: it accepts what the source returns only when it verifies.
//!
//! It starts from a [`TrustAnchor`], and fetches blocks with their certificates and proofs. The source need not be
//! trusted.
//!
//! What a hostile source can do: answer slowly, refuse, or have [`MAX_STEPS`](crate::MAX_STEPS) certificates verified.
//! It cannot make the client accept a record, a score or a block that validators did not agree on.

mod backing;
mod error;
mod proposal;

use std::{cmp::Reverse, ops::Deref, time::Duration};

use nervure_anchor::{AnchoredCheckpoint, Submission};
use nervure_ledger::{
    checkpoint::Checkpoint,
    spec::AnchorPlace,
    subnet::Neuron,
    tree::{Fact, Key, Record},
};
use nervure_primitives::{BlockHeight, MeshId, Netuid, NodeId, Uid, UnixMillis};

pub use error::{VerifierError, VerifyError};
pub use proposal::{ProvenProposal, ProvenValidator, StakeOpinion};

use crate::{
    Bisection, LightClient, TrustAnchor, TrustedBlock, TrustingPeriod,
    score::{EpochProof, Score, explain},
    source::{EpochResponse, FactResponse, Source},
};

/// The result of a request to a source of type `S` and of its verification.
type Verified<T, S> = Result<T, VerifierError<<S as Source>::Error>>;

/// A [`LightClient`] and the source that it fetches from.
#[derive(Debug)]
pub struct Verifier<S> {
    source: S,
    client: LightClient,
    trusted: String,
    steps: usize,
    now: UnixMillis,
}

/// A checkpoint that was verified from a trusted header. Only a [`Verifier`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint(Checkpoint);

/// The newest block that some source has and that verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewestBlock {
    /// Its height.
    pub height: BlockHeight,
    /// How old it is by the client's clock; zero when its time is later.
    pub age: Duration,
}

impl Deref for VerifiedCheckpoint {
    type Target = Checkpoint;

    fn deref(&self) -> &Checkpoint {
        &self.0
    }
}

impl<S: Source> Verifier<S> {
    /// Starts from a trusted header, which counts for the trusting `period` of its mesh.
    ///
    /// # Errors
    /// When the trusted header is older than the trusting period, when `source` fails, or does not have the trusted
    /// block.
    pub async fn start(source: S, anchor: TrustAnchor, period: TrustingPeriod) -> Verified<Self, S> {
        let (client, trusted) = match anchor {
            TrustAnchor::Genesis(spec) => {
                let client = LightClient::from_genesis(&spec, period.now())?;
                let trusted = format!("the genesis of mesh {} ({})", spec.mesh.name, client.mesh());
                (client, trusted)
            }
            TrustAnchor::Block(block) => (trusting(&source, block, period).await?, format!("block {block}")),
            TrustAnchor::Anchored(AnchorPlace { chain, contract, .. }, anchored) => {
                let block = anchored_block(&source, &anchored).await?;
                let client = trusting(&source, block, period).await?;
                let height = client.height();
                (client, format!("block {height} in contract {contract} on chain {chain}"))
            }
        };
        Ok(Self { source, client, trusted, steps: 0, now: period.now() })
    }

    /// The trusted start, for people.
    pub fn trusted(&self) -> &str {
        &self.trusted
    }

    /// The mesh.
    pub fn mesh(&self) -> MeshId {
        self.client.mesh()
    }

    /// The number of certificates that were verified or tried.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The source of checkpoints and proofs.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Fetches and verifies the block at `height`, or the last checkpoint.
    ///
    /// # Errors
    /// When the source fails, or its response does not verify.
    pub async fn checkpoint(&mut self, height: Option<BlockHeight>) -> Verified<VerifiedCheckpoint, S> {
        let checkpoint = fetch(&self.source, height).await?;
        self.reach(checkpoint).await
    }

    /// Asks the source and `others` for their newest blocks, and verifies the highest one that holds. What a hostile
    /// source can do: hide newer blocks, as long as every other one does too. The trusted header stays where it is, so
    /// that older blocks can be verified afterwards.
    ///
    /// # Errors
    /// When no source has a newest block that verifies: the error of the last one.
    pub async fn newest(&self, others: &[S]) -> Verified<NewestBlock, S> {
        let mut found = Vec::new();
        let mut failed = None;
        for source in std::iter::once(&self.source).chain(others) {
            match newest(source).await {
                Ok(checkpoint) => found.push((source, checkpoint)),
                Err(error) => failed = Some(error),
            }
        }
        // The highest first: the first one that verifies is the newest.
        found.sort_by_key(|(_, checkpoint)| Reverse(checkpoint.height()));
        for (source, checkpoint) in found {
            let header = checkpoint.header.clone();
            match reach(source, &self.client, checkpoint).await {
                Ok(_) => {
                    let age = self.now.since(header.time);
                    return Ok(NewestBlock { height: header.height, age });
                }
                Err(error) => failed = Some(error),
            }
        }
        // At least one source was asked.
        Err(failed.unwrap_or_else(|| VerifyError::NoNewest.into()))
    }

    /// The record of `key` in the state after the block at `height`; `None` if its absence is proven.
    ///
    /// # Errors
    /// As for [`Self::checkpoint`].
    pub async fn record(&mut self, key: Key, height: BlockHeight) -> Verified<Option<Record>, S> {
        let response = self.source.fact(key, height).await.map_err(VerifierError::Source)?;
        let FactResponse { checkpoint, fact } = response;
        let checkpoint = decode_checkpoint(&checkpoint)?;
        // A proof of another height would verify too, and answer another question.
        check_height(Some(height), &checkpoint)?;
        let fact = Fact::decode(&fact).map_err(|error| VerifyError::unreadable("proof", error))?;
        let verified = self.reach(checkpoint).await?;
        let root = &verified.header.state;
        let record = fact.check(root, &key).map_err(|error| VerifyError::Fact { key, error })?;
        Ok(record.cloned())
    }

    /// The neuron of `node` in subnet `netuid` after the block at `height`. The source names the slot; the record in it
    /// is proven.
    ///
    /// # Errors
    /// As for [`Self::checkpoint`], and [`VerifyError::NoSlot`].
    pub async fn neuron(
        &mut self,
        (netuid, node): (Netuid, NodeId),
        height: BlockHeight,
    ) -> Verified<(Uid, Neuron), S> {
        let none = VerifyError::NoSlot { node, netuid, height };
        let uid = self.source.uid(netuid, node).await.map_err(VerifierError::Source)?;
        let Some(uid) = uid else { return Err(none.into()) };
        match self.record(Key::Neuron(netuid, uid), height).await? {
            // The source named the slot. Without this comparison it could name the slot of another node.
            Some(Record::Neuron { neuron, .. }) if neuron.node == node => Ok((uid, *neuron)),
            _ => Err(none.into()),
        }
    }

    /// The explained score of `node` in the last epoch of subnet `netuid`, and the block whose state proves it.
    ///
    /// # Errors
    /// As for [`Self::checkpoint`].
    pub async fn score(&mut self, netuid: Netuid, node: &NodeId) -> Verified<(VerifiedCheckpoint, Score), S> {
        let response = self.source.epoch(netuid, *node).await.map_err(VerifierError::Source)?;
        let EpochResponse { checkpoint, proof } = response;
        let checkpoint = decode_checkpoint(&checkpoint)?;
        let proof =
            EpochProof::decode(&proof).map_err(|error| VerifyError::unreadable("explanation", error))?;
        let verified = self.reach(checkpoint).await?;
        let score = explain(&verified.header, (netuid, node), &proof);
        Ok((verified, score.map_err(VerifyError::Score)?))
    }

    /// Verifies `goal` by bisection.
    async fn reach(&mut self, goal: Checkpoint) -> Verified<VerifiedCheckpoint, S> {
        let Reached { client, steps } = reach(&self.source, &self.client, goal.clone()).await?;
        self.steps += steps;
        self.client = client;
        Ok(VerifiedCheckpoint(goal))
    }
}

/// Verifies `goal` from the header that `client` trusts, with what `source` supplies. Returns the client at `goal`, and
/// the number of certificates that were tried.
async fn reach<S: Source>(source: &S, client: &LightClient, goal: Checkpoint) -> Verified<Reached, S> {
    let (height, found) = (goal.height(), goal.header.id());
    let (trusted, expected) = (client.height(), client.id());
    if height < trusted {
        return Err(VerifyError::Before { height, trusted }.into());
    }
    if height == trusted {
        if found != expected {
            return Err(VerifyError::OtherBlock { height, expected, found }.into());
        }
        // The id covers the header alone: the certificate and the validators are still the source's word.
        LightClient::check_contents(&goal).map_err(VerifyError::Start)?;
        return Ok(Reached { client: client.clone(), steps: 0 });
    }
    // On a clone: a failed bisection leaves the trusted header as it was.
    let mut bisection = Bisection::new(client.clone(), goal);
    while let Some(between) = bisection.advance().map_err(VerifyError::Certificate)? {
        let bytes = source.checkpoint_from(between).await.map_err(VerifierError::Source)?;
        let received = decode_checkpoint(&bytes)?;
        bisection.supply(received).map_err(VerifyError::Certificate)?;
    }
    Ok(Reached { steps: bisection.steps(), client: bisection.client().clone() })
}

/// Where a verification ended.
struct Reached {
    client: LightClient,
    steps: usize,
}

/// A light client that trusts `trusted`, whose checkpoint the source supplies.
async fn trusting<S: Source>(
    source: &S,
    trusted: TrustedBlock,
    period: TrustingPeriod,
) -> Verified<LightClient, S> {
    let TrustedBlock { height, block } = trusted;
    let checkpoint = fetch(source, Some(height)).await?;
    let found = checkpoint.header.id();
    if found != block {
        return Err(VerifyError::OtherBlock { height, expected: block, found }.into());
    }
    // `trusting` compares their hash with the header, whose id was compared above.
    let next = checkpoint.successors().clone();
    Ok(LightClient::trusting(&checkpoint.header, next, period).map_err(VerifyError::Start)?)
}

/// The block of an anchored checkpoint: the source supplies the whole checkpoint, the contract has its hash.
async fn anchored_block<S: Source>(source: &S, anchored: &AnchoredCheckpoint) -> Verified<TrustedBlock, S> {
    let height = anchored.height;
    let submission = source.submission(height).await.map_err(VerifierError::Source)?;
    let submission = Submission::decode(&submission)
        .map_err(|error| VerifyError::unreadable("anchored checkpoint", error))?;
    let found = submission.checkpoint.id();
    let other = VerifyError::OtherAnchored { height, expected: anchored.id, found };
    Ok(TrustedBlock::of_anchored(anchored, &submission).ok_or(other)?)
}

/// Fetches the last block that a source has, without verifying it. The genesis has no certificate, so that a mesh
/// without a block has none.
async fn newest<S: Source>(source: &S) -> Verified<Checkpoint, S> {
    decode_checkpoint(&source.newest().await.map_err(VerifierError::Source)?).map_err(Into::into)
}

/// Fetches a block with its certificate, without verifying it.
async fn fetch<S: Source>(source: &S, height: Option<BlockHeight>) -> Verified<Checkpoint, S> {
    let bytes = source.checkpoint(height).await.map_err(VerifierError::Source)?;
    let found = decode_checkpoint(&bytes)?;
    check_height(height, &found)?;
    Ok(found)
}

fn check_height(requested: Option<BlockHeight>, received: &Checkpoint) -> Result<(), VerifyError> {
    match requested {
        Some(requested) if requested != received.height() => {
            Err(VerifyError::OtherHeight { requested, received: received.height() })
        }
        _ => Ok(()),
    }
}

fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, VerifyError> {
    Checkpoint::decode(bytes).map_err(|error| VerifyError::unreadable("checkpoint", error))
}

#[cfg(test)]
mod tests;
