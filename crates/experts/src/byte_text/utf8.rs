//! Decodes a stream of bytes to text, piece by piece: a byte model may stop inside a character or write invalid UTF-8.
//!
//! A sequence that could still become a character is held back (3 bytes at most). An invalid one becomes U+FFFD, exactly
//! as [`String::from_utf8_lossy`] does it for the whole text.

/// Decoder of one stream.
#[derive(Debug, Default)]
pub(super) struct Utf8Decoder {
    held: Vec<u8>,
}

impl Utf8Decoder {
    /// The text that is complete after `bytes`; may be empty.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
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
                    // No length: the sequence is incomplete and may become a character with the next bytes.
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

    /// The rest at the end: empty, or U+FFFD for an incomplete character.
    pub(super) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_split_decodes_like_the_whole(
            bytes in prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)],
            size in 1usize..5,
        ) {
            let mut decoder = Utf8Decoder::default();
            let mut text = String::new();
            for chunk in bytes.chunks(size) {
                text += &decoder.push(chunk);
                prop_assert!(decoder.held.len() <= 3);
            }
            text += &decoder.finish();
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn holds_back_an_incomplete_character() {
        let mut decoder = Utf8Decoder::default();
        assert_eq!(decoder.push(b"a\xC3"), "a");
        assert_eq!(decoder.push(b"\xA9!"), "é!");
    }
}
