//! Identifiers and counters as separate types, so that a uid is never passed for a netuid.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Excerpt;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {expected}")]
pub struct ParseIdError {
    /// The text.
    pub text: Excerpt,
    /// The expected form.
    pub expected: &'static str,
}

impl ParseIdError {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.into(), expected }
    }
}

/// Defines a 32-byte identifier: hexadecimal for people and JSON, a byte string in CBOR.
macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name(
            #[cfg_attr(feature = "schema", schemars(with = "String", regex(pattern = "^[0-9a-f]{64}$")))] [u8; 32],
        );

        impl $name {
            /// Wraps 32 raw bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 raw bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                data_encoding::HEXLOWER
                    .decode(text.as_bytes())
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or_else(|| $crate::ParseIdError::new(text, "64 lower-case hexadecimal digits"))
            }
        }

        $crate::id::serde_bytes32!($name);
    };
}

/// Serde for a type with `Display`, `FromStr`, `as_bytes` and `from_bytes`: text in human-readable
/// formats, a byte string elsewhere.
macro_rules! serde_bytes32 {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(self.as_bytes())
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    let bytes: serde_bytes::ByteArray<32> = serde::Deserialize::deserialize(deserializer)?;
                    Ok(Self::from_bytes(bytes.into_array()))
                }
            }
        }
    };
}

pub(crate) use {bytes32, serde_bytes32};

bytes32! {
    /// The id of a mesh: the hash of its canonical mesh spec. Part of every signature.
    MeshId
}

impl MeshId {
    /// The first eight digits, for protocol names, directories and logs.
    pub fn short(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.as_bytes()[..4])
    }
}

/// Defines an integer identifier that prints as its number.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.parse().map(Self).map_err(|_| ParseIdError::new(text, concat!("a whole number (", stringify!($inner), ")")))
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

number! {
    /// The number of a subnet.
    Netuid(u16)
}

number! {
    /// The number of a slot in a subnet. A slot outlives its holders: scores belong to the holder's
    /// [`NodeId`](crate::NodeId) and registration, never to a uid.
    Uid(u16)
}

number! {
    /// The number of a block, counted from 0 (genesis).
    BlockHeight(u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;

    #[test]
    fn mesh_id_round_trips_as_text_json_and_cbor() {
        let id = MeshId::from_bytes([0xab; 32]);
        assert_eq!(id.to_string().parse::<MeshId>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<MeshId>(&json).unwrap(), id);
        let bytes = cbor::encode(&id).unwrap();
        assert_eq!(bytes[..2], [0x58, 32], "a CBOR byte string of 32 bytes");
        assert_eq!(cbor::decode::<MeshId>(&bytes, cbor::Limits::new(64)).unwrap(), id);
    }

    #[test]
    fn refuses_invalid_text_and_cuts_it() {
        let error = "x".repeat(500).parse::<MeshId>().unwrap_err();
        assert_eq!(error.text.raw().len(), Excerpt::MAX_BYTES);
        assert!("-1".parse::<Netuid>().is_err());
        assert!("65536".parse::<Uid>().is_err());
    }
}
