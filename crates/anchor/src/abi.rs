//! Words of the contract ABI, and keccak-256 over them.

use sha3::{Digest, Keccak256};

/// A word of the ABI.
pub(crate) type Word = [u8; 32];

/// A number as a word.
pub(crate) fn number(value: u64) -> Word {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&value.to_be_bytes());
    word
}

/// An address as a word.
pub(crate) fn address(bytes: &[u8; 20]) -> Word {
    let mut word = [0; 32];
    word[12..].copy_from_slice(bytes);
    word
}

/// keccak-256 of `words` one after the other.
pub(crate) fn hash(words: &[Word]) -> Word {
    let mut hasher = Keccak256::new();
    words.iter().for_each(|word| hasher.update(word));
    hasher.finalize().into()
}

/// keccak-256 of bytes.
pub(crate) fn keccak(bytes: &[u8]) -> Word {
    Keccak256::digest(bytes).into()
}

/// The digest that is signed: the EIP-712 prefix, the hash of the domain and that of the statement.
pub(crate) fn typed(domain: &Word, statement: &Word) -> Word {
    let mut hasher = Keccak256::new();
    hasher.update([0x19, 0x01]);
    hasher.update(domain);
    hasher.update(statement);
    hasher.finalize().into()
}
