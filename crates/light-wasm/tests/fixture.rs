//! A real checkpoint and a state proof in frozen bytes, verified natively and by the module in node.js; and a checkpoint
//! with the proof of a miner's score, for the example `light-client`.
//!
//! `NERVURE_WRITE_FIXTURES=1 cargo test -p nervure-light-wasm` writes the fixture again; a change of it is a change of what
//! clients verify.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may fail where it stands, and says what it skipped"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nervure_ledger::{
    checkpoint::Checkpoint,
    testing::{Chain, SUBNET, miner},
    tree::Key,
};
use nervure_light::score::{EpochProof, explain};
use nervure_light_wasm::{Claim, verify};

const FILES: [&str; 5] =
    ["mesh.toml", "checkpoint.cbor", "fact.cbor", "scored-checkpoint.cbor", "score.cbor"];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Where `scripts/build-wasm` puts the module.
fn module() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/wasm/nervure-light.wasm")
}

/// Eleven blocks with three epochs. Keys are of fixed seeds, and signatures of ed25519 are deterministic.
fn contents() -> [Vec<u8>; 5] {
    let mut chain = Chain::new(4);
    chain.grow(11);
    let checkpoint = chain.checkpoint(11).encode().unwrap();
    let fact = chain.fact(&Key::Subnet(SUBNET)).encode().unwrap();
    let (scored, score) = scored();
    [chain.spec.to_toml().into_bytes(), checkpoint, fact, scored.encode().unwrap(), score.encode().unwrap()]
}

/// The same mesh, in which three validators weigh the first miner only, and the fourth the second one more.
fn scored() -> (Checkpoint, EpochProof) {
    let mut chain = Chain::new(4);
    chain.grow(2);
    let uid = |index| chain.tip.state.subnets()[&SUBNET].uid_of(&miner(index).node_id()).unwrap();
    let (first, second) = (uid(0), uid(1));
    (0..3).for_each(|index| chain.weigh(index, &[(first, 9)]));
    chain.weigh(3, &[(first, 3), (second, 6)]);
    chain.grow(9);
    let proof = EpochProof {
        subnet: chain.fact(&Key::Subnet(SUBNET)),
        inputs: chain.epochs[0].inputs.clone(),
        neuron: Some(chain.fact(&Key::Neuron(SUBNET, first))),
    };
    (chain.checkpoint(11), proof)
}

fn read() -> [Vec<u8>; 5] {
    FILES.map(|name| fs::read(fixtures().join(name)).unwrap())
}

#[test]
fn the_fixture_is_current() {
    let contents = contents();
    if std::env::var_os("NERVURE_WRITE_FIXTURES").is_some() {
        for (name, bytes) in FILES.iter().zip(&contents) {
            fs::write(fixtures().join(name), bytes).unwrap();
        }
    }
    for (name, (frozen, now)) in FILES.iter().zip(read().iter().zip(&contents)) {
        assert!(frozen == now, "{name} is not what the ledger makes today");
    }
}

#[test]
fn the_fixture_verifies_and_no_flipped_byte_does() {
    let [spec, checkpoint, fact, ..] = contents();
    let claim = |checkpoint: &[u8], fact: &[u8]| {
        verify(&Claim { spec: &spec, checkpoint, key: b"subnet/1", fact, now: b"" })
            .map_err(|error| error.to_string())
    };
    let proven = claim(&checkpoint, &fact).unwrap();
    assert!(proven.starts_with("11 ") && proven.lines().count() == 2, "{proven}");
    for at in (0..checkpoint.len()).step_by(5) {
        let mut lie = checkpoint.clone();
        lie[at] ^= 1;
        assert!(claim(&lie, &fact).is_err(), "byte {at} of the checkpoint");
    }
    for at in (0..fact.len()).step_by(5) {
        let mut lie = fact.clone();
        lie[at] ^= 1;
        assert!(claim(&checkpoint, &lie).is_err(), "byte {at} of the fact");
    }
}

/// The host's clock decides how long the genesis is trusted; without one, nothing is verified.
#[test]
fn a_spec_with_a_trusting_period_needs_a_clock_that_is_within_it() {
    let mut spec = Chain::new(4).spec;
    (spec.economy.evidence_window, spec.economy.unbonding) = (500_000, 1_000_000);
    spec.consensus.trusting_period_seconds = 60;
    let mut chain = Chain::of(spec);
    chain.grow(11);
    let (spec, checkpoint) = (chain.spec.to_toml().into_bytes(), chain.checkpoint(11).encode().unwrap());
    let verified = |now: &str| {
        let claim = Claim { spec: &spec, checkpoint: &checkpoint, key: b"", fact: b"", now: now.as_bytes() };
        verify(&claim).map_err(|error| error.to_string())
    };
    assert!(verified("60000").unwrap().starts_with("11 "));
    assert!(verified("60001").unwrap_err().contains("is trusted for"));
    for none in ["", "now", "-1"] {
        assert!(verified(none).unwrap_err().starts_with("the clock"), "{none}");
    }
}

#[test]
fn the_score_in_the_fixture_is_proven() {
    let (checkpoint, proof) = scored();
    let score = explain(&checkpoint.header, (SUBNET, &miner(0).node_id()), &proof).unwrap();
    assert!(!score.result.unwrap().as_miner.is_zero());
}

#[test]
fn node_js_verifies_the_fixture_with_the_module() {
    let module = module();
    if !module.is_file() {
        eprintln!("SKIPPED: {} is not built; scripts/build-wasm builds it", module.display());
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify.mjs");
    let run = match Command::new("node").arg(script).arg(&module).arg(fixtures()).output() {
        Ok(run) => run,
        Err(error) => return eprintln!("SKIPPED: node.js does not start: {error}"),
    };
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{err}");
    let result: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(result["real"]["verified"], true, "{out}");
    assert!(result["real"]["text"].as_str().unwrap().starts_with("11 "), "{out}");
    for (part, text) in [("checkpoint", "the checkpoint: "), ("fact", "the proof: ")] {
        assert_eq!(result[part]["verified"], false, "{out}");
        assert!(result[part]["text"].as_str().unwrap().starts_with(text), "{out}");
    }
}
