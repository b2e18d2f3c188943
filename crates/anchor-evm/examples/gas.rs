//! Measures the gas of anchoring on a local chain.
//!
//! ```text
//! $ (cd contracts && npm ci --ignore-scripts)
//! $ cargo run --release -p nervure-anchor-evm --example gas
//! ```

#![allow(clippy::print_stdout, reason = "it is a program that prints a table")]

use std::{error::Error, path::Path};

use nervure_anchor::{
    Anchor, AnchorCheckpoint, AnchorKey, AnchorSet, AnchoredBlock, Attestation, AttestationSet,
    MetagraphRoot, SubmissionReceipt,
};
use nervure_anchor_evm::{
    Deployment, EvmAnchor, EvmConfig, Finality, Limits,
    anvil::{Anvil, AnvilOptions, find},
    deploy,
};
use nervure_primitives::{BlockHeight, Hash, MeshId, Netuid};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MESH: MeshId = MeshId::from_bytes([3; 32]);

/// A contract for a mesh of some validators of equal power.
struct Bench {
    anchor: EvmAnchor,
    keys: Vec<AnchorKey>,
    validators: AnchorSet,
    deployment: u64,
}

impl Bench {
    async fn new(endpoint: &str, validators: u8) -> Result<Self> {
        let keys: Vec<_> = (1..=validators).filter_map(|n| AnchorKey::from_secret(&[n; 32])).collect();
        let set = set(&keys, 1)?;
        let account = Anvil::account().ok_or("no account")?;
        let begin = Deployment { mesh: MESH, height: BlockHeight(0), validators: set.hash() };
        let deployed = deploy(endpoint, &account, &begin, &Limits::LOCAL).await?;
        let config = EvmConfig {
            endpoints: vec![endpoint.to_owned()],
            domain: deployed.domain,
            since: deployed.block,
            finality: Finality::Depth(0),
            limits: Limits::LOCAL,
        };
        let anchor = EvmAnchor::connect(config, MESH, Some(account)).await?;
        Ok(Self { anchor, keys, validators: set, deployment: deployed.gas })
    }

    /// Anchors a checkpoint with this number of metagraphs and the smallest quorum.
    async fn anchor(&mut self, height: u64, metagraphs: u16, next: AnchorSet) -> Result<(usize, u64)> {
        let hash = |what: &str| Hash::of(what, &[&height.to_be_bytes()]);
        let block = AnchoredBlock {
            mesh: MESH,
            height: BlockHeight(height),
            block: hash("block"),
            state: hash("state"),
        };
        let root = |netuid| MetagraphRoot { netuid: Netuid(netuid), epoch: height, root: hash("metagraph") };
        let checkpoint = AnchorCheckpoint::new(block, (1..=metagraphs).map(root).collect(), next.hash())?;
        let domain = self.anchor.domain();
        let mut signatures = AttestationSet::new(domain, checkpoint.clone(), self.validators.clone());
        for key in &self.keys {
            signatures.add(&Attestation::sign(key, &checkpoint, &domain, &self.validators.hash()))?;
        }
        let submission = signatures.submission().ok_or("no quorum")?;
        let receipt = self.anchor.submit(&submission).await?;
        let SubmissionReceipt::Stored { gas: Some(gas), .. } = receipt else {
            return Err("it was not stored".into());
        };
        self.validators = next;
        Ok((submission.signatures.len(), gas))
    }
}

/// The keys with powers that differ, so that they are as long as real ones.
fn set(keys: &[AnchorKey], offset: u64) -> Result<AnchorSet> {
    let power = |place: usize| 123_456_789_000_000 + offset + place as u64;
    Ok(AnchorSet::new(keys.iter().enumerate().map(|(place, key)| (key.address(), power(place))))?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/node_modules");
    let anvil = Anvil::start(&find(&modules)?, &AnvilOptions::default()).await?;
    println!("validators  signatures  checkpoint  + 1 metagraph  + 8 metagraphs  other validators");
    let mut deployment = 0;
    for validators in [4, 16, 64] {
        let mut bench = Bench::new(anvil.endpoint(), validators).await?;
        deployment = bench.deployment;
        let same = bench.validators.clone();
        // The first submission fills storage slots that later ones only change.
        bench.anchor(10, 1, same.clone()).await?;
        let (signatures, none) = bench.anchor(20, 0, same.clone()).await?;
        let (_, one) = bench.anchor(30, 1, same.clone()).await?;
        let (_, eight) = bench.anchor(40, 8, same).await?;
        let others = set(&bench.keys, 7)?;
        let (_, handed_over) = bench.anchor(50, 0, others).await?;
        println!("{validators:>10}  {signatures:>10}  {none:>10}  {one:>13}  {eight:>14}  {handed_over:>16}");
    }
    println!("deployment: {deployment}");
    Ok(())
}
