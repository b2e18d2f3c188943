//! Collects attestations of checkpoints until a quorum of validators has signed.
//!
//! What a hostile peer can do: fill [`MAX_EARLY`] places with attestations of unknown checkpoints, and so displace those
//! of others, which are broadcast again; and make us recover one key for each member that has not signed yet.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use nervure_anchor::{
    AnchorCheckpoint, AnchorDomain, AnchorKey, AnchorSet, Attestation, AttestationSet, Submission,
};
use nervure_p2p::Verdict;
use nervure_primitives::BlockHeight;

/// Checkpoints that wait for signatures at once. When there are more, new ones are not opened: the file needs the oldest
/// ones first.
const MAX_OPEN: usize = 256;

/// Attestations that arrived before their checkpoint.
const MAX_EARLY: usize = 256;

/// The checkpoints that are open for signatures.
#[derive(Debug)]
pub(super) struct AttestationCollector {
    domain: AnchorDomain,
    open: BTreeMap<BlockHeight, OpenCheckpoint>,
    early: VecDeque<Attestation>,
}

#[derive(Debug)]
struct OpenCheckpoint {
    signatures: AttestationSet,
    own: Option<Attestation>,
    since: Instant,
    /// When the own attestation is broadcast next.
    due: Instant,
}

impl AttestationCollector {
    /// Without checkpoints.
    pub(super) fn new(domain: AnchorDomain) -> Self {
        Self { domain, open: BTreeMap::new(), early: VecDeque::new() }
    }

    /// Opens a checkpoint for the signatures of `signers`. Signs it when `key` is one of theirs, to be broadcast after
    /// `wait`. False when it is already open, or too many are.
    pub(super) fn open(
        &mut self,
        (checkpoint, signers): (AnchorCheckpoint, &AnchorSet),
        key: Option<&AnchorKey>,
        (now, wait): (Instant, Duration),
    ) -> bool {
        let height = checkpoint.height();
        if self.open.contains_key(&height) || self.open.len() >= MAX_OPEN {
            return false;
        }
        let key = key.filter(|key| signers.power_of(&key.address()).is_some());
        let own = key.map(|key| Attestation::sign(key, &checkpoint, &self.domain, &signers.hash()));
        let mut signatures = AttestationSet::new(self.domain, checkpoint, signers.clone());
        let id = signatures.checkpoint().id();
        let (its, others): (VecDeque<_>, _) = self.early.drain(..).partition(|one| one.checkpoint == id);
        self.early = others;
        for attestation in own.iter().chain(&its) {
            // An invalid one is dropped without a verdict: its sender is no longer known.
            let _ = signatures.add(attestation);
        }
        self.open.insert(height, OpenCheckpoint { signatures, own, since: now, due: now + wait });
        true
    }

    /// Takes an attestation from gossip.
    pub(super) fn take(&mut self, attestation: Attestation) -> Verdict {
        let of = |open: &&mut OpenCheckpoint| open.signatures.checkpoint().id() == attestation.checkpoint;
        let Some(open) = self.open.values_mut().find(of) else {
            if self.early.len() >= MAX_EARLY {
                self.early.pop_front();
            }
            self.early.push_back(attestation);
            return Verdict::Ignore;
        };
        match open.signatures.add(&attestation) {
            Ok(true) => Verdict::Accept,
            Ok(false) => Verdict::Ignore,
            Err(_) => Verdict::Reject,
        }
    }

    /// The first checkpoint above `latest` that has a quorum.
    pub(super) fn complete(&self, latest: BlockHeight) -> Option<Submission> {
        let above = self.open.iter().filter(|(height, _)| **height > latest);
        above.map(|(_, open)| open).find_map(|open| open.signatures.submission())
    }

    /// Closes the checkpoints up to `latest`, which are kept.
    pub(super) fn kept(&mut self, latest: BlockHeight) {
        self.open.retain(|height, _| *height > latest);
    }

    /// Own attestations that are due now; each is due again after `interval`.
    pub(super) fn due(&mut self, now: Instant, interval: Duration) -> Vec<Attestation> {
        let due = self.open.values_mut().filter(|open| open.due <= now);
        due.filter_map(|open| {
            open.due = now + interval;
            open.own
        })
        .collect()
    }

    /// How many are open, and since when the oldest is.
    pub(super) fn waiting(&self) -> (usize, Option<Instant>) {
        (self.open.len(), self.open.values().next().map(|open| open.since))
    }
}

#[cfg(test)]
mod tests {
    use nervure_anchor::AnchoredBlock;
    use nervure_primitives::{Hash, MeshId};

    use super::*;

    const NO_DELAY: Duration = Duration::ZERO;

    fn key(byte: u8) -> AnchorKey {
        AnchorKey::from_secret(&[byte; 32]).unwrap()
    }

    fn set() -> AnchorSet {
        AnchorSet::new((1..=4).map(|byte| (key(byte).address(), 10))).unwrap()
    }

    fn checkpoint(height: u64) -> AnchorCheckpoint {
        let block = AnchoredBlock {
            mesh: MeshId::from_bytes([9; 32]),
            height: BlockHeight(height),
            block: Hash::from_bytes([height as u8; 32]),
            state: Hash::from_bytes([1; 32]),
        };
        AnchorCheckpoint::new(block, Vec::new(), set().hash()).unwrap()
    }

    fn by(byte: u8, height: u64) -> Attestation {
        Attestation::sign(&key(byte), &checkpoint(height), &AnchorDomain::LOCAL, &set().hash())
    }

    fn collecting(heights: std::ops::RangeInclusive<u64>) -> AttestationCollector {
        let mut collector = AttestationCollector::new(AnchorDomain::LOCAL);
        for height in heights {
            collector.open((checkpoint(height), &set()), Some(&key(1)), (Instant::now(), NO_DELAY));
        }
        collector
    }

    #[test]
    fn a_quorum_completes_a_checkpoint_and_the_lowest_comes_first() {
        let mut collector = collecting(1..=2);
        for height in [2, 1] {
            for byte in [2, 3] {
                assert_eq!(collector.take(by(byte, height)), Verdict::Accept);
                assert_eq!(collector.take(by(byte, height)), Verdict::Ignore, "no news");
            }
        }
        let height = |latest| collector.complete(BlockHeight(latest)).map(|one| one.checkpoint.height().0);
        assert_eq!((height(0), height(1), height(2)), (Some(1), Some(2), None));
        collector.kept(BlockHeight(1));
        assert_eq!(collector.waiting().0, 1);
    }

    #[test]
    fn early_attestations_count_once_their_checkpoint_opens() {
        let mut collector = collecting(1..=1);
        for byte in [2, 3] {
            assert_eq!(collector.take(by(byte, 2)), Verdict::Ignore);
        }
        assert!(collector.open((checkpoint(2), &set()), Some(&key(1)), (Instant::now(), NO_DELAY)));
        assert_eq!(collector.complete(BlockHeight(0)).unwrap().checkpoint.height(), BlockHeight(2));
    }

    #[test]
    fn rejects_a_stranger_and_a_false_signature() {
        let mut collector = collecting(1..=1);
        assert_eq!(collector.take(by(9, 1)), Verdict::Reject);
        let false_one = Attestation { signer: key(2).address(), ..by(3, 1) };
        assert_eq!(collector.take(false_one), Verdict::Reject);
        assert_eq!(collector.complete(BlockHeight(0)), None);
    }

    #[test]
    fn only_a_member_signs_and_broadcasts_again() {
        let (now, every) = (Instant::now(), Duration::from_secs(5));
        let mut collector = AttestationCollector::new(AnchorDomain::LOCAL);
        collector.open((checkpoint(1), &set()), Some(&key(9)), (now, NO_DELAY));
        collector.open((checkpoint(2), &set()), None, (now, NO_DELAY));
        collector.open((checkpoint(3), &set()), Some(&key(1)), (now, NO_DELAY));
        collector.open((checkpoint(4), &set()), Some(&key(1)), (now, every));
        assert_eq!(collector.due(now, every), [by(1, 3)]);
        assert_eq!(collector.due(now, every), []);
        assert_eq!(collector.due(now + every, every), [by(1, 3), by(1, 4)]);
    }

    #[test]
    fn both_lists_are_bounded_and_the_oldest_checkpoints_stay() {
        let mut collector = collecting(1..=MAX_OPEN as u64);
        assert!(!collector.open((checkpoint(999), &set()), None, (Instant::now(), NO_DELAY)));
        assert_eq!(collector.waiting().0, MAX_OPEN);
        for height in 0..MAX_EARLY as u64 + 9 {
            let id = Hash::from_bytes([height as u8; 32]);
            collector.take(Attestation { checkpoint: id, ..by(2, 1) });
        }
        assert_eq!(collector.early.len(), MAX_EARLY);
    }
}
