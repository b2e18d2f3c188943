//! A verifier over an honest source in memory, and over sources with one lie each.

mod backing;
mod proposals;

use std::{
    convert::Infallible,
    future::{Future, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use nervure_anchor::{AnchorCheckpoint, AnchorKey, AnchorSet, AnchoredBlock};
use nervure_consensus::checkpoint::{CertificateError, SignatureList};
use nervure_ledger::{
    subnet::EpochInputs,
    testing::{Chain, SUBNET, miner, validator},
};
use nervure_primitives::Hash;

use super::*;
use crate::{
    BisectionError, LightClientError,
    score::ScoreError,
    testing::{epoch_proof, rotating},
};

/// For tests in which nothing is too old.
const FOREVER: TrustingPeriod = TrustingPeriod::new(None, UnixMillis(0));

/// The slot of the first miner: miners come after twelve validators.
const MINER_UID: Uid = Uid(12);

/// The slot of a node in a subnet, as a source says.
type UidOf = dyn Fn(&Chain, &NodeId) -> Option<Uid>;

/// A source with fixed responses; tests replace one part of an honest one.
struct MemorySource {
    chain: Chain,
    checkpoint: fn(&Chain, BlockHeight) -> Checkpoint,
    fact: fn(&Chain, Key) -> Fact,
    epoch: fn(&Chain, &NodeId) -> EpochProof,
    uid: Box<UidOf>,
    /// The last block that it shows; none for the last one there is.
    newest: Option<BlockHeight>,
}

impl MemorySource {
    fn honest(chain: Chain) -> Self {
        Self {
            chain,
            checkpoint: |chain, height| chain.checkpoint(height.0),
            fact: |chain, key| chain.fact(&key),
            epoch: epoch_proof,
            uid: Box::new(|chain, node| chain.tip.state.subnets()[&SUBNET].uid_of(node)),
            newest: None,
        }
    }

    fn height(&self) -> BlockHeight {
        self.chain.tip.header.height
    }

    fn encoded(&self, height: Option<BlockHeight>) -> Vec<u8> {
        (self.checkpoint)(&self.chain, height.unwrap_or(self.height())).encode().unwrap()
    }
}

impl Source for MemorySource {
    type Error = Infallible;

    fn checkpoint(&self, height: Option<BlockHeight>) -> impl Future<Output = Result<Vec<u8>, Infallible>> {
        ready(Ok(self.encoded(height)))
    }

    fn checkpoint_from(&self, height: BlockHeight) -> impl Future<Output = Result<Vec<u8>, Infallible>> {
        ready(Ok(self.encoded(Some(height))))
    }

    fn newest(&self) -> impl Future<Output = Result<Vec<u8>, Infallible>> {
        ready(Ok(self.encoded(self.newest)))
    }

    fn fact(&self, key: Key, height: BlockHeight) -> impl Future<Output = Result<FactResponse, Infallible>> {
        let fact = (self.fact)(&self.chain, key).encode().unwrap();
        ready(Ok(FactResponse { checkpoint: self.encoded(Some(height)), fact }))
    }

    fn epoch(&self, _: Netuid, node: NodeId) -> impl Future<Output = Result<EpochResponse, Infallible>> {
        let proof = (self.epoch)(&self.chain, &node).encode().unwrap();
        ready(Ok(EpochResponse { checkpoint: self.encoded(None), proof }))
    }

    fn uid(&self, _: Netuid, node: NodeId) -> impl Future<Output = Result<Option<Uid>, Infallible>> {
        ready(Ok((self.uid)(&self.chain, &node)))
    }

    fn submission(&self, height: BlockHeight) -> impl Future<Output = Result<Vec<u8>, Infallible>> {
        ready(Ok(submission(&self.chain, height).encode().unwrap()))
    }
}

/// An anchored checkpoint of the block at `height`.
fn submission(chain: &Chain, height: BlockHeight) -> Submission {
    let header = chain.checkpoint(height.0).header;
    let block = AnchoredBlock { mesh: header.mesh, height, block: header.id(), state: header.state };
    let validators = AnchorSet::new([(AnchorKey::from_secret(&[7; 32]).unwrap().address(), 1)]).unwrap();
    let checkpoint = AnchorCheckpoint::new(block, Vec::new(), validators.hash()).unwrap();
    Submission { checkpoint, validators, signatures: Vec::new() }
}

/// Runs a future that never waits.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a source in memory never waits"),
    }
}

/// Eleven blocks with three epochs, of which the last one pays the first miner.
fn weighed() -> Chain {
    let mut chain = Chain::new(4);
    chain.grow(2);
    (0..4).for_each(|index| chain.weigh(index, &[(MINER_UID, 9)]));
    chain.grow(9);
    chain
}

fn start(source: MemorySource) -> Verifier<MemorySource> {
    let spec = source.chain.spec.clone();
    block_on(Verifier::start(source, TrustAnchor::Genesis(Box::new(spec)), FOREVER)).unwrap()
}

fn refusal<T: std::fmt::Debug>(result: Verified<T, MemorySource>) -> VerifyError {
    match result {
        Err(VerifierError::Verify(error)) => error,
        other => panic!("it was to be refused: {other:?}"),
    }
}

/// The error for the last checkpoint, from the genesis.
fn checkpoint_refusal(source: MemorySource) -> VerifyError {
    let height = source.height();
    refusal(block_on(start(source).checkpoint(Some(height))))
}

#[test]
fn accepts_an_honest_source() {
    let node = miner(0).node_id();
    let mut verifier = start(MemorySource::honest(weighed()));
    let at = block_on(verifier.checkpoint(None)).unwrap();
    assert_eq!((at.height(), verifier.steps()), (BlockHeight(11), 1));
    let record = block_on(verifier.record(Key::Subnet(SUBNET), at.height())).unwrap();
    assert!(matches!(record, Some(Record::Subnet { .. })), "{record:?}");
    assert_eq!(block_on(verifier.record(Key::Subnet(Netuid(9)), at.height())), Ok(None));
    let (uid, neuron) = block_on(verifier.neuron((SUBNET, node), at.height())).unwrap();
    assert_eq!((uid, neuron.node), (MINER_UID, node));
    let (proven_at, score) = block_on(verifier.score(SUBNET, &node)).unwrap();
    assert_eq!((proven_at, score.uid), (at, Some(MINER_UID)));
}

#[test]
fn requests_the_blocks_between_when_validators_change() {
    let mut verifier = start(MemorySource::honest(rotating(60)));
    block_on(verifier.checkpoint(Some(BlockHeight(60)))).unwrap();
    assert!(verifier.steps() > 2, "{}", verifier.steps());
    let before = refusal(block_on(verifier.checkpoint(Some(BlockHeight(59)))));
    assert_eq!(before, VerifyError::Before { height: BlockHeight(59), trusted: BlockHeight(60) });
    assert!(before.is_honest());
}

#[test]
fn refuses_another_block_than_the_trusted_one() {
    let source = MemorySource::honest(weighed());
    let (height, found) = (BlockHeight(3), source.chain.checkpoint(3).header.id());
    let expected = Hash::of("another block", &[]);
    let anchor = TrustAnchor::Block(TrustedBlock { height, block: expected });
    let error = refusal(block_on(Verifier::start(source, anchor, FOREVER)).map(|verifier| verifier.steps()));
    assert_eq!(error, VerifyError::OtherBlock { height, expected, found });
    let source = MemorySource::honest(weighed());
    let anchor = TrustAnchor::Block(TrustedBlock { height, block: found });
    let mut verifier = block_on(Verifier::start(source, anchor, FOREVER)).unwrap();
    assert_eq!(block_on(verifier.checkpoint(None)).unwrap().height(), BlockHeight(11));
}

#[test]
fn refuses_another_checkpoint_than_the_anchored_one() {
    let source = MemorySource::honest(weighed());
    let height = BlockHeight(3);
    let honest = submission(&source.chain, height).checkpoint.id();
    let contract = AnchorKey::from_secret(&[8; 32]).unwrap().address();
    let place = AnchorPlace { chain: 1, contract, since: 0 };
    let anchored = |id| AnchoredCheckpoint { height, id, state: Hash::of("unused", &[]), reference: None };
    let expected = Hash::of("another checkpoint", &[]);
    let lie = Verifier::start(source, TrustAnchor::Anchored(place, anchored(expected)), FOREVER);
    let error = refusal(block_on(lie).map(|verifier| verifier.steps()));
    assert_eq!(error, VerifyError::OtherAnchored { height, expected, found: honest });
    let source = MemorySource::honest(weighed());
    let verifier =
        block_on(Verifier::start(source, TrustAnchor::Anchored(place, anchored(honest)), FOREVER)).unwrap();
    assert!(verifier.trusted().starts_with("block 3 in contract"), "{}", verifier.trusted());
}

#[test]
fn refuses_a_block_of_another_height() {
    let mut source = MemorySource::honest(weighed());
    source.checkpoint = |chain, _| chain.checkpoint(2);
    let error = checkpoint_refusal(source);
    assert_eq!(error, VerifyError::OtherHeight { requested: BlockHeight(11), received: BlockHeight(2) });
}

#[test]
fn refuses_a_changed_header() {
    let mut source = MemorySource::honest(weighed());
    source.checkpoint = |chain, height| {
        let mut lie = chain.checkpoint(height.0);
        lie.header.state = Hash::of("another state", &[]);
        lie
    };
    let error = LightClientError::OtherBlock(BlockHeight(11));
    let light = BisectionError::Light { height: BlockHeight(11), error };
    assert_eq!(checkpoint_refusal(source), VerifyError::Certificate(light));
}

#[test]
fn refuses_a_forged_certificate() {
    let mut source = MemorySource::honest(weighed());
    // The right signers, each with the signature of another.
    source.checkpoint = |chain, height| {
        let mut lie = chain.checkpoint(height.0);
        let (signers, signatures): (Vec<_>, Vec<_>) = lie.certificate.signatures.iter().copied().unzip();
        let moved = signers.into_iter().zip(signatures.into_iter().cycle().skip(1));
        lie.certificate.signatures = SignatureList::collect(moved).unwrap();
        lie
    };
    let error = checkpoint_refusal(source);
    let VerifyError::Certificate(BisectionError::Light { error, .. }) = error else { panic!("{error}") };
    assert!(matches!(error, LightClientError::Certificate(CertificateError::InvalidSignature(_))), "{error}");
    // Too few signatures, at every height, so that bisection ends at the block after the genesis.
    let mut source = MemorySource::honest(weighed());
    source.checkpoint = |chain, height| {
        let mut lie = chain.checkpoint(height.0);
        lie.certificate.signatures = SignatureList::default();
        lie
    };
    let error = checkpoint_refusal(source);
    let VerifyError::Certificate(BisectionError::Light { height, error }) = error else { panic!("{error}") };
    assert!(height == BlockHeight(1) && error.is_too_far(), "{height}: {error}");
}

#[test]
fn refuses_a_fact_under_another_root() {
    let mut source = MemorySource::honest(weighed());
    source.fact = |chain, key| {
        let mut later = Chain::new(4);
        later.grow(chain.tip.header.height.0 as usize);
        later.fact(&key)
    };
    let key = Key::Subnet(SUBNET);
    let error = refusal(block_on(start(source).record(key, BlockHeight(11))));
    assert!(matches!(error, VerifyError::Fact { key: at, .. } if at == key), "{error}");
    // A fact about another key, which is true.
    let mut source = MemorySource::honest(weighed());
    source.fact = |chain, _| chain.fact(&Key::Chain);
    let error = refusal(block_on(start(source).record(key, BlockHeight(11))));
    assert!(matches!(error, VerifyError::Fact { .. }) && !error.is_honest(), "{error}");
}

#[test]
fn refuses_the_slot_of_another_node() {
    let (netuid, node, height) = (SUBNET, miner(0).node_id(), BlockHeight(11));
    for uid in [None, Some(Uid(13)), Some(Uid(200))] {
        let source = MemorySource { uid: Box::new(move |_, _| uid), ..MemorySource::honest(weighed()) };
        let error = refusal(block_on(start(source).neuron((netuid, node), height)));
        assert_eq!(error, VerifyError::NoSlot { node, netuid, height });
    }
}

#[test]
fn refuses_a_changed_score() {
    let mut source = MemorySource::honest(weighed());
    source.epoch = |chain, node| {
        let honest = epoch_proof(chain, node);
        let mut inputs = EpochInputs::decode(&honest.inputs).unwrap();
        inputs.neurons[0].weights[0].1 -= 1;
        EpochProof { inputs: inputs.encode().unwrap(), ..honest }
    };
    let error = refusal(block_on(start(source).score(SUBNET, &miner(0).node_id())));
    assert!(matches!(error, VerifyError::Score(ScoreError::Inputs { .. })), "{error}");
    // The explanation of another node does not pass for this one's.
    let mut source = MemorySource::honest(weighed());
    source.epoch = |chain, _| epoch_proof(chain, &validator(0).node_id());
    let error = refusal(block_on(start(source).score(SUBNET, &miner(0).node_id())));
    assert!(matches!(error, VerifyError::Score(ScoreError::Neuron(_))), "{error}");
}

/// A source that hides what comes after `height`: everything that it shows verifies.
fn stale(chain: Chain, height: u64) -> MemorySource {
    let mut source = MemorySource::honest(chain);
    source.newest = Some(BlockHeight(height));
    source
}

#[test]
fn the_newest_block_is_the_highest_that_any_source_has_and_that_verifies() {
    let tip = weighed().tip.header;
    let period = TrustingPeriod::new(None, tip.time.plus(Duration::from_secs(7)));
    let begin = |source: MemorySource| {
        let spec = source.chain.spec.clone();
        block_on(Verifier::start(source, TrustAnchor::Genesis(Box::new(spec)), period)).unwrap()
    };
    let verifier = begin(stale(weighed(), 3));
    let alone = block_on(verifier.newest(&[])).unwrap();
    assert_eq!(
        alone,
        NewestBlock { height: BlockHeight(3), age: Duration::from_secs(7 + 8) },
        "one source hides"
    );
    let honest = [MemorySource::honest(weighed())];
    let newest = block_on(verifier.newest(&honest)).unwrap();
    assert_eq!(newest, NewestBlock { height: tip.height, age: Duration::from_secs(7) });
    // A forged height with a certificate of another block does not hide the honest one.
    let mut liar = MemorySource::honest(weighed());
    liar.checkpoint = |chain, height| {
        let mut forged = chain.checkpoint(height.0);
        forged.header.height = BlockHeight(9_000);
        forged
    };
    let newest = block_on(verifier.newest(&[liar, MemorySource::honest(weighed())])).unwrap();
    assert_eq!(newest.height, tip.height);
    assert_eq!(verifier.client.height(), BlockHeight(0), "the trusted header stays");
}

/// The genesis of a mesh that is older than the trusting period: no source can help.
#[test]
fn an_old_genesis_is_refused() {
    let mut source = MemorySource::honest(weighed());
    source.chain.spec.consensus.trusting_period_seconds = 60;
    let spec = source.chain.spec.clone();
    let period = TrustingPeriod::of(&spec, UnixMillis(61_000));
    let refused = block_on(Verifier::start(source, TrustAnchor::Genesis(Box::new(spec)), period));
    let Err(VerifierError::Genesis(error)) = refused else { panic!("{:?}", refused.map(|one| one.steps())) };
    assert!(error.to_string().contains("start from a recent block"), "{error}");
}
