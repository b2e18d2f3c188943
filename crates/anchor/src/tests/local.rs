//! The file of the local backend.

use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
    pin::pin,
    task::{Context, Poll, Waker},
};

use super::*;

/// The local backend never waits: its futures are done when they are first asked.
fn now<T>(future: impl Future<Output = T>) -> T {
    let Poll::Ready(value) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits")
    };
    value
}

fn open(path: &Path) -> Result<LocalAnchor, LocalAnchorError> {
    LocalAnchor::open(path, empty_store())
}

/// A file with checkpoints 1 to 3.
fn filled() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("anchor");
    let anchor = open(&path).unwrap();
    for height in 1..=3 {
        let receipt = now(anchor.submit(&submission(&checkpoint(height, &four()), &four(), &[1, 2, 3])));
        assert_eq!(receipt.unwrap(), SubmissionReceipt::Stored { reference: None, gas: None });
    }
    (directory, path)
}

/// Bytes of the first record, and of each further one.
fn sizes(whole: &[u8]) -> (usize, usize) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("anchor");
    drop(open(&path).unwrap());
    let first = fs::read(&path).unwrap().len();
    (first, (whole.len() - first) / 3)
}

fn heights(anchor: &LocalAnchor) -> Vec<u64> {
    now(anchor.list(BlockHeight(0), 9)).unwrap().iter().map(|one| one.height.0).collect()
}

#[test]
fn stored_checkpoints_survive_a_restart() {
    let (_directory, path) = filled();
    let anchor = open(&path).unwrap();
    assert_eq!(heights(&anchor), [1, 2, 3]);
    assert_eq!(now(anchor.list(BlockHeight(2), 1)).unwrap().len(), 1);
    assert_eq!(now(anchor.at(BlockHeight(2))).unwrap().unwrap().id, checkpoint(2, &four()).id());
    assert_eq!(now(anchor.at(BlockHeight(9))).unwrap(), None);
    assert_eq!(now(anchor.head()).unwrap(), (BlockHeight(3), four().hash()));
    let again = now(anchor.submit(&submission(&checkpoint(3, &four()), &four(), &[2, 3, 4])));
    assert_eq!(again.unwrap(), SubmissionReceipt::AlreadyStored);
    let stale = now(anchor.submit(&submission(&checkpoint(2, &set(&[(1, 1)])), &four(), &[1, 2, 3])));
    assert!(matches!(stale, Err(AnchorError::Rejected(CheckpointRejection::Conflict { .. }))));
    assert!(matches!(open(&path), Err(LocalAnchorError::Io { .. })), "one process at a time");
}

#[test]
fn a_torn_append_is_dropped_and_repeated() {
    let (_directory, path) = filled();
    let whole = fs::read(&path).unwrap();
    let (first, record) = sizes(&whole);
    for cut in [1, 4, 7, 8, 9, record / 2, record - 1] {
        fs::write(&path, &whole[..first + 2 * record + cut]).unwrap();
        let anchor = open(&path).unwrap();
        assert_eq!(heights(&anchor), [1, 2], "cut at {cut}");
        now(anchor.submit(&submission(&checkpoint(3, &four()), &four(), &[1, 2, 3]))).unwrap();
        drop(anchor);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_torn_first_record_is_written_again() {
    let (_directory, path) = filled();
    let whole = fs::read(&path).unwrap();
    let (first, _) = sizes(&whole);
    for cut in [0, 3, 8, first - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        drop(open(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), &whole[..first], "cut at {cut}");
    }
}

#[test]
fn whole_submissions_are_read_back() {
    let (_directory, path) = filled();
    let anchor = open(&path).unwrap();
    let kept = |height| anchor.submission(BlockHeight(height)).unwrap();
    assert_eq!(kept(0), kept(1));
    assert_eq!(kept(2), Some(submission(&checkpoint(2, &four()), &four(), &[1, 2, 3])));
    assert_eq!(kept(4), None);
    let next = submission(&checkpoint(4, &four()), &four(), &[2, 3, 4]);
    anchor.store(&next).unwrap();
    assert_eq!((kept(4), anchor.latest()), (Some(next), BlockHeight(4)));
}

#[test]
fn refuses_a_damaged_file() {
    let (_directory, path) = filled();
    let whole = fs::read(&path).unwrap();
    let (first, record) = sizes(&whole);
    for at in (0..first + 2 * record).step_by(5) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        match open(&path) {
            Err(LocalAnchorError::Damaged { .. }) => {}
            Err(LocalAnchorError::Io { error, .. }) if at < 8 => {
                assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

#[test]
fn a_file_keeps_its_first_record_and_belongs_to_one_mesh_and_domain() {
    let (_directory, path) = filled();
    let later = CheckpointStore::new(DOMAIN, MESH, BlockHeight(7), set(&[(1, 1)]).hash());
    assert_eq!(heights(&LocalAnchor::open(&path, later).unwrap()), [1, 2, 3]);
    let elsewhere = AnchorDomain { chain: DOMAIN.chain + 1, ..DOMAIN };
    for other in [
        CheckpointStore::new(elsewhere, MESH, BlockHeight(0), four().hash()),
        CheckpointStore::new(DOMAIN, MeshId::from_bytes([99; 32]), BlockHeight(0), four().hash()),
    ] {
        let refused = LocalAnchor::open(&path, other).unwrap_err();
        assert!(refused.to_string().contains("it is for mesh"), "{refused}");
    }
}
