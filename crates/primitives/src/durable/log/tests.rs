//! What was appended is read again, and of a torn end nothing.

use std::fs;

use proptest::prelude::*;

use super::*;

const FORMAT: LogFormat = LogFormat { magic: b"testlog1", uncounted: 0, max_payload: 100, max_file: 10_000 };

/// As the consensus log has it: no magic number, and a byte of kind.
const TAGGED: LogFormat = LogFormat { magic: b"", uncounted: 1, ..FORMAT };

fn payloads(contents: &LogContents) -> Vec<Vec<u8>> {
    contents.frames().map_while(Result::ok).map(|frame| frame.payload.to_vec()).collect()
}

/// Opens a log, and cuts off what is not whole.
fn recover(path: &Path, format: LogFormat) -> (AppendLog, Vec<Vec<u8>>) {
    let (mut log, contents) = AppendLog::open(path, format).unwrap();
    let end = contents.frames().map_while(Result::ok).last().map_or(0, |frame| frame.end);
    log.truncate(end.max(format.magic.len() as u64)).unwrap();
    (log, payloads(&contents))
}

#[test]
fn a_log_cut_at_any_byte_keeps_its_whole_frames_and_continues() {
    for format in [FORMAT, TAGGED] {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        let (mut log, _) = AppendLog::open(&path, format).unwrap();
        let written = [b"one".to_vec(), b"t".to_vec(), b"three".to_vec()];
        let mut ends: Vec<u64> = Vec::new();
        for payload in &written {
            log.append(payload).unwrap();
            ends.push(log.size());
        }
        drop(log);
        let bytes = fs::read(&path).unwrap();
        for cut in 0..=bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let whole = ends.iter().filter(|end| **end <= cut as u64).count();
            let (mut log, found) = recover(&path, format);
            assert_eq!(found, written[..whole], "cut at {cut}");
            log.append_durably(b"next").unwrap();
            drop(log);
            let (_, found) = recover(&path, format);
            assert_eq!((found.len(), found.last().unwrap().as_slice()), (whole + 1, b"next".as_slice()));
        }
    }
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("log");
    let (mut log, _) = AppendLog::open(&path, FORMAT).unwrap();
    let first = log.append(b"one").unwrap();
    let second = log.append(b"two").unwrap();
    assert_eq!((first, log.read(second).unwrap()), (8, b"two".to_vec()));
    assert_eq!(log.append(&[0; 101]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    drop(log);
    let bytes = fs::read(&path).unwrap();
    let error = |at: u64, byte: u8| {
        let mut damaged = bytes.clone();
        damaged[at as usize] = byte;
        fs::write(&path, damaged).unwrap();
        AppendLog::open(&path, FORMAT).map(|(_, contents)| contents.frames().find_map(Result::err))
    };
    // In the length, in each checksum, and in the payload.
    for offset in [0, 3, 5, 9, 13] {
        let damaged = FrameError::Damaged { at: first, next: Some(second) };
        assert_eq!(error(first + offset, 99).unwrap(), Some(damaged), "{offset}");
    }
    // Nothing whole follows the last one. Its length may be wrong, so that it need not be one append.
    assert_eq!(error(second + 3, 99).unwrap(), Some(FrameError::Damaged { at: second, next: None }));
    assert_eq!(error(second + 13, 0).unwrap(), Some(FrameError::Torn { at: second }));
    assert!(matches!(error(0, 0), Err(LogError::Magic { .. })));
    // The new size without the content.
    fs::write(&path, [bytes.as_slice(), &[0; 50]].concat()).unwrap();
    let (_, contents) = AppendLog::open(&path, FORMAT).unwrap();
    let end = bytes.len() as u64;
    assert_eq!(contents.frames().last(), Some(Err(FrameError::Torn { at: end })));
    fs::write(&path, [b"testlog1".as_slice(), &[0; 10_000]].concat()).unwrap();
    assert!(matches!(AppendLog::open(&path, FORMAT), Err(LogError::TooLarge { .. })));
}

#[test]
fn a_log_does_not_get_larger_than_what_is_read() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("log");
    let (mut log, _) = AppendLog::open(&path, FORMAT).unwrap();
    let refused = (0..1_000).find_map(|_| log.append(&[1; 100]).err()).unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    assert!(log.size() <= FORMAT.max_file && log.size() > FORMAT.max_file - 112);
    let refused = log.replace((0..100).map(|_| [1; 100]), |_| Ok(())).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    drop(log);
    assert_eq!(recover(&path, FORMAT).1.len(), 89);
}

#[test]
fn salvage_reads_what_is_whole_around_the_damage() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("log");
    let (mut log, _) = AppendLog::open(&path, FORMAT).unwrap();
    let places: Vec<u64> = (0..6).map(|byte| log.append(&[byte; 20]).unwrap()).collect();
    drop(log);
    let mut bytes = fs::read(&path).unwrap();
    // A payload, and a length.
    bytes[places[1] as usize + 20] ^= 1;
    bytes[places[4] as usize] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (_, contents) = AppendLog::open(&path, FORMAT).unwrap();
    let found: Vec<_> = contents.salvage().map(|frame| (frame.at, frame.payload[0])).collect();
    assert_eq!(found, [0, 2, 3, 5].map(|number| (places[number], number as u8)));
}

#[test]
fn a_process_that_waited_for_the_lock_of_a_replaced_log_does_not_get_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("log");
    let (mut log, _) = AppendLog::open(&path, FORMAT).unwrap();
    // The other process opens the file before it is replaced, and locks it afterwards.
    let without_the_check = OpenOptions::new().read(true).append(true).open(&path).unwrap();
    let mut is_first = true;
    let replace = || {
        if std::mem::take(&mut is_first) {
            log.replace([b"new"], |_| Ok(())).unwrap();
        }
    };
    let refused = open_locked(&path, replace).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    assert!(without_the_check.try_lock().is_ok(), "the lock of the old file is free");
    drop(log);
    assert!(open_locked(&path, || ()).is_ok());
}

#[test]
fn a_log_whose_directory_does_not_sync_continues_in_the_new_file() {
    for last in [ReplaceStep::Created, ReplaceStep::Written, ReplaceStep::Synced, ReplaceStep::Renamed] {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        let (mut log, _) = AppendLog::open(&path, FORMAT).unwrap();
        log.append_durably(b"old").unwrap();
        // The descriptor that `replace` had when it ended with an error.
        let mut before = log.file.try_clone().unwrap();
        let fail = |step| if step == last { Err(io::Error::other("the disk")) } else { Ok(()) };
        log.replace([b"new"], fail).unwrap_err();
        log.append(b"next").unwrap();
        log.sync().unwrap();
        let renamed = last == ReplaceStep::Renamed;
        before.write_all(&FORMAT.frame(b"to the old file").unwrap()).unwrap();
        drop((log, before));
        let expected: &[&[u8]] =
            if renamed { &[b"new", b"next"] } else { &[b"old", b"next", b"to the old file"] };
        assert_eq!(recover(&path, FORMAT).1, expected, "{last:?}");
    }
}

#[test]
fn what_is_appended_is_not_durable_before_the_name_is() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("directory").join("log");
    fs::create_dir(path.parent().unwrap()).unwrap();
    let (mut log, _) = AppendLog::open(&path, FORMAT).unwrap();
    let fail = |step| if step == ReplaceStep::Renamed { Err(io::Error::other("the disk")) } else { Ok(()) };
    log.replace([b"new"], fail).unwrap_err();
    // A directory that cannot be opened cannot be synced either.
    let away = home.path().join("away");
    fs::rename(path.parent().unwrap(), &away).unwrap();
    log.sync().unwrap_err();
    log.append_durably(b"next").unwrap_err();
    fs::rename(&away, path.parent().unwrap()).unwrap();
    log.append_durably(b"next").unwrap();
    drop(log);
    assert_eq!(recover(&path, FORMAT).1, [b"new".to_vec(), b"next".to_vec()]);
}

#[test]
fn a_log_has_one_writer_also_after_it_was_replaced() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("log");
    let busy = || io::Error::from(AppendLog::open(&path, FORMAT).unwrap_err()).kind();
    let (mut log, _) = AppendLog::open(&path, FORMAT).unwrap();
    assert_eq!(busy(), io::ErrorKind::WouldBlock);
    log.append(b"old").unwrap();
    let mut steps = Vec::new();
    log.replace([b"new"], |step| {
        steps.push(step);
        Ok(())
    })
    .unwrap();
    assert_eq!(steps.len(), 5);
    assert_eq!(busy(), io::ErrorKind::WouldBlock);
    log.append(b"next").unwrap();
    // Reading moves the position in the file; appending goes to its end all the same.
    assert_eq!(log.read(8).unwrap(), b"new");
    log.append_in_halves(b"last", || ()).unwrap();
    drop(log);
    assert_eq!(recover(&path, FORMAT).1, [b"new".to_vec(), b"next".to_vec(), b"last".to_vec()]);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        for format in [FORMAT, TAGGED] {
            let contents = LogContents { format, bytes: bytes.clone() };
            let mut end = 0;
            for frame in contents.frames().map_while(Result::ok) {
                prop_assert!(frame.at >= end && frame.end <= contents.size());
                end = frame.end;
            }
        }
    }
}
