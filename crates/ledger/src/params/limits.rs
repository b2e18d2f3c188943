//! What a parameter may be.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// The longest tempo, in blocks: 7 days of a public mesh.
pub(crate) const MAX_TEMPO: u64 = 50_400;

/// A parameter outside of what it may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{place} = {given}: it has to be {}", allowed(*.least, *.most))]
pub struct OutOfRange {
    /// Which parameter.
    pub place: String,
    /// The least that it may be.
    pub least: u64,
    /// The most that it may be.
    pub most: u64,
    /// What it was to be.
    pub given: u64,
}

impl OutOfRange {
    /// The same, of a parameter in `section`.
    pub(crate) fn below(self, section: &str) -> Self {
        Self { place: format!("{section}.{}", self.place), ..self }
    }
}

fn allowed(least: u64, most: u64) -> String {
    match most {
        u64::MAX => format!("at least {least}"),
        _ => format!("{least} to {most}"),
    }
}

/// Refuses a parameter outside of a range.
pub(crate) fn within(place: &str, given: u64, range: RangeInclusive<u64>) -> Result<(), OutOfRange> {
    let (least, most) = (*range.start(), *range.end());
    match range.contains(&given) {
        true => Ok(()),
        false => Err(OutOfRange { place: place.to_owned(), least, most, given }),
    }
}
