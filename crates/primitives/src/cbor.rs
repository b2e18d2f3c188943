//! Canonical CBOR: one encoding for one value, bounded before it is decoded.
//!
//! The format is DAG-CBOR without tags: definite lengths, shortest integers, map keys sorted by
//! length and then bytes, 64-bit floats. [`decode`] first walks the bytes ([`scan`]) without
//! allocating, and only what passes reaches serde.
//!
//! What a hostile sender can do: send up to [`Limits::max_len`] bytes and make us walk them once.
//! It cannot make the decoder recurse past [`MAX_DEPTH`], or announce more elements than there are
//! bytes left to hold them.

mod scan;

pub use scan::{MAX_DEPTH, scan};
use serde::{Serialize, de::DeserializeOwned};

/// How much to accept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    max_len: usize,
}

impl Limits {
    /// At most `max_len` bytes of input.
    pub const fn new(max_len: usize) -> Self {
        Self { max_len }
    }

    /// Most bytes of input.
    pub const fn max_len(self) -> usize {
        self.max_len
    }
}

/// Why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CborError {
    /// More bytes than the limit.
    #[error("{actual} bytes are more than the {limit} allowed here")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
        /// What was given, in bytes.
        actual: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels at byte {at}")]
    TooDeep {
        /// Offset of the value that went too deep.
        at: usize,
    },
    /// Ends in the middle of a value, or announces more than is there.
    #[error("ends before the value does (at byte {at})")]
    Truncated {
        /// Offset of the value that does not fit.
        at: usize,
    },
    /// Well-formed perhaps, but not the one canonical encoding.
    #[error("not canonical at byte {at}: {what}")]
    NotCanonical {
        /// Offset of the offending header.
        at: usize,
        /// Which rule it breaks.
        what: &'static str,
    },
    /// Canonical CBOR, but not of the expected type.
    #[error("not the expected structure: {0}")]
    Structure(String),
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
/// Anything else is refused; see [`CborError`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limits: Limits) -> Result<T, CborError> {
    if bytes.len() > limits.max_len {
        return Err(CborError::TooLarge { limit: limits.max_len, actual: bytes.len() });
    }
    scan(bytes)?;
    serde_ipld_dagcbor::from_slice(bytes).map_err(|error| CborError::Structure(error.to_string()))
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
    fn refuses_every_other_spelling() {
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
    fn a_length_that_is_not_there_is_refused_before_allocating() {
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
        fn what_decodes_is_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
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
