//! SHA-256 for the tree.

use jmt::SimpleHasher;
use sha2::{Digest, Sha256};

/// The tree's hash function.
#[derive(Clone, Debug)]
pub(crate) struct TreeHasher(Sha256);

impl SimpleHasher for TreeHasher {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
