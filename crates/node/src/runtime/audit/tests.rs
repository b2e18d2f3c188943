//! Which cases are audited, and what follows from a mismatch.

use nervure_byte_lm::builtin;
use nervure_ledger::spec::{MeshSpec, Role};
use nervure_primitives::{Amount, NodeKey};
use nervure_protocol::{
    AnswerHasher, ExpertEvent, ExpertRequest, FinishReason, ModelIdentity, Receipt, ReceiptSampling,
    Sampling, Usage, query::body, request_hash,
};

use super::*;

/// A validator and a miner of a mesh, and the validator's auditor.
struct World {
    mesh: MeshId,
    miner: NodeKey,
    netuid: Netuid,
    auditor: Arc<Auditor>,
    cases: mpsc::Receiver<AuditCase>,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let (validator, miner) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]));
        let (spec, netuid) = spec(&validator, &miner);
        let registry = LedgerRegistry::of(&spec).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let ids = (validator.node_id(), spec.mesh_id());
        let (auditor, cases) = Auditor::new(ids, registry, built_in(), dir.path());
        Self { mesh: spec.mesh_id(), miner, netuid, auditor, cases, dir }
    }

    /// The answer `text` with the miner's receipt, changed before it is signed.
    fn case(&self, text: &str, change: impl FnOnce(&mut Receipt)) -> AuditCase {
        let sampling = Sampling { max_tokens: 8, temperature_milli: 0, seed: Some(1), ..Sampling::default() };
        let request = ExpertRequest::Complete { prompt: "pub fn new() -> ".into(), sampling };
        let usage = Usage { prompt_tokens: 16, completion_tokens: 8 };
        let event = ExpertEvent::Text(text.into());
        let mut answer = AnswerHasher::default();
        answer.event(&event);
        let query = Hash::from_bytes(rand::random());
        let body = body::encode_request(&request).unwrap();
        let mut receipt = Receipt {
            netuid: self.netuid,
            asker: self.miner.node_id(),
            miner: self.miner.node_id(),
            query,
            request: request_hash(&query, &body),
            answer: answer.finish(usage, FinishReason::Length),
            expert: "rust".into(),
            model: "nervure-bytes-rust".into(),
            identity: builtin::find("rust").unwrap().identity(),
            sampling: ReceiptSampling::of(&request),
            received_at: clock::now(),
            took_ms: 1,
        };
        change(&mut receipt);
        let signed = SignedReceipt::sign(&self.miner, &self.mesh, receipt).unwrap();
        let end = (usage, FinishReason::Length);
        AuditCase::new(body, vec![event], end, signed.bytes().to_vec())
    }

    fn take(&self, change: impl FnOnce(&mut Receipt)) -> Result<(), NotAudited> {
        self.auditor.take(self.case("Self { x", change))
    }
}

/// A mesh in which `validator` holds the permit of a subnet, and `miner` a slot.
fn spec(validator: &NodeKey, miner: &NodeKey) -> (MeshSpec, Netuid) {
    let stake = Amount::from_tokens(1_000).unwrap();
    let spec = MeshSpec::local("audit").with_validator(validator.node_id(), stake).with_node(
        miner.node_id(),
        Role::Miner,
        Amount::ZERO,
    );
    let netuid = spec.subnets[0].netuid;
    (spec, netuid)
}

#[test]
fn refuses_what_proves_nothing_here_and_now() {
    let world = World::new();
    assert_eq!(world.take(|_| {}), Ok(()));
    assert_eq!(world.take(|r| r.netuid = Netuid(99)), Err(NotAudited::NotHere));
    let old = clock::now().0 - 2 * 3_600_000;
    assert_eq!(world.take(|r| r.received_at = UnixMillis(old)), Err(NotAudited::NotRecent));
    assert_eq!(world.take(|r| r.received_at = UnixMillis(u64::MAX)), Err(NotAudited::NotRecent));
    let other = ModelIdentity { digest: Some("sha256:00".into()), ..ModelIdentity::default() };
    assert_eq!(world.take(|r| r.identity = other), Err(NotAudited::NoModel));
    assert_eq!(world.take(|r| r.identity = ModelIdentity::default()), Err(NotAudited::NoModel));
    let mut forged = world.case("Self { x", |_| {});
    forged.receipt[20] ^= 1;
    assert_eq!(world.auditor.take(forged), Err(NotAudited::BadReceipt));
}

#[test]
fn each_query_is_audited_once_and_the_queue_is_bounded() {
    let world = World::new();
    let case = world.case("Self { x", |_| {});
    assert_eq!(world.auditor.take(case.clone()), Ok(()));
    assert_eq!(world.auditor.take(case), Err(NotAudited::Again));
    for _ in 1..MAX_QUEUED_CASES {
        assert_eq!(world.take(|_| {}), Ok(()));
    }
    assert_eq!(world.take(|_| {}), Err(NotAudited::Busy));
}

#[test]
fn a_mismatch_is_a_zero_and_evidence_that_anybody_can_check() {
    let world = World::new();
    world.auditor.audit(world.case("nonsense", |_| {}));
    let failed = FailedExpert { miner: world.miner.node_id(), expert: "rust".into() };
    assert_eq!(world.auditor.failed(world.netuid), [failed]);
    assert!(world.auditor.failed(world.netuid).is_empty(), "it counts once");

    let page = world.auditor.page();
    let query = page.mismatches[0].query;
    let view = world.auditor.evidence(&query).unwrap();
    // What is handed on is text, and is checked without anything of the auditor.
    let text = serde_json::to_string(&view).unwrap();
    let read: EvidenceView = serde_json::from_str(&text).unwrap();
    let found = |view: &EvidenceView| {
        let case = view.case().unwrap();
        Evidence::audit(world.mesh, case, &built_in(), &AuditRules::default())
    };
    assert_eq!(found(&read).unwrap().judgement.verdict, Verdict::Mismatch);
    let mut forged = read.clone();
    forged.answer.events = vec![ExpertEvent::Text("rubbish!".into())];
    assert!(matches!(found(&forged), Err(EvidenceError::Case(_))), "the miner did not sign for that");

    let (again, _cases) = Auditor::new(
        (NodeKey::from_seed(&[1; 32]).node_id(), world.mesh),
        world.auditor.registry.clone(),
        built_in(),
        world.dir.path(),
    );
    assert_eq!(again.evidence(&query), Some(read), "it is on the disk");
}

#[test]
fn an_honest_answer_is_worth_nothing_and_leaves_nothing() {
    let world = World::new();
    let model = builtin::find("rust").unwrap().load().unwrap();
    let mut session = nervure_byte_lm::Session::new(model);
    let mut logits = session.start(b"pub fn new() -> ").unwrap();
    let mut text = Vec::new();
    for _ in 0..8 {
        let best =
            (0..=255u8).max_by(|a, b| logits[usize::from(*a)].total_cmp(&logits[usize::from(*b)])).unwrap();
        text.push(best);
        logits = session.push(best).unwrap();
    }
    let text = String::from_utf8(text).unwrap();
    world.auditor.audit(world.case(&text, |_| {}));
    assert!(world.auditor.failed(world.netuid).is_empty());
    let page = world.auditor.page();
    assert_eq!((page.mismatches.len(), page.audited), (0, 1));
}

#[tokio::test]
async fn the_queue_is_worked_on_until_the_end() {
    let World { auditor, cases, netuid, mesh, miner, dir } = World::new();
    let world = World { auditor, cases: mpsc::channel(1).1, netuid, mesh, miner, dir };
    assert_eq!(world.auditor.take(world.case("nonsense", |_| {})), Ok(()));
    let stop = CancellationToken::new();
    let running = tokio::spawn(world.auditor.clone().run(cases, stop.clone()));
    while world.auditor.page().mismatches.is_empty() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.unwrap();
}
