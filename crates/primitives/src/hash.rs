//! SHA-256 hashes, always computed under a domain, so that a hash of one kind is never valid as
//! another kind.

use sha2::{Digest, Sha256};

use crate::id::bytes32;

bytes32! {
    /// A SHA-256 digest. Printed and parsed as 64 hexadecimal digits.
    Hash
}

impl Hash {
    /// Hash of `parts` under `domain`. Each part is preceded by its length, so that moving bytes
    /// between two parts changes the hash.
    pub fn of(domain: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = Hasher::new(domain);
        for part in parts {
            hasher.update(part);
        }
        hasher.finish()
    }
}

/// An incremental [`Hash::of`]: the same domain and the same parts give the same hash.
#[derive(Clone, Debug)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Starts a hash under `domain`.
    pub fn new(domain: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.update(domain.as_bytes());
        hasher
    }

    /// Adds one length-prefixed part.
    pub fn update(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// The hash of all parts so far.
    pub fn finish(self) -> Hash {
        Hash::from_bytes(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_boundaries_and_domains_change_the_hash() {
        assert_ne!(Hash::of("a", &[b"bc", b"d"]), Hash::of("a", &[b"b", b"cd"]));
        assert_ne!(Hash::of("a", &[b"b"]), Hash::of("b", &[b"b"]));
        assert_ne!(Hash::of("a", &[]), Hash::of("a", &[b""]));
    }

    #[test]
    fn the_construction_is_frozen() {
        assert_eq!(
            Hash::of("nervure/test", &[b"one", b"two"]).to_string(),
            FROZEN,
            "a change here changes every identifier on every mesh"
        );
    }

    /// Computed independently: sha256 over u64-big-endian lengths and parts.
    const FROZEN: &str = "97a04fc038855479ed0feed06d475c61bb23aa1f930356372cf31ad5e1432dd6";
}
