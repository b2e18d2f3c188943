//! Every record that was synced is read again, or its loss is an error.

use std::fs;

use nervure_consensus::bft::{Round, SignedStatement, Signer, Timer, TimerKind, Vote, VoteKind};
use nervure_primitives::{Hash, MeshId, NodeKey};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const MESH: MeshId = MeshId::from_bytes([3; 32]);

fn entry(height: u64) -> WalEntry {
    WalEntry::Timeout(Timer { height: BlockHeight(height), round: Round(1), kind: TimerKind::Propose })
}

fn record(height: u64) -> SignerRecord {
    SignerRecord { silent_through: Some(BlockHeight(height)), ..SignerRecord::default() }
}

#[test]
fn reads_what_was_appended_and_the_last_record_counts() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("wal");
    let (mut wal, recovered) = Wal::open(&path).unwrap();
    assert!(recovered.entries.is_empty() && recovered.signer == SignerRecord::default());
    for height in 1..=3 {
        wal.append(&entry(height)).unwrap();
        wal.save_signer(&record(height)).unwrap();
        wal.append_block(&[height as u8; 100]).unwrap();
    }
    wal.sync().unwrap();
    assert!(Wal::open(&path).unwrap_err().is_in_use(), "one process only");
    drop(wal);
    let (_, recovered) = Wal::open(&path).unwrap();
    assert_eq!((recovered.of(BlockHeight(2)), recovered.entries.len()), (vec![entry(2)], 3));
    assert_eq!(recovered.signer, record(3));
    assert_eq!(recovered.blocks, [[1; 100], [2; 100], [3; 100]]);
}

#[test]
fn a_large_file_is_replaced_by_one_with_the_record_alone() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("wal");
    let (mut wal, _) = Wal::open(&path).unwrap();
    wal.save_signer(&record(7)).unwrap();
    while wal.log.size() < ROTATE_BYTES {
        wal.append(&entry(7)).unwrap();
    }
    wal.next_height().unwrap();
    wal.append(&entry(8)).unwrap();
    assert!(Wal::open(&path).unwrap_err().is_in_use(), "the new file is locked too");
    drop(wal);
    let (wal, recovered) = Wal::open(&path).unwrap();
    assert_eq!((recovered.signer, recovered.entries), (record(7), vec![entry(8)]));
    assert!(wal.log.size() < 1_000);
}

/// A signer's record of a vote at `height`, for MESH by `key`.
fn signed(key: &NodeKey, height: u64) -> SignerRecord {
    let vote = Vote {
        kind: VoteKind::Precommit,
        height: BlockHeight(height),
        round: Round(0),
        value: Some(Hash::from_bytes([height as u8; 32])),
    };
    let vote = SignedStatement::sign(key, &MESH, vote).unwrap();
    SignerRecord { last_signed: Some(vote.into()), silent_through: None }
}

/// A log in which `key` voted at heights 1 to 8, its directory, and where each frame begins.
fn votes(key: &NodeKey) -> (TempDir, PathBuf, Vec<u64>) {
    let place = TempDir::new().unwrap();
    let path = place.path().join("wal");
    let (mut wal, _) = Wal::open(&path).unwrap();
    let mut frames = Vec::new();
    for height in 1..=8 {
        frames.push(wal.log.size());
        wal.save_signer(&signed(key, height)).unwrap();
    }
    wal.sync().unwrap();
    (place, path, frames)
}

fn damage(path: &Path, at: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at as usize] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn owner(key: &NodeKey, tip: u64) -> LogOwner {
    LogOwner { node: key.node_id(), mesh: MESH, tip: BlockHeight(tip) }
}

#[test]
fn damage_before_a_whole_frame_is_an_error_and_loses_no_record() {
    let key = NodeKey::from_seed(&[1; 32]);
    let (_place, path, frames) = votes(&key);
    let whole = fs::read(&path).unwrap();
    // In the length, in each checksum, and in the payload.
    for offset in [0, 3, 4, 8, 12, 40] {
        damage(&path, frames[2] + offset);
        let error = Wal::open(&path).unwrap_err();
        assert!(error.is_damage() && !error.is_in_use());
        let text = error.to_string();
        assert!(
            text.contains(&format!("wal is damaged at byte {}: whole frames follow", frames[2])),
            "{text}"
        );
        // Cutting at the first frame that is not whole, without looking further, takes the signer back.
        let (_, contents) = AppendLog::open(&path, FORMAT).unwrap();
        let mut cut = RecoveredLog::default();
        contents.frames().map_while(Result::ok).map_while(|frame| cut.take(frame.payload)).for_each(drop);
        assert_eq!(cut.signer, signed(&key, 2));

        let (wal, recovered) = Wal::accept_damage(&path, &owner(&key, 8)).unwrap();
        let expected = SignerRecord { silent_through: Some(BlockHeight(9)), ..signed(&key, 8) };
        assert_eq!(recovered.signer, expected);
        drop(wal);
        assert_eq!(Wal::open(&path).unwrap().1.signer, expected);
        assert_ne!(fs::read(path.with_extension("damaged")).unwrap(), fs::read(&path).unwrap());
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_validator_that_accepts_damage_signs_nothing_that_it_may_have_signed() {
    let key = NodeKey::from_seed(&[1; 32]);
    let (_place, path, frames) = votes(&key);
    // The last record is lost, and an entry that follows hides that the file ever ended there.
    let (mut wal, _) = Wal::open(&path).unwrap();
    wal.append(&entry(8)).unwrap();
    drop(wal);
    damage(&path, frames[7] + 20);
    let (_, recovered) = Wal::accept_damage(&path, &owner(&key, 7)).unwrap();
    assert_eq!(recovered.signer.last_signed, signed(&key, 7).last_signed);
    let sign = |record: SignerRecord, height: u64| {
        let vote =
            Vote { kind: VoteKind::Precommit, height: BlockHeight(height), round: Round(0), value: None };
        Signer::new(key.clone(), MESH, record).sign(vote)
    };
    // The lost vote was for a block at height 8: this one would contradict it.
    assert!(sign(recovered.signer, 8).is_err());
    assert!(sign(recovered.signer, 9).is_ok());
    // The record before the damage alone would allow it.
    assert!(sign(signed(&key, 7), 8).is_ok());
}

#[test]
fn a_damaged_magic_number_is_damage_and_can_be_accepted() {
    let key = NodeKey::from_seed(&[1; 32]);
    let (_place, path, _) = votes(&key);
    damage(&path, 2);
    assert!(Wal::open(&path).unwrap_err().is_damage());
    let (_, recovered) = Wal::accept_damage(&path, &owner(&key, 3)).unwrap();
    assert_eq!(recovered.signer, SignerRecord { silent_through: Some(BlockHeight(8)), ..signed(&key, 8) });
}

/// A block in which a peer put the frame of a record: it would silence the validator for good.
fn block_with_a_frame(key: &NodeKey) -> Vec<u8> {
    let place = TempDir::new().unwrap();
    let path = place.path().join("wal");
    let (mut wal, _) = Wal::open(&path).unwrap();
    let record = SignerRecord { silent_through: Some(BlockHeight(u64::MAX)), ..signed(key, 1 << 40) };
    wal.save_signer(&record).unwrap();
    let frame = fs::read(&path).unwrap().split_off(FORMAT.magic.len());
    [vec![7; 100], frame, vec![7; 100]].concat()
}

#[test]
fn a_frame_inside_a_block_is_no_frame_of_the_log() {
    let key = NodeKey::from_seed(&[1; 32]);
    let peer = NodeKey::from_seed(&[2; 32]);
    let (_place, path, _) = votes(&key);
    let (mut wal, _) = Wal::open(&path).unwrap();
    let end = wal.log.size();
    wal.append_block(&block_with_a_frame(&peer)).unwrap();
    drop(wal);
    // The crash came in the middle of the block: it is cut off, whatever it contains.
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 50]).unwrap();
    let (wal, recovered) = Wal::open(&path).unwrap();
    assert_eq!((recovered.signer, wal.log.size()), (signed(&key, 8), end));
    assert_eq!(recovered.torn_bytes, bytes.len() as u64 - 50 - end);
    drop(wal);
    // With a damaged head the search comes upon the peer's frame, and does not believe it.
    fs::write(&path, &bytes).unwrap();
    damage(&path, end);
    assert!(Wal::open(&path).is_err());
    let (_, recovered) = Wal::accept_damage(&path, &owner(&key, 8)).unwrap();
    assert_eq!(recovered.signer, SignerRecord { silent_through: Some(BlockHeight(9)), ..signed(&key, 8) });
}

#[test]
fn a_whole_frame_of_another_version_is_not_cut_off() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("wal");
    let (mut wal, _) = Wal::open(&path).unwrap();
    wal.frame(9, b"of a later version").unwrap();
    drop(wal);
    let error = Wal::open(&path).unwrap_err();
    assert!(error.to_string().ends_with("byte 8: its content is not of this version"), "{error}");
}

#[test]
fn blocks_leave_room_for_votes() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("wal");
    let (mut wal, _) = Wal::open(&path).unwrap();
    wal.block_space = 10_000;
    let written = (0..30).filter(|_| wal.append_block(&[1; 1_000]).unwrap()).count();
    assert_eq!(written, 10);
    wal.save_signer(&record(3)).unwrap();
    drop(wal);
    let (_, recovered) = Wal::open(&path).unwrap();
    assert_eq!((recovered.blocks.len(), recovered.signer), (10, record(3)));
}

proptest! {
    #[test]
    fn a_damaged_tail_is_dropped_and_anything_else_is_an_error(at in 0usize..800, to: u8, cut: bool) {
        let place = TempDir::new().unwrap();
        let path = place.path().join("wal");
        let (mut wal, _) = Wal::open(&path).unwrap();
        let mut last = 0;
        for height in 1..=8 {
            last = wal.log.size() as usize;
            wal.append(&entry(height)).unwrap();
        }
        drop(wal);
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        let changed = cut || bytes[at] != to;
        if cut { bytes.truncate(at) } else { bytes[at] = to }
        fs::write(&path, &bytes).unwrap();
        let opened = Wal::open(&path);
        if changed && !cut && at < last {
            prop_assert!(opened.unwrap_err().is_damage());
            return Ok(());
        }
        let (mut wal, recovered) = opened.unwrap();
        let count = recovered.entries.len();
        prop_assert_eq!(&recovered.entries, &(1..=count as u64).map(entry).collect::<Vec<_>>());
        prop_assert!(cut || count + usize::from(changed) == 8);
        wal.append(&entry(99)).unwrap();
        drop(wal);
        let (_, again) = Wal::open(&path).unwrap();
        prop_assert_eq!(again.entries.len(), count + 1);
        prop_assert_eq!(again.entries.last(), Some(&entry(99)));
    }
}
