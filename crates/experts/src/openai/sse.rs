//! Server-sent events, as far as the OpenAI API uses them: lines that begin with `data:`.
//!
//! Source: the HTML standard, "Server-sent events", 9.2.5. An event of the API is one line, so lines are what is given out.

use bytes::{Buf, BytesMut};

/// Splits a stream of bytes into the payloads of `data:` lines, none longer than a bound.
#[derive(Debug)]
pub(super) struct Lines {
    buffer: BytesMut,
    most: usize,
    /// How much of the buffer is known to have no line end.
    searched: usize,
}

/// A line is longer than may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

impl Lines {
    pub(super) fn new(most: usize) -> Self {
        Self { buffer: BytesMut::new(), most, searched: 0 }
    }

    /// Adds what came.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next payload; `None` until more has come.
    pub(super) fn next(&mut self) -> Result<Option<BytesMut>, TooLong> {
        loop {
            let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = self.buffer.len();
                return if self.buffer.len() > self.most { Err(TooLong) } else { Ok(None) };
            };
            let end = self.searched + end;
            self.searched = 0;
            let mut line = self.buffer.split_to(end);
            self.buffer.advance(1);
            if line.len() > self.most {
                return Err(TooLong);
            }
            if line.last() == Some(&b'\r') {
                line.truncate(line.len() - 1);
            }
            if let Some(payload) = line.strip_prefix(b"data:") {
                let blank = usize::from(payload.first() == Some(&b' '));
                line.advance(b"data:".len() + blank);
                return Ok(Some(line));
            }
            // Comments, empty lines, and fields that the API does not use.
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::new(64);
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
    fn payloads_come_whole_whatever_the_pieces() {
        assert_eq!(
            all(&[b": hi\ndata: a\n\nda", b"ta:b\r\n\r\nevent: x\ndata: [DONE]\n"]),
            ["a", "b", "[DONE]"]
        );
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let mut lines = Lines::new(8);
        lines.push(b"data: 12");
        assert_eq!(lines.next(), Ok(None));
        lines.push(b"3");
        assert_eq!(lines.next(), Err(TooLong));
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_changes_nothing(text in "(data: [a-c]{0,5}\r?\n|:x\n|\n){0,8}", cut in 0usize..60) {
            let bytes = text.as_bytes();
            let (one, two) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(all(&[one, two]), all(&[bytes]));
        }
    }
}
