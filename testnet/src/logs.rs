//! A node's log: its last lines, and what comes after them.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// How much of a log's end is read for its last lines.
const MAX_TAIL_BYTES: u64 = 1024 * 1024;

/// The end of a log, and where in the file it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The lines, each with its line feed.
    pub text: String,
    /// Offset in the file up to which it was read, in bytes.
    pub end: u64,
}

/// The last `lines` lines of the file at `path`, as far as they fit into its last mebibyte.
///
/// # Errors
/// When the file cannot be read.
pub fn tail(path: &Path, lines: usize) -> io::Result<Tail> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(MAX_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let end = len.saturating_sub(MAX_TAIL_BYTES) + read as u64;
    Ok(Tail { text: last_lines(&text, lines).to_owned(), end })
}

/// What was written to the file at `path` after the offset `from`, and up to where. A file that became
/// shorter was replaced and is read from its start.
///
/// # Errors
/// When the file cannot be read.
pub fn since(path: &Path, from: u64) -> io::Result<Tail> {
    let mut file = File::open(path)?;
    let from = if file.metadata()?.len() < from { 0 } else { from };
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(Tail { text: String::from_utf8_lossy(&bytes).into_owned(), end: from + read as u64 })
}

/// The last `lines` lines for an error message, or why they cannot be read.
pub(crate) fn for_error(path: &Path, lines: usize) -> String {
    match tail(path, lines) {
        Ok(tail) if tail.text.is_empty() => "(the log is empty)".into(),
        Ok(tail) => tail.text,
        Err(error) => format!("(the log cannot be read: {error})"),
    }
}

fn last_lines(text: &str, lines: usize) -> &str {
    if lines == 0 {
        return "";
    }
    let body = text.strip_suffix('\n').unwrap_or(text);
    let start = body.rmatch_indices('\n').nth(lines - 1).map_or(0, |(at, _)| at + 1);
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_last_lines_with_and_without_a_final_line_feed() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(last_lines("a\nb\nc", 2), "b\nc");
        assert_eq!(last_lines("a\n", 5), "a\n");
        assert_eq!(last_lines("a\nb", 0), "");
        assert_eq!(last_lines("", 3), "");
        assert_eq!(last_lines("a\n\n", 1), "\n");
    }

    #[test]
    fn follows_each_byte_once_and_survives_a_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let first = tail(&path, 1).unwrap();
        assert_eq!(first, Tail { text: "two\n".into(), end: 8 });
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        let more = since(&path, first.end).unwrap();
        assert_eq!(more.text, "three\n");
        assert_eq!(since(&path, more.end).unwrap().text, "");
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(since(&path, more.end).unwrap().text, "new\n");
    }

    #[test]
    fn reads_at_most_a_mebibyte_of_a_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "x".repeat(3 * MAX_TAIL_BYTES as usize)).unwrap();
        let tail = tail(&path, 1).unwrap();
        assert_eq!((tail.text.len() as u64, tail.end), (MAX_TAIL_BYTES, 3 * MAX_TAIL_BYTES));
    }
}
