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
    assert_eq!(error(first + 8, 0).unwrap(), Some(FrameError::Checksum { at: first, last: false }));
    assert_eq!(error(second + 8, 0).unwrap(), Some(FrameError::Checksum { at: second, last: true }));
    assert_eq!(error(first + 3, 101).unwrap(), Some(FrameError::TooLong { at: first, length: 101 }));
    assert_eq!(error(second + 3, 100).unwrap(), Some(FrameError::Torn { at: second }));
    assert!(matches!(error(0, 0), Err(LogError::Magic { .. })));
    fs::write(&path, [b"testlog1".as_slice(), &[0; 10_000]].concat()).unwrap();
    assert!(matches!(AppendLog::open(&path, FORMAT), Err(LogError::TooLarge { .. })));
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
    log.replace([b"new"], |step| steps.push(step)).unwrap();
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
