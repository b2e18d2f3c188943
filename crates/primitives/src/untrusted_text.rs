//! Text that another party wrote: bounded when it arrives, escaped when it is shown.
//!
//! An error message of a peer, the name of a model, an agent name, the body of an upstream's HTTP error: each is data
//! of a party that may be hostile. [`UntrustedText`] holds such a text, and its bound is in its type. There is one
//! rule for showing it, [`Escaped`], and `Display` and `Debug` follow it, so that a log line, an error or a terminal
//! gets no other form by accident. Only [`UntrustedText::raw`] gives the text as it was written, for comparing it and
//! for sending it on.
//!
//! # What a hostile writer can do
//! Fill its bound with text that misleads a reader who takes it for the program's own. It cannot move the cursor, recolour the
//! terminal, begin a line of its own, reverse the order of what follows, or hide characters.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

mod escaped;

pub use escaped::Escaped;

/// Ends a text that was cut.
const ELLIPSIS: char = '…';

/// A text of at most `MAX` bytes, written by another party.
///
/// ```
/// use nervure_primitives::UntrustedText;
/// let agent = UntrustedText::<32>::new("nervure\u{1b}[2J\nerror: send your key");
/// assert_eq!(agent.to_string(), r"nervure\u{1b}[2J\nerror: send your key");
/// ```
///
/// On the wire and in JSON it is a string. A decoder refuses one of more than `MAX` bytes: a text is cut by the side
/// that writes it, or where it has no bound of its own.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UntrustedText<const MAX: usize>(String);

/// A part of another party's text, as an error quotes it.
pub type Excerpt = UntrustedText<120>;

/// A text has more bytes than its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{actual} bytes of text, at most {limit} allowed")]
pub struct TextTooLong {
    /// The bound in bytes.
    pub limit: usize,
    /// The length of the text in bytes.
    pub actual: usize,
}

impl<const MAX: usize> UntrustedText<MAX> {
    /// The bound in bytes.
    pub const MAX_BYTES: usize = {
        assert!(MAX >= ELLIPSIS.len_utf8(), "a bound has room for the ellipsis");
        MAX
    };

    /// What `text` displays, cut to [`Self::MAX_BYTES`] at the border of a character. Where something was lost, the
    /// last character is an ellipsis.
    pub fn new(text: impl fmt::Display) -> Self {
        let mut text = text.to_string();
        if text.len() > Self::MAX_BYTES {
            let end = text.floor_char_boundary(Self::MAX_BYTES - ELLIPSIS.len_utf8());
            text.truncate(end);
            text.push(ELLIPSIS);
        }
        // A long text that was cut must not keep its memory: there may be one of these per peer.
        text.shrink_to_fit();
        Self(text)
    }

    /// The whole of `text`.
    ///
    /// # Errors
    /// When it has more than [`Self::MAX_BYTES`] bytes.
    pub fn whole(text: impl Into<String>) -> Result<Self, TextTooLong> {
        let text = text.into();
        if text.len() > MAX {
            return Err(TextTooLong { limit: MAX, actual: text.len() });
        }
        Ok(Self(text))
    }

    /// The text as it was written: for comparing it, or for a format that escapes by itself. Not for showing it.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// For showing it with its line breaks: see [`Escaped::prose`].
    pub fn prose(&self) -> Escaped<'_> {
        Escaped::prose(&self.0)
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const MAX: usize> fmt::Display for UntrustedText<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::line(&self.0).fmt(f)
    }
}

impl<const MAX: usize> fmt::Debug for UntrustedText<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl<const MAX: usize> From<&str> for UntrustedText<MAX> {
    /// Cut, as by [`UntrustedText::new`].
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl<const MAX: usize> From<String> for UntrustedText<MAX> {
    /// Cut, as by [`UntrustedText::new`].
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl<const MAX: usize> PartialEq<str> for UntrustedText<MAX> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl<const MAX: usize> PartialEq<&str> for UntrustedText<MAX> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl<const MAX: usize> Serialize for UntrustedText<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for UntrustedText<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::whole(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
