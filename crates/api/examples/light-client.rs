//! A light client: verifies a checkpoint and a node's score, and trusts nothing but a mesh spec.
//!
//! ```text
//! $ cargo run -p nervure-api --example light-client
//! trusted   the genesis of mesh light (c2272e50b9d8c8d6f22493f74ff4a4e0a0e842beace23e5c2e53410749389f4e)
//! verified  block 11, signed by 4 of 4 validators
//! proven    by the state after block 11:
//!   node 12D3KooWJHDpLnUgygm3vgqrfnjuGBKXNBTv1A3aDKUJHPgxKb9X in epoch 2 of subnet 1 (text-generation)
//!   validator HLZysvrC gives it 1.000 of its weights
//!   validator T5JKTqrd gives it 1.000 of its weights
//!   validator anGW5hn2 gives it 1.000 of its weights
//!   validator 4cVfENUp gives it 0.333 of its weights
//!   4 validators' weights count for the node: 100.00 % of the incentive, 2.500000001 tokens
//! refused   the same score with one bit changed
//! ```
//!
//! Without arguments it reads a fixture of this repository, without a network. With a mesh spec, the address of any node
//! of that mesh, and a node's id, it asks that node. On a testnet (`nervure testnet up`; `nervure testnet status` shows
//! the addresses, `nervure subnet show 1 --json` the ids):
//!
//! ```text
//! $ cargo run -p nervure-api --example light-client -- \
//!       ~/.local/share/nervure/testnet/mesh.toml 127.0.0.1:39725 12D3KooWJ6Tou2YCHBxrUFmP2EG1UytohEMkJYyfCGHUMyTufZos
//! ```

use std::{error::Error, fs, io::Write, net::SocketAddr, path::Path, time::SystemTime};

use nervure_api::Client;
use nervure_ledger::{spec::MeshSpec, tree::Key};
use nervure_light::{
    EpochResponse, FactResponse, Source, TrustAnchor, TrustingPeriod, Verifier, score::Score,
};
use nervure_primitives::{BlockHeight, Netuid, NodeId, NodeKey, Uid};

/// The subnet whose score is explained.
const SUBNET: Netuid = Netuid(1);

/// A checkpoint and a score of a mesh that ran in a test.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../light-wasm/tests/fixtures");

/// A source that has one checkpoint and one score.
struct Fixture {
    checkpoint: Vec<u8>,
    score: Vec<u8>,
}

/// What the fixture does not have.
#[derive(Debug)]
struct NotInFixture;

impl std::fmt::Display for NotInFixture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the fixture has one checkpoint and one score")
    }
}

impl Error for NotInFixture {}

impl Source for Fixture {
    type Error = NotInFixture;

    async fn checkpoint(&self, _: Option<BlockHeight>) -> Result<Vec<u8>, NotInFixture> {
        Ok(self.checkpoint.clone())
    }

    async fn checkpoint_from(&self, _: BlockHeight) -> Result<Vec<u8>, NotInFixture> {
        Ok(self.checkpoint.clone())
    }

    async fn newest(&self) -> Result<Vec<u8>, NotInFixture> {
        Ok(self.checkpoint.clone())
    }

    async fn epoch(&self, _: Netuid, _: NodeId) -> Result<EpochResponse, NotInFixture> {
        Ok(EpochResponse { checkpoint: self.checkpoint.clone(), proof: self.score.clone() })
    }

    async fn fact(&self, _: Key, _: BlockHeight) -> Result<FactResponse, NotInFixture> {
        Err(NotInFixture)
    }

    async fn uid(&self, _: Netuid, _: NodeId) -> Result<Option<Uid>, NotInFixture> {
        Err(NotInFixture)
    }

    async fn submission(&self, _: BlockHeight) -> Result<Vec<u8>, NotInFixture> {
        Err(NotInFixture)
    }
}

/// Verifies the last checkpoint of `source` from the genesis of `spec`, then the score of `node`.
async fn verify<S: Source>(
    out: &mut impl Write,
    source: S,
    (spec, node): (MeshSpec, NodeId),
) -> Result<(), Box<dyn Error>> {
    let period = TrustingPeriod::of(&spec, SystemTime::now().into());
    let mut verifier = Verifier::start(source, TrustAnchor::Genesis(Box::new(spec)), period).await?;
    writeln!(out, "trusted   {}", verifier.trusted())?;
    let checkpoint = verifier.checkpoint(None).await?;
    let signed = (checkpoint.certificate.signatures.len(), checkpoint.validators.len());
    writeln!(
        out,
        "verified  block {}, signed by {} of {} validators",
        checkpoint.height(),
        signed.0,
        signed.1
    )?;
    let (checkpoint, score) = verifier.score(SUBNET, &node).await?;
    writeln!(out, "proven    by the state after block {}:", checkpoint.height())?;
    show(out, &score)?;
    Ok(())
}

/// Prints the parts of a score.
fn show(out: &mut impl Write, score: &Score) -> std::io::Result<()> {
    writeln!(
        out,
        "  node {} in epoch {} of subnet {} ({})",
        score.node, score.epoch, score.netuid, score.subnet
    )?;
    for one in &score.opinions {
        writeln!(out, "  validator {} gives it {:.3} of its weights", one.validator.short(), one.weight)?;
    }
    score.reasons.iter().try_for_each(|reason| writeln!(out, "  {reason}"))
}

/// Verifies the fixture, and shows that one changed byte is refused.
pub(crate) async fn run_fixture(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let read = |name: &str| fs::read(Path::new(FIXTURE).join(name));
    let spec = MeshSpec::parse(&String::from_utf8(read("mesh.toml")?)?)?;
    // The first miner of the ledger's test chain.
    let node = NodeKey::from_seed(&[150; 32]).node_id();
    let (checkpoint, score) = (read("scored-checkpoint.cbor")?, read("score.cbor")?);
    let honest = Fixture { checkpoint: checkpoint.clone(), score: score.clone() };
    verify(out, honest, (spec.clone(), node)).await?;

    let mut lie = Fixture { checkpoint, score };
    if let Some(byte) = lie.score.last_mut() {
        *byte ^= 1;
    }
    let period = TrustingPeriod::of(&spec, SystemTime::now().into());
    let mut verifier = Verifier::start(lie, TrustAnchor::Genesis(Box::new(spec)), period).await?;
    match verifier.score(SUBNET, &node).await {
        Ok(_) => Err("a changed score was accepted".into()),
        Err(_) => Ok(writeln!(out, "refused   the same score with one bit changed")?),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let out = &mut std::io::stdout();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => run_fixture(out).await,
        [spec, http, node] => {
            let spec = MeshSpec::parse(&fs::read_to_string(spec)?)?;
            let http: SocketAddr = http.trim_start_matches("http://").trim_end_matches('/').parse()?;
            verify(out, Client::new(http)?, (spec, node.parse()?)).await
        }
        _ => Err("usage: light-client [MESH.toml IP:PORT NODE]".into()),
    }
}
