//! A light client over a node's HTTP API: what it says is believed when certificates lead to it, and never otherwise.
//!
//! It starts from the genesis of a mesh spec, or from one block that the user names, and fetches blocks with their
//! certificates. The node may be anybody's.
//!
//! What a hostile node can do: answer slowly, refuse, or have [`MAX_STEPS`](nervure_light::MAX_STEPS) certificates
//! verified. What it cannot: have a record, a score or a block believed that validators did not agree on.

mod error;

use data_encoding::BASE64;
use nervure_anchor::{AnchoredCheckpoint, Submission};
use nervure_consensus::checkpoint::ValidatorSet;
use nervure_ledger::{
    block::Header,
    chain::Tip,
    checkpoint::Checkpoint,
    spec::{AnchorPlace, MeshSpec},
    subnet::Neuron,
    tree::{Fact, Key, Record},
};
use nervure_light::{
    Bisection, LightClient, LightClientError,
    score::{EpochProof, Score, explain},
};
use nervure_primitives::{BlockHeight, MeshId, Netuid, NodeId, Uid};

use crate::{
    config::Pin,
    local::LocalNode,
    runtime::block_of,
    service::{CheckpointView, EpochView, NodeView, StateProofView, SubmissionView},
};
pub(crate) use error::{LightFailure, UNVERIFIED_EXIT, VerifyError};

/// What somebody trusts to begin with.
pub(crate) enum Origin {
    /// The genesis of a spec.
    Genesis(Box<MeshSpec>),
    /// A block.
    Pin(Pin),
    /// A checkpoint in the contract of the mesh.
    Anchored(AnchorPlace, AnchoredCheckpoint),
}

/// A light client and the node that it asks.
pub(crate) struct Light {
    node: LocalNode,
    client: LightClient,
    mesh: MeshId,
    origin: String,
    steps: usize,
}

/// A block that certificates lead to.
pub(crate) struct Believed {
    /// The block.
    pub checkpoint: Checkpoint,
}

/// The block that somebody vouches for, and who makes the next one.
async fn pinned(node: &LocalNode, pin: Pin) -> Result<(Header, ValidatorSet), LightFailure> {
    let Pin { height, block } = pin;
    let checkpoint = fetch(node, Some(height)).await?;
    let found = checkpoint.header.id();
    if found != block {
        return Err(VerifyError::OtherBlock { height, expected: block, found }.into());
    }
    let next = checkpoint.successors().clone();
    Ok((checkpoint.header, next))
}

/// The block that an anchored checkpoint is about: the node has the whole checkpoint, the contract its hash.
async fn anchored_block(node: &LocalNode, anchored: &AnchoredCheckpoint) -> Result<Pin, LightFailure> {
    let height = anchored.height;
    let view: SubmissionView = node.get(&format!("/anchored/{height}"), &[]).await?;
    let submission = Submission::decode(&bytes("anchored checkpoint", &view.submission)?);
    let submission = submission.map_err(|error| VerifyError::unreadable("anchored checkpoint", error))?;
    let other =
        VerifyError::OtherAnchored { height, expected: anchored.id, found: submission.checkpoint.id() };
    Ok(block_of(anchored, &submission).ok_or(other)?)
}

impl Light {
    /// Begins with what is trusted.
    pub(crate) async fn start(node: LocalNode, origin: Origin) -> Result<Self, LightFailure> {
        let (header, next, origin) = match origin {
            Origin::Genesis(spec) => {
                let Tip { header, state } = Tip::genesis(&spec)?.0;
                let nobody = VerifyError::Start(LightClientError::NextValidators(header.height));
                let next = state.validators().ok_or(nobody)?.as_ref().clone();
                let origin = format!("the genesis of mesh {} ({})", spec.mesh.name, header.mesh);
                (header, next, origin)
            }
            Origin::Pin(pin) => {
                let (header, next) = pinned(&node, pin).await?;
                (header, next, format!("block {pin}"))
            }
            Origin::Anchored(AnchorPlace { chain, contract, .. }, anchored) => {
                let (header, next) = pinned(&node, anchored_block(&node, &anchored).await?).await?;
                let height = header.height;
                (header, next, format!("block {height} in contract {contract} on chain {chain}"))
            }
        };
        let mesh = header.mesh;
        let client = LightClient::trusting(&header, next).map_err(VerifyError::Start)?;
        Ok(Self { node, client, mesh, origin, steps: 0 })
    }

    /// What is trusted to begin with, in words.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The mesh.
    pub(crate) fn mesh(&self) -> MeshId {
        self.mesh
    }

    /// How many certificates were looked at.
    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// The node that is asked.
    pub(crate) fn node(&self) -> &LocalNode {
        &self.node
    }

    /// The block at `height`, or the last checkpoint, once certificates lead to it.
    pub(crate) async fn believe(&mut self, height: Option<BlockHeight>) -> Result<Believed, LightFailure> {
        let checkpoint = fetch(&self.node, height).await?;
        self.reach(checkpoint).await
    }

    /// What the state after the block at `height` says about `key`.
    pub(crate) async fn fact(
        &mut self,
        key: Key,
        height: BlockHeight,
    ) -> Result<Option<Record>, LightFailure> {
        let query = [("key", key.to_string()), ("height", height.to_string())];
        let view: StateProofView = self.node.get("/facts", &query).await?;
        let checkpoint = checkpoint(&view.checkpoint)?;
        same_height(Some(height), &checkpoint)?;
        let fact = Fact::decode(&bytes("proof", &view.fact)?);
        let fact = fact.map_err(|error| VerifyError::unreadable("proof", error))?;
        let believed = self.reach(checkpoint).await?;
        let root = &believed.checkpoint.header.state;
        let record = fact.check(root, &key).map_err(|error| VerifyError::Fact { key, error })?;
        Ok(record.cloned())
    }

    /// What the state after the block at `height` says about `node` in subnet `netuid`. In which slot to look is the word of
    /// the node that is asked; that it is the right one is proven.
    pub(crate) async fn neuron(
        &mut self,
        (netuid, node): (Netuid, NodeId),
        height: BlockHeight,
    ) -> Result<(Uid, Neuron), LightFailure> {
        let none = VerifyError::NoSlot { node, netuid, height };
        let view: NodeView = self.node.get(&format!("/nodes/{node}"), &[]).await?;
        let Some(uid) = view.slots.get(&netuid).copied() else { return Err(none.into()) };
        match self.fact(Key::Neuron(netuid, uid), height).await? {
            Some(Record::Neuron { neuron, .. }) if neuron.node == node => Ok((uid, *neuron)),
            _ => Err(none.into()),
        }
    }

    /// Why `node` earned what it earned in the last epoch of subnet `netuid`.
    pub(crate) async fn score(
        &mut self,
        netuid: Netuid,
        node: &NodeId,
    ) -> Result<(Believed, Score), LightFailure> {
        let query = [("node", node.to_string())];
        let view: EpochView = self.node.get(&format!("/epochs/{netuid}"), &query).await?;
        let checkpoint = checkpoint(&view.checkpoint)?;
        let proof = EpochProof::decode(&bytes("explanation", &view.proof)?);
        let proof = proof.map_err(|error| VerifyError::unreadable("explanation", error))?;
        let believed = self.reach(checkpoint).await?;
        let score = explain(&believed.checkpoint.header, (netuid, node), &proof);
        Ok((believed, score.map_err(VerifyError::Score)?))
    }

    /// Follows certificates to `goal`.
    async fn reach(&mut self, goal: Checkpoint) -> Result<Believed, LightFailure> {
        let (height, found) = (goal.height(), goal.header.id());
        let (trusted, expected) = (self.client.height(), self.client.id());
        if height < trusted {
            return Err(VerifyError::Before { height, trusted }.into());
        }
        if height == trusted {
            return match found == expected {
                true => Ok(Believed { checkpoint: goal }),
                false => Err(VerifyError::OtherBlock { height, expected, found }.into()),
            };
        }
        let mut bisection = Bisection::new(self.client.clone(), goal.clone());
        while let Some(between) = bisection.advance().map_err(VerifyError::Certificate)? {
            let given = fetch(&self.node, Some(between)).await?;
            bisection.supply(given).map_err(VerifyError::Certificate)?;
        }
        self.steps += bisection.steps();
        self.client = bisection.client().clone();
        Ok(Believed { checkpoint: goal })
    }
}

/// A block with its certificate; nothing is verified yet.
async fn fetch(node: &LocalNode, height: Option<BlockHeight>) -> Result<Checkpoint, LightFailure> {
    let which = height.map_or_else(|| "latest".to_owned(), |height| height.to_string());
    let view: CheckpointView = node.get(&format!("/checkpoints/{which}"), &[]).await?;
    let found = checkpoint(&view.checkpoint)?;
    same_height(height, &found)?;
    Ok(found)
}

fn same_height(asked: Option<BlockHeight>, given: &Checkpoint) -> Result<(), VerifyError> {
    match asked {
        Some(asked) if asked != given.height() => {
            Err(VerifyError::OtherHeight { asked, given: given.height() })
        }
        _ => Ok(()),
    }
}

fn checkpoint(text: &str) -> Result<Checkpoint, VerifyError> {
    Checkpoint::decode(&bytes("checkpoint", text)?)
        .map_err(|error| VerifyError::unreadable("checkpoint", error))
}

fn bytes(what: &'static str, text: &str) -> Result<Vec<u8>, VerifyError> {
    BASE64.decode(text.as_bytes()).map_err(|error| VerifyError::unreadable(what, error))
}
