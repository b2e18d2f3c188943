//! A checkpoint's way from the validators' signatures to a contract that verifies a miner's score.
//!
//! ```text
//! $ (cd contracts && npm ci --ignore-scripts)
//! $ cargo run -p nervure-anchor-evm --example anchor
//! ```

#![allow(clippy::print_stdout, reason = "it is a program that says what it does")]

use std::{error::Error, path::Path};

use nervure_anchor::{
    Anchor, AnchorCheckpoint, AnchorKey, AnchorSet, AnchoredBlock, Attestation, AttestationSet, MetagraphRoot,
};
use nervure_anchor_evm::{
    Deployment, EvmAnchor, EvmConfig, Finality, Limits, NeuronProof,
    anvil::{Anvil, AnvilOptions, find},
    deploy,
};
use nervure_ledger::subnet::{Metagraph, MetagraphRow};
use nervure_primitives::{BlockHeight, Hash, MeshId, Netuid, NodeId, Uid};

const MESH: MeshId = MeshId::from_bytes([3; 32]);

fn row(uid: u16) -> MetagraphRow {
    MetagraphRow {
        netuid: Netuid(1),
        epoch: 7,
        uid: Uid(uid),
        node: NodeId::from_bytes([uid as u8; 32]),
        owner: NodeId::from_bytes([9; 32]),
        stake: 1_000_000_000,
        registered: 12,
        last_update: 300,
        permit: uid == 0,
        consensus: 0,
        incentive: 20_000 + uid,
        dividends: 0,
        validator_trust: 0,
        emission: 41_000_000,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/node_modules");
    let anvil = Anvil::start(&find(&modules)?, &AnvilOptions::default()).await?;
    let account = Anvil::account().ok_or("no account")?;
    let keys: Vec<_> = (1..=4).filter_map(|n| AnchorKey::from_secret(&[n; 32])).collect();
    let set = AnchorSet::new(keys.iter().map(|key| (key.address(), 10)))?;

    let begin = Deployment { mesh: MESH, height: BlockHeight(0), validators: set.hash() };
    let deployed = deploy(anvil.endpoint(), &account, &begin, &Limits::LOCAL).await?;
    println!("deployed at {} on chain {}", deployed.domain.contract, deployed.domain.chain);
    let config = EvmConfig {
        endpoints: vec![anvil.endpoint().to_owned()],
        domain: deployed.domain,
        since: deployed.block,
        finality: Finality::Depth(0),
        limits: Limits::LOCAL,
    };
    let anchor = EvmAnchor::connect(config, MESH, Some(account)).await?;

    let metagraph = Metagraph::from_rows(7, (0..5).map(row).collect());
    let root = MetagraphRoot { netuid: Netuid(1), epoch: 7, root: metagraph.root().root };
    let hash = |what| Hash::of(what, &[]);
    let block =
        AnchoredBlock { mesh: MESH, height: BlockHeight(360), block: hash("block"), state: hash("state") };
    let checkpoint = AnchorCheckpoint::new(block, vec![root], set.hash())?;
    let mut signatures = AttestationSet::new(anchor.domain(), checkpoint.clone(), set.clone());
    for key in &keys {
        signatures.add(&Attestation::sign(key, &checkpoint, &anchor.domain(), &set.hash()))?;
        let enough = signatures.submission().is_some();
        println!("signed by {}{}", key.address(), if enough { ": enough" } else { "" });
    }
    let submission = signatures.submission().ok_or("no quorum")?;
    println!("{:?}", anchor.submit(&submission).await?);
    println!("{:?}", anchor.submit(&submission).await?);
    println!("{:#?}", anchor.at(BlockHeight(360)).await?);

    let (row, proof) = metagraph.prove(Uid(3)).ok_or("no such uid")?;
    let honest = NeuronProof { epoch: 7, row: row.abi_encode(), siblings: proof.siblings.clone() };
    let better = MetagraphRow { incentive: u16::MAX, ..row.clone() };
    let tampered = NeuronProof { row: better.abi_encode(), ..honest.clone() };
    println!("uid 3 with incentive {}: {}", row.incentive, anchor.verify_neuron(&honest).await?);
    println!("uid 3 with incentive {}: {}", better.incentive, anchor.verify_neuron(&tampered).await?);
    Ok(())
}
