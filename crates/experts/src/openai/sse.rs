//! Server-sent events in the subset that the OpenAI API uses: lines that begin with `data:`.
//!
//! Source: the HTML standard, "Server-sent events", 9.2.5: lines end with CR, LF or both, and one byte order mark at the
//! beginning is ignored. An event of the API is nearly always one line, and servers are sloppy about the empty line after
//! it, so the reader returns lines; who decodes them puts those of one event together.

use bytes::{Buf, BytesMut};

/// Splits a stream of bytes into the payloads of `data:` lines; the length of a line is bounded.
#[derive(Debug)]
pub(super) struct SseLines {
    buffer: BytesMut,
    max_line_bytes: usize,
    /// Bytes at the start of the buffer that are known to have no line end.
    searched: usize,
    /// Whether nothing was read yet: a byte order mark may come.
    at_start: bool,
    /// Whether the last line ended with CR: a LF that comes next belongs to it.
    after_cr: bool,
}

/// The byte order mark in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line is longer than the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineTooLong;

impl SseLines {
    pub(super) fn new(max_line_bytes: usize) -> Self {
        Self { buffer: BytesMut::new(), max_line_bytes, searched: 0, at_start: true, after_cr: false }
    }

    /// Adds received bytes.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next payload; `None` until more bytes arrive.
    pub(super) fn next(&mut self) -> Result<Option<BytesMut>, LineTooLong> {
        loop {
            self.skip_marks();
            let ends_line = |byte: &u8| matches!(byte, b'\n' | b'\r');
            let Some(end) = self.buffer[self.searched..].iter().position(ends_line) else {
                // Without this, a long line that arrives byte by byte would be searched from its start each
                // time.
                self.searched = self.buffer.len();
                return if self.buffer.len() > self.max_line_bytes { Err(LineTooLong) } else { Ok(None) };
            };
            let end = self.searched + end;
            self.searched = 0;
            let mut line = self.buffer.split_to(end);
            self.at_start = false;
            self.after_cr = self.buffer.first() == Some(&b'\r');
            self.buffer.advance(1);
            if line.len() > self.max_line_bytes {
                return Err(LineTooLong);
            }
            if let Some(payload) = line.strip_prefix(b"data:") {
                let blank = usize::from(payload.first() == Some(&b' '));
                line.advance(b"data:".len() + blank);
                return Ok(Some(line));
            }
            // Skipped: comments, empty lines, and fields that the API does not use.
        }
    }

    /// Skips the LF of a CR LF that may have come in two pieces, and a byte order mark at the beginning.
    fn skip_marks(&mut self) {
        if self.after_cr && !self.buffer.is_empty() {
            self.after_cr = false;
            if self.buffer.first() == Some(&b'\n') {
                self.buffer.advance(1);
            }
        }
        // A part of a mark has no line end, so that no line is cut off before the whole of it is there.
        if self.at_start && self.buffer.len() >= BYTE_ORDER_MARK.len() {
            self.at_start = false;
            if self.buffer.starts_with(BYTE_ORDER_MARK) {
                self.buffer.advance(BYTE_ORDER_MARK.len());
                self.searched = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = SseLines::new(64);
        let mut found = Vec::new();
        for piece in pieces {
            lines.push(piece);
            while let Some(line) = lines.next().unwrap() {
                found.push(String::from_utf8(line.to_vec()).unwrap());
            }
        }
        found
    }

    #[test]
    fn payloads_do_not_depend_on_the_pieces() {
        assert_eq!(
            all(&[b": hi\ndata: a\n\nda", b"ta:b\r\n\r\nevent: x\ndata: [DONE]\n"]),
            ["a", "b", "[DONE]"]
        );
    }

    #[test]
    fn lines_end_in_three_ways_and_a_byte_order_mark_is_no_text() {
        let lines = ["a", "b", "c"];
        assert_eq!(all(&[b"data: a\rdata: b\r\ndata: c\n"]), lines);
        assert_eq!(all(&[b"data: a\r", b"\ndata: b\r", b"data: c\n"]), lines);
        assert_eq!(all(&[b"\xef\xbb\xbfdata: a\n"]), ["a"]);
        assert_eq!(all(&[b"\xef", b"\xbb", b"\xbfda", b"ta: a\n"]), ["a"]);
        assert_eq!(all(&[b"data: a\n\xef\xbb\xbfdata: b\n"]), ["a"], "only at the beginning");
    }

    #[test]
    fn refuses_a_line_that_is_too_long() {
        let mut lines = SseLines::new(8);
        lines.push(b"data: 12");
        assert_eq!(lines.next(), Ok(None));
        lines.push(b"3");
        assert_eq!(lines.next(), Err(LineTooLong));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_payloads(text in "(data: [a-c]{0,5}(\r\n|\n|\r)|:x\n|\n){0,8}", cut in 0usize..60) {
            let bytes = text.as_bytes();
            let (one, two) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(all(&[one, two]), all(&[bytes]));
        }
    }
}
