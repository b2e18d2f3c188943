//! Canonical CBOR: one encoding for one value, bounded before it is decoded.
//!
//! The format is DAG-CBOR without tags: definite lengths, shortest integers, map keys sorted by
//! length and then bytes, 64-bit floats. [`decode`] first scans the bytes ([`scan`]) without
//! allocating; only bytes that pass reach serde.
//!
//! What a hostile sender can do: send up to [`Limits::max_len`] bytes and make us scan them once.
//! It cannot make the decoder recurse past [`MAX_DEPTH`], or announce more elements than there are
//! bytes left to hold them.

mod scan;

pub use scan::{MAX_DEPTH, scan};
use serde::{Serialize, de::DeserializeOwned};

use crate::UntrustedText;

/// Longest reason of a decoder, in bytes: it quotes the names of fields and variants that the sender chose.
const MAX_REASON_BYTES: usize = 200;

/// The limits of a decoder.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    max_len: usize,
}

impl Limits {
    /// At most `max_len` bytes of input.
    pub const fn new(max_len: usize) -> Self {
        Self { max_len }
    }

    /// The largest accepted input, in bytes.
    pub const fn max_len(self) -> usize {
        self.max_len
    }
}

/// Why a value was not encoded or decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CborError {
    /// More bytes than the limit.
    #[error("{actual} bytes are more than the {limit} allowed here")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
        /// The size of the input in bytes.
        actual: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels at byte {at}")]
    TooDeep {
        /// Offset of the value that went too deep.
        at: usize,
    },
    /// Ends in the middle of a value, or announces more elements than there are bytes.
    #[error("ends before the value does (at byte {at})")]
    Truncated {
        /// Offset of the value that does not fit.
        at: usize,
    },
    /// Not the canonical encoding.
    #[error("not canonical at byte {at}: {what}")]
    NotCanonical {
        /// Offset of the offending header.
        at: usize,
        /// The violated rule.
        what: &'static str,
    },
    /// Canonical CBOR, but not of the expected type.
    #[error("not the expected structure: {0}")]
    Structure(UntrustedText<MAX_REASON_BYTES>),
    /// A value that has no canonical encoding.
    #[error("cannot be encoded: {0}")]
    Encode(String),
}

/// The canonical bytes of `value`.
///
/// # Errors
/// [`CborError::Encode`] when `value` has no canonical form (for instance a NaN).
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CborError> {
    serde_ipld_dagcbor::to_vec(value).map_err(|error| CborError::Encode(error.to_string()))
}

/// Decodes exactly one canonical value.
///
/// # Errors
/// When the bytes are not one canonical value of the type; see [`CborError`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limits: Limits) -> Result<T, CborError> {
    if bytes.len() > limits.max_len {
        return Err(CborError::TooLarge { limit: limits.max_len, actual: bytes.len() });
    }
    scan(bytes)?;
    serde_ipld_dagcbor::from_slice(bytes).map_err(|error| CborError::Structure(UntrustedText::new(error)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        id: u64,
        name: String,
        #[serde(with = "serde_bytes")]
        data: Vec<u8>,
        more: BTreeMap<String, i64>,
    }

    const LIMITS: Limits = Limits::new(4096);

    #[test]
    fn refuses_non_canonical_encodings() {
        let cases: [(&str, &[u8]); 10] = [
            ("one in two bytes", &[0x18, 1]),
            ("255 in three bytes", &[0x19, 0, 255]),
            ("indefinite bytes", &[0x5f, 0x41, 1, 0xff]),
            ("indefinite text", &[0x7f, 0x61, b'a', 0xff]),
            ("indefinite array", &[0x9f, 1, 0xff]),
            ("indefinite map", &[0xbf, 0xff]),
            ("a tag", &[0xc1, 1]),
            ("a half float", &[0xf9, 0x3c, 0]),
            ("undefined", &[0xf7]),
            ("a reserved length", &[0x1c]),
        ];
        for (name, bytes) in cases {
            assert!(matches!(scan(bytes), Err(CborError::NotCanonical { .. })), "{name}");
        }
        assert!(matches!(scan(&[1, 1]), Err(CborError::NotCanonical { .. })), "trailing byte");
        assert!(
            decode::<BTreeMap<String, u8>>(&[0xa2, 0x61, b'b', 1, 0x61, b'a', 1], LIMITS).is_err(),
            "unsorted"
        );
        assert!(
            decode::<BTreeMap<String, u8>>(&[0xa2, 0x61, b'a', 1, 0x61, b'a', 1], LIMITS).is_err(),
            "twice"
        );
    }

    #[test]
    fn refuses_announced_lengths_beyond_the_input_before_allocating() {
        assert!(matches!(scan(&[0x9b, 0, 0, 0, 1, 0, 0, 0, 0]), Err(CborError::Truncated { .. })));
        assert!(matches!(scan(&[0x5a, 0xff, 0xff, 0xff, 0xff]), Err(CborError::Truncated { .. })));
        assert!(matches!(
            scan(&[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Err(CborError::Truncated { .. })
        ));
        assert!(matches!(scan(&[]), Err(CborError::Truncated { .. })));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| [vec![0x81; depth], vec![0]].concat();
        assert_eq!(scan(&nested(MAX_DEPTH)), Ok(()));
        assert!(matches!(scan(&nested(MAX_DEPTH + 1)), Err(CborError::TooDeep { .. })));
        assert!(matches!(scan(&nested(100_000)), Err(CborError::TooDeep { .. })));
    }

    proptest! {
        #[test]
        fn values_round_trip(id: u64, name in ".{0,20}", data: Vec<u8>, more: BTreeMap<String, i64>) {
            let value = Sample { id, name, data, more };
            let bytes = encode(&value).unwrap();
            prop_assert_eq!(decode::<Sample>(&bytes, Limits::new(1 << 20)).unwrap(), value);
        }

        #[test]
        fn decoded_values_encode_to_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = decode::<BTreeMap<String, u64>>(&bytes, LIMITS) {
                prop_assert_eq!(encode(&value).unwrap(), bytes);
            }
        }

        #[test]
        fn mutated_values_decode_to_themselves_or_not_at_all(id: u64, at: usize, to: u8) {
            let value = Sample { id, name: "n".into(), data: vec![1, 2], more: BTreeMap::from([("k".into(), -3)]) };
            let mut bytes = encode(&value).unwrap();
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(value) = decode::<Sample>(&bytes, LIMITS) {
                prop_assert_eq!(encode(&value).unwrap(), bytes);
            }
        }
    }
}
