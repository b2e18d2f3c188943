//! Bytes to text, piece by piece: a byte model may stop inside a character, or emit none at all.
//!
//! A sequence that could still become a character is held back (3 bytes at most); one that cannot becomes
//! U+FFFD, exactly as [`String::from_utf8_lossy`] would on the whole.

/// Decoder of one stream.
#[derive(Debug, Default)]
pub(crate) struct Utf8Pieces {
    held: Vec<u8>,
}

impl Utf8Pieces {
    /// The text that is certain after `bytes`; may be empty.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let mut text = String::new();
        let mut done = 0;
        loop {
            match std::str::from_utf8(&self.held[done..]) {
                Ok(valid) => {
                    text.push_str(valid);
                    done = self.held.len();
                    break;
                }
                Err(error) => {
                    let valid = done + error.valid_up_to();
                    text.push_str(&String::from_utf8_lossy(&self.held[done..valid]));
                    let Some(wrong) = error.error_len() else {
                        done = valid;
                        break;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    done = valid + wrong;
                }
            }
        }
        self.held.drain(..done);
        text
    }

    /// What is left at the end: nothing, or a replacement for a character that never came to its end.
    pub(crate) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_cut_gives_what_the_whole_gives(
            bytes in prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)],
            size in 1usize..5,
        ) {
            let mut pieces = Utf8Pieces::default();
            let mut text = String::new();
            for chunk in bytes.chunks(size) {
                text += &pieces.push(chunk);
                prop_assert!(pieces.held.len() <= 3);
            }
            text += &pieces.finish();
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn an_incomplete_character_waits() {
        let mut pieces = Utf8Pieces::default();
        assert_eq!(pieces.push(b"a\xC3"), "a");
        assert_eq!(pieces.push(b"\xA9!"), "é!");
    }
}
