//! Capabilities: what an expert can do, as a dotted path from general to special.
//!
//! `text.generate` *covers* `text.generate.rust`: a query for the general capability finds experts for
//! the special one, but not the converse: a query for Rust does not find an expert for
//! `text.generate`. Paths are lower-case ASCII, so that a capability has one spelling.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Excerpt;

/// Upper bound for a capability in bytes. Bounds DHT keys, index entries and frames.
pub const MAX_CAPABILITY_LEN: usize = 64;

/// Upper bound for the segments of a capability. Bounds the prefixes that a record is indexed under.
pub const MAX_CAPABILITY_SEGMENTS: usize = 6;

/// A dotted path such as `text.generate.rust`.
///
/// Invariant: 1 to 6 segments of `[a-z][a-z0-9-]*`, 64 bytes at most in all.
///
/// ```
/// use nervure_primitives::Capability;
///
/// let (text, rust): (Capability, Capability) = ("text.generate".parse()?, "text.generate.rust".parse()?);
/// assert!(text.covers(&rust) && !rust.covers(&text));
/// // Whole segments count.
/// assert!(!"text.gen".parse::<Capability>()?.covers(&text));
/// # Ok::<(), nervure_primitives::CapabilityError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Capability(Box<str>);

/// Why a text is not a [`Capability`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CapabilityError {
    /// Longer than [`MAX_CAPABILITY_LEN`] bytes.
    #[error("a capability has at most {MAX_CAPABILITY_LEN} bytes, this one has {0}")]
    TooLong(usize),
    /// More than [`MAX_CAPABILITY_SEGMENTS`] segments.
    #[error("a capability has at most {MAX_CAPABILITY_SEGMENTS} segments, this one has {0}")]
    TooDeep(usize),
    /// A segment that is empty or has an invalid character.
    #[error(
        "'{0}' is not a valid capability: write lower-case words joined by dots, such as text.generate.rust"
    )]
    BadSegment(Excerpt),
}

impl Capability {
    /// Parses `text`.
    ///
    /// # Errors
    /// When it is too long, too deep, or has an invalid segment.
    pub fn new(text: &str) -> Result<Self, CapabilityError> {
        if text.len() > MAX_CAPABILITY_LEN {
            return Err(CapabilityError::TooLong(text.len()));
        }
        let segments = text.split('.').count();
        if segments > MAX_CAPABILITY_SEGMENTS {
            return Err(CapabilityError::TooDeep(segments));
        }
        if !text.split('.').all(is_segment) {
            return Err(CapabilityError::BadSegment(text.into()));
        }
        Ok(Self(text.into()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an expert with capability `other` matches a query for `self`: `other` is `self` or
    /// below it.
    pub fn covers(&self, other: &Self) -> bool {
        match other.0.strip_prefix(&*self.0) {
            // A dot has to follow, or `text.gen` would cover `text.generate`.
            Some(rest) => rest.is_empty() || rest.starts_with('.'),
            None => false,
        }
    }

    /// Number of segments, from 1 to [`MAX_CAPABILITY_SEGMENTS`].
    pub fn depth(&self) -> usize {
        self.0.split('.').count()
    }

    /// Every capability that covers this one, from the most general to itself:
    /// `text`, `text.generate`, `text.generate.rust`.
    pub fn prefixes(&self) -> impl Iterator<Item = Self> + '_ {
        let ends = self.0.match_indices('.').map(|(at, _)| at);
        ends.chain([self.0.len()]).map(|end| Self(self.0[..end].into()))
    }
}

/// Whether `text` is `[a-z][a-z0-9-]*`.
fn is_segment(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Capability {
    type Err = CapabilityError;

    fn from_str(text: &str) -> Result<Self, CapabilityError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Capability {
    type Error = CapabilityError;

    fn try_from(text: String) -> Result<Self, CapabilityError> {
        Self::new(&text)
    }
}

impl From<Capability> for String {
    fn from(capability: Capability) -> Self {
        capability.0.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cap(text: &str) -> Capability {
        Capability::new(text).unwrap()
    }

    #[test]
    fn general_covers_special_and_not_the_other_way() {
        assert!(cap("text.generate").covers(&cap("text.generate.rust")));
        assert!(cap("text.generate").covers(&cap("text.generate")));
        assert!(!cap("text.generate.rust").covers(&cap("text.generate")));
        assert!(
            !cap("text.gen").covers(&cap("text.generate")),
            "a prefix of letters is not a prefix of segments"
        );
    }

    #[test]
    fn refuses_other_spellings() {
        for bad in ["", ".", "text.", ".text", "Text", "text..generate", "text.1", "tëxt", "a b"] {
            assert!(matches!(Capability::new(bad), Err(CapabilityError::BadSegment(_))), "{bad}");
        }
        assert_eq!(Capability::new("a.b.c.d.e.f.g"), Err(CapabilityError::TooDeep(7)));
        assert_eq!(Capability::new(&"a".repeat(65)), Err(CapabilityError::TooLong(65)));
    }

    proptest! {
        #[test]
        fn a_capability_is_covered_by_exactly_its_prefixes(
            a in "[a-b]{1,2}(\\.[a-b]{1,2}){0,3}", b in "[a-b]{1,2}(\\.[a-b]{1,2}){0,3}"
        ) {
            let (a, b) = (cap(&a), cap(&b));
            prop_assert_eq!(a.covers(&b), b.prefixes().any(|p| p == a));
            prop_assert_eq!(a.prefixes().count(), a.depth());
        }
    }
}
