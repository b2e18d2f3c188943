//! API keys: only their SHA-256 is kept, and they are compared in constant time.
//!
//! A fast hash is enough because a key is not a password: [`MIN_SECRET_BYTES`] characters or more, meant to be random.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// Shortest key, in bytes.
pub const MIN_SECRET_BYTES: usize = 16;

/// Longest key, in bytes; bounds the work of hashing for an untrusted client.
const MAX_SECRET_BYTES: usize = 512;

/// Prefix of a key's digest, for config files that must not hold the key itself.
const DIGEST_PREFIX: &str = "sha256:";

/// An API key, as its SHA-256.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey([u8; 32]);

/// Why a text is not a valid [`ApiKey`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// Outside the bounds on length.
    #[error(
        "an API key has {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} characters, this one has {0}; generate one: openssl rand -hex 24"
    )]
    Length(usize),
    /// A character that cannot stand in a header.
    #[error("an API key is printable ASCII without spaces; generate one: openssl rand -hex 24")]
    Characters,
    /// `sha256:` without 64 hexadecimal digits behind it.
    #[error(
        "after '{DIGEST_PREFIX}' come the 64 hexadecimal digits of the key's SHA-256: printf %s KEY | sha256sum"
    )]
    Digest,
}

impl ApiKey {
    /// Parses a key as a setting has it: the key itself, or `sha256:` and its digest.
    pub fn parse(text: &str) -> Result<Self, ApiKeyError> {
        let Some(digest) = text.strip_prefix(DIGEST_PREFIX) else { return Self::from_secret(text) };
        let bytes = HEXLOWER_PERMISSIVE.decode(digest.as_bytes()).map_err(|_| ApiKeyError::Digest)?;
        bytes.try_into().map(Self).map_err(|_| ApiKeyError::Digest)
    }

    /// The key with this secret.
    pub fn from_secret(secret: &str) -> Result<Self, ApiKeyError> {
        if !(MIN_SECRET_BYTES..=MAX_SECRET_BYTES).contains(&secret.len()) {
            return Err(ApiKeyError::Length(secret.len()));
        }
        if !secret.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ApiKeyError::Characters);
        }
        Ok(Self(Sha256::digest(secret).into()))
    }

    /// The key as a config file may hold it: `sha256:` and its digest.
    pub(super) fn digest(&self) -> String {
        format!("{DIGEST_PREFIX}{}", data_encoding::HEXLOWER.encode(&self.0))
    }

    /// Which of `keys` has the secret `shown`. Compares with each of them, so that the time does not tell which.
    pub fn which_opens(keys: &[Self], shown: &[u8]) -> Option<usize> {
        // No key is that long, so that the time of this answer tells nothing about the keys.
        if shown.len() > MAX_SECRET_BYTES {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(shown).into();
        let (mut found, mut which) = (Choice::from(0), 0u64);
        for (number, key) in (0..).zip(keys) {
            let equal = key.0.ct_eq(&digest);
            which.conditional_assign(&number, equal);
            found |= equal;
        }
        bool::from(found).then(|| usize::try_from(which).unwrap_or(usize::MAX))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_its_secret_only_and_never_prints_it() {
        let keys = ["correct-horse-battery", "another-key-of-mine"].map(|s| ApiKey::from_secret(s).unwrap());
        assert_eq!(ApiKey::which_opens(&keys, b"correct-horse-battery"), Some(0));
        assert_eq!(ApiKey::which_opens(&keys, b"another-key-of-mine"), Some(1));
        for wrong in ["", "correct-horse-batterz", "correct-horse-battery ", &"x".repeat(9999)] {
            assert_eq!(ApiKey::which_opens(&keys, wrong.as_bytes()), None);
        }
        assert_eq!(ApiKey::which_opens(&[], b""), None);
        assert_eq!(format!("{keys:?}"), "[ApiKey(..), ApiKey(..)]");
    }

    #[test]
    fn accepts_a_digest_for_its_secret() {
        // printf %s correct-horse-battery | sha256sum
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest("correct-horse-battery"));
        let key = ApiKey::parse(&format!("sha256:{digest}")).unwrap();
        assert_eq!(ApiKey::which_opens(&[key], b"correct-horse-battery"), Some(0));
        assert_eq!(ApiKey::parse("sha256:abcd"), Err(ApiKeyError::Digest));
    }

    #[test]
    fn rejects_short_and_unprintable_keys() {
        assert_eq!(ApiKey::parse("short"), Err(ApiKeyError::Length(5)));
        assert_eq!(ApiKey::parse("a key with blanks in it"), Err(ApiKeyError::Characters));
    }
}
