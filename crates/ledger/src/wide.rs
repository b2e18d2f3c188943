//! 128 bits as two integers: the encoding has none larger than 64 bits. For `#[serde(with = "crate::wide")]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(value: &u128, to: S) -> Result<S::Ok, S::Error> {
    ((value >> 64) as u64, *value as u64).serialize(to)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
    let (high, low) = <(u64, u64)>::deserialize(from)?;
    Ok(u128::from(high) << 64 | u128::from(low))
}
