//! Evidence of equivocation that this node's engine found: kept until the ledger has slashed the validator, and reported by
//! a transaction of this node's key.
//!
//! One honest validator with evidence suffices. So it is durable before anything else happens with it, a report that
//! expires is made again, and evidence is only dropped when a report of it would do nothing: another node was first, or
//! the evidence window is over.
//!
//! What a hostile validator can do: be kept here once, whatever it signs. Its earliest equivocation is kept, which reaches
//! back furthest; heights only rise, so that the file has about one frame for each key, and at most [`MAX_CULPRITS`] keys.

use std::{collections::BTreeMap, path::Path};

use nervure_consensus::statement::{Equivocation, MAX_EQUIVOCATION_BYTES};
use nervure_ledger::{
    mempool::Mempool,
    state::LedgerState,
    transaction::{Call, ReportEquivocation, SignedTransaction, SignerKey, Transaction},
};
use nervure_primitives::{
    Amount, BlockHeight, NodeId, NodeKey,
    durable::{AppendLog, LogContents, LogError, LogFormat},
};

/// Keys whose evidence is kept: a validator set has 64, and few of many sets can equivocate unreported.
const MAX_CULPRITS: usize = 256;

/// A report expires after this many blocks, and is made again.
const REPORT_EXPIRY_BLOCKS: u64 = 8;

const FORMAT: LogFormat =
    LogFormat { magic: b"nervevd1", uncounted: 0, max_payload: MAX_EQUIVOCATION_BYTES, max_file: 1 << 20 };

/// Evidence that is not settled, and its file.
pub(crate) struct KeptEvidence {
    /// None while the file cannot be opened.
    log: Option<AppendLog>,
    /// The earliest of each key.
    kept: BTreeMap<NodeId, Equivocation>,
    /// The last valid block of the report that was made last.
    reported_until: Option<BlockHeight>,
}

/// The evidence in the file at `path`, which a running node may have open.
pub(crate) fn read_evidence(path: &Path) -> Result<Vec<Equivocation>, LogError> {
    let contents = LogContents::read(path, FORMAT)?;
    let whole = contents.frames().map_while(Result::ok);
    Ok(whole.filter_map(|frame| Equivocation::decode(frame.payload).ok()).collect())
}

impl KeptEvidence {
    /// The evidence in the file at `path`; none where it cannot be read.
    pub(super) fn open(path: &Path) -> Self {
        let mut kept = Self { log: None, kept: BTreeMap::new(), reported_until: None };
        if let Err(error) = kept.recover(path) {
            tracing::warn!(path = %path.display(), %error, "evidence of equivocation cannot be read, nor kept across a restart");
        }
        kept
    }

    fn recover(&mut self, path: &Path) -> Result<(), LogError> {
        let log = AppendLog::open_taking(path, FORMAT, |payload| {
            Equivocation::decode(payload).map(|evidence| self.insert(evidence)).is_ok()
        })?;
        self.log = Some(log);
        Ok(())
    }

    /// Whether it is the first of its key, or earlier than the one that is kept.
    fn insert(&mut self, evidence: Equivocation) -> bool {
        let height = |one: &Equivocation| one.position().height;
        let culprit = evidence.culprit();
        let is_new = match self.kept.get(&culprit) {
            Some(former) => height(&evidence) < height(former),
            None => self.kept.len() < MAX_CULPRITS,
        };
        if is_new {
            self.kept.insert(culprit, evidence);
        }
        is_new
    }

    /// Keeps evidence, durably, if it adds something.
    pub(super) fn keep(&mut self, evidence: Equivocation) {
        if !self.insert(evidence) {
            return;
        }
        let Ok(payload) = evidence.encode() else { return };
        if let Some(Err(error)) = self.log.as_mut().map(|log| log.append_durably(&payload)) {
            tracing::warn!(%error, "evidence of equivocation is not kept across a restart");
        }
    }

    /// How many keys have evidence against them that is not settled.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Forgets what a report in the block after `state` could not settle. Evidence of a height that is not committed yet
    /// stays. Signatures are not verified in every block: the engine did, and [`Self::due`] does before it reports.
    fn prune(&mut self, state: &LedgerState) {
        let before = self.kept.len();
        self.kept.retain(|_, evidence| {
            evidence.position().height > state.height() || state.alleged_offence(evidence).is_ok()
        });
        if self.kept.len() == before {
            return;
        }
        let payloads = self.kept.values().filter_map(|evidence| evidence.encode().ok());
        if let Some(Err(error)) = self.log.as_mut().map(|log| log.replace(payloads, |_| Ok(()))) {
            tracing::warn!(%error, "settled evidence stays in its file");
        }
    }

    /// The report that is due in the block after `state`, signed by `key`: one at a time, and only while it is free, which
    /// it is for validators in office.
    pub(super) fn due(
        &mut self,
        state: &LedgerState,
        pool: &Mempool,
        key: &NodeKey,
    ) -> Option<SignedTransaction> {
        if self.kept.is_empty() {
            return None;
        }
        self.prune(state);
        if self.reported_until.is_some_and(|until| state.height() < until) {
            return None;
        }
        let own = key.node_id();
        let evidence = self.kept.values().find(|evidence| state.offence(evidence).is_ok())?;
        let call = Call::ReportEquivocation(ReportEquivocation { evidence: Box::new(*evidence) });
        // With its quota used up, a validator reports after the next election.
        state.lane_scope(&call, &own).ok().flatten()?;
        let nonce = pool.next_nonce(SignerKey::Node, own, state.nodes().get(&own)?.nonce);
        let expiry = BlockHeight(state.height().0.saturating_add(REPORT_EXPIRY_BLOCKS));
        let (fee, tip) = (Amount::ZERO, Amount::ZERO);
        let envelope = Transaction { nonce, fee, tip, expiry, call }.seal(key, &state.mesh()).ok()?;
        self.reported_until = Some(expiry);
        Some(SignedTransaction::verify(envelope, &state.mesh()))
    }

    /// The report was not taken: it is made again after the next block.
    pub(super) fn not_taken(&mut self) {
        self.reported_until = None;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nervure_consensus::statement::{Round, SignedStatement, Vote, VoteKind};
    use nervure_ledger::{block::BlockContext, event::Event, spec::MeshSpec, transaction::Outcome};
    use nervure_primitives::Hash;

    use super::*;

    fn key(seed: u8) -> NodeKey {
        NodeKey::from_seed(&[seed; 32])
    }

    /// A mesh of four validators.
    fn state() -> LedgerState {
        let stake = Amount::from_tokens(10).unwrap();
        let spec = (1..=4)
            .fold(MeshSpec::test("evidence"), |spec, seed| spec.with_validator(key(seed).node_id(), stake));
        LedgerState::genesis(&spec).unwrap()
    }

    fn equivocation(state: &LedgerState, seed: u8, height: u64) -> Equivocation {
        let vote = |value| {
            let height = BlockHeight(height);
            let vote = Vote { height, round: Round(0), kind: VoteKind::Prevote, value };
            SignedStatement::sign(&key(seed), &state.mesh(), vote).unwrap()
        };
        Equivocation::votes(vote(None), vote(Some(Hash::of("block", &[])))).unwrap()
    }

    fn block(state: &mut LedgerState, report: Option<&SignedTransaction>) -> Vec<Event> {
        let checked: Vec<_> = report.map(|report| report.checked().clone()).into_iter().collect();
        state.advance(&BlockContext::default(), &checked).unwrap()
    }

    #[test]
    fn evidence_is_reported_after_its_height_and_again_until_it_is_settled() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("evidence");
        let (mut state, pool) = (state(), Mempool::default());
        let mut kept = KeptEvidence::open(&path);
        kept.keep(equivocation(&state, 2, 1));
        assert!(kept.due(&state, &pool, &key(1)).is_none(), "its height is not committed yet");
        assert_eq!(kept.len(), 1);
        assert_eq!(
            read_evidence(&path).unwrap(),
            [equivocation(&state, 2, 1)],
            "while the node has the file open"
        );
        block(&mut state, None);
        let lost = kept.due(&state, &pool, &key(1)).unwrap();
        assert!(kept.due(&state, &pool, &key(1)).is_none(), "one at a time");
        // No block has it until it expires.
        (0..REPORT_EXPIRY_BLOCKS).for_each(|_| drop(block(&mut state, None)));
        let report = kept.due(&state, &pool, &key(1)).unwrap();
        assert_ne!(report, lost);
        let events = block(&mut state, Some(&report));
        let Some(Event::Applied { outcome: Outcome::EquivocationReported(done), .. }) = events.first() else {
            panic!("{events:?}")
        };
        assert_eq!((done.node, done.height), (key(2).node_id(), BlockHeight(1)));
        assert!(kept.due(&state, &pool, &key(1)).is_none());
        assert_eq!(kept.len(), 0, "settled");
        drop(kept);
        assert_eq!(KeptEvidence::open(&path).len(), 0, "in the file, too");
    }

    #[test]
    fn a_restart_keeps_it_and_a_report_of_another_settles_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("evidence");
        let (mut state, pool) = (state(), Mempool::default());
        let mut kept = KeptEvidence::open(&path);
        kept.keep(equivocation(&state, 2, 1));
        drop(kept);
        let mut kept = KeptEvidence::open(&path);
        assert_eq!(kept.len(), 1);
        block(&mut state, None);
        let mut other = KeptEvidence::open(&home.path().join("other"));
        other.keep(equivocation(&state, 2, 1));
        let report = other.due(&state, &pool, &key(3)).unwrap();
        block(&mut state, Some(&report));
        assert!(kept.due(&state, &pool, &key(1)).is_none());
        assert_eq!(kept.len(), 0);
    }

    #[test]
    fn each_key_has_one_place_and_the_earliest_offence_has_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("evidence");
        let state = state();
        let mut kept = KeptEvidence::open(&path);
        for height in [5, 9, 3, 4, 3] {
            kept.keep(equivocation(&state, 2, height));
        }
        assert_eq!(kept.kept.values().collect::<Vec<_>>(), [&equivocation(&state, 2, 3)]);
        drop(kept);
        assert_eq!(KeptEvidence::open(&path).kept.len(), 1);
        let bytes = fs::read(&path).unwrap();
        // The two that were kept: nothing was written for the others.
        assert!(bytes.len() < 3 * MAX_EQUIVOCATION_BYTES, "{}", bytes.len());
    }

    #[test]
    fn who_is_not_in_office_pays_nothing_and_keeps_it() {
        let home = tempfile::tempdir().unwrap();
        let (mut state, pool) = (state(), Mempool::default());
        let mut kept = KeptEvidence::open(&home.path().join("evidence"));
        kept.keep(equivocation(&state, 2, 1));
        block(&mut state, None);
        assert!(kept.due(&state, &pool, &key(9)).is_none());
        assert_eq!(kept.len(), 1);
    }

    #[test]
    fn a_damaged_frame_at_the_end_is_dropped_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("evidence");
        let state = state();
        let mut kept = KeptEvidence::open(&path);
        kept.keep(equivocation(&state, 2, 1));
        let whole = fs::read(&path).unwrap().len();
        kept.keep(equivocation(&state, 3, 1));
        drop(kept);
        let bytes = fs::read(&path).unwrap();
        for end in [whole, whole + 1, bytes.len() - 1] {
            fs::write(&path, &bytes[..end]).unwrap();
            assert_eq!(KeptEvidence::open(&path).len(), 1, "cut at {end}");
        }
    }
}
