//! The light client as a WebAssembly module with a plain C interface.
//!
//! [`verify`] checks a checkpoint, and a state proof under it, from nothing but a mesh spec; [`abi`] exports it to a host such
//! as a browser or node.js. The module imports nothing: it has no clock, no randomness and no network, so that the host can
//! give it nothing but bytes, the time among them.

pub mod abi;

use nervure_ledger::{
    checkpoint::Checkpoint,
    spec::MeshSpec,
    tree::{Fact, Key},
};
use nervure_light::{Bisection, LightClient};

/// What a host hands over: text or encodings as a node's HTTP API has them, without the base64.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The mesh spec in TOML, which is trusted.
    pub spec: &'a [u8],
    /// The encoded checkpoint.
    pub checkpoint: &'a [u8],
    /// The key of a record as text, such as `subnet/1`; empty to verify the checkpoint only.
    pub key: &'a [u8],
    /// The encoded [`Fact`] about the key.
    pub fact: &'a [u8],
    /// The host's clock as decimal text, in milliseconds since 1970. The genesis is refused when it is older than the
    /// trusting period of the spec. May be empty only if the spec has no trusting period.
    pub now: &'a [u8],
}

/// Why a claim is refused.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The spec is not one, or has no genesis.
    #[error("the mesh spec: {0}")]
    Spec(String),
    /// The clock is not one, or missing.
    #[error("the clock: it is not a number of milliseconds since 1970")]
    Clock,
    /// The checkpoint cannot be decoded, or does not verify.
    #[error("the checkpoint: {0}")]
    Checkpoint(String),
    /// Validators changed too much since the genesis for one step.
    #[error("the checkpoint: validators changed, a checkpoint at height {0} is needed first")]
    TooFar(u64),
    /// The key is not one.
    #[error("the key: {0}")]
    Key(String),
    /// The proof cannot be decoded, or does not verify.
    #[error("the proof: {0}")]
    Proof(String),
}

/// Verifies a checkpoint from the genesis of a spec in one step, and a record in the state after it. Returns what was proven:
/// height, block and state root on the first line, the record in JSON (`null` when there is none) on the second.
///
/// # Errors
/// The first part of the claim that does not verify.
pub fn verify(claim: &Claim<'_>) -> Result<String, ClaimError> {
    let spec = std::str::from_utf8(claim.spec).map_err(|error| ClaimError::Spec(error.to_string()))?;
    let spec = MeshSpec::parse(spec).map_err(|error| ClaimError::Spec(error.to_string()))?;
    let now = std::str::from_utf8(claim.now).ok().and_then(|text| text.parse::<u64>().ok());
    let now = match (now, spec.consensus.trusting_period()) {
        (Some(now), _) => now,
        (None, None) if claim.now.is_empty() => 0,
        // Without a clock nothing would ever be too old.
        (None, _) => return Err(ClaimError::Clock),
    };
    let client =
        LightClient::from_genesis(&spec, now.into()).map_err(|error| ClaimError::Spec(error.to_string()))?;
    let checkpoint = Checkpoint::decode(claim.checkpoint);
    let checkpoint = checkpoint.map_err(|error| ClaimError::Checkpoint(error.to_string()))?;
    let header = checkpoint.header.clone();
    match Bisection::new(client, checkpoint).advance() {
        Ok(None) => {}
        Ok(Some(height)) => return Err(ClaimError::TooFar(height.0)),
        Err(error) => return Err(ClaimError::Checkpoint(error.to_string())),
    }
    let proven = format!("{} {} {}", header.height, header.id(), header.state);
    if claim.key.is_empty() {
        return Ok(proven);
    }
    let key = std::str::from_utf8(claim.key).map_err(|error| ClaimError::Key(error.to_string()))?;
    let key: Key = key.parse().map_err(|error| ClaimError::Key(format!("{error}")))?;
    let fact = Fact::decode(claim.fact).map_err(|error| ClaimError::Proof(error.to_string()))?;
    let record = fact.check(&header.state, &key).map_err(|error| ClaimError::Proof(error.to_string()))?;
    let record = serde_json::to_string(&record).map_err(|error| ClaimError::Proof(error.to_string()))?;
    Ok(format!("{proven}\n{record}"))
}

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
