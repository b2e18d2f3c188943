//! Anchor keys in files: 64 hexadecimal digits, readable by their owner only.
//!
//! Not encrypted: the key moves nothing on the mesh, and the account that pays for anchoring holds little.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use nervure_primitives::durable::{self, Access};
use zeroize::Zeroizing;

use super::AnchorKey;

/// Largest file that is read.
const MAX_FILE_BYTES: u64 = 80;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorKeyFileError {
    /// The disk failed.
    #[error("the anchor key {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The disk failed.
        error: io::Error,
    },
    /// Not a key.
    #[error("{} is not an anchor key file: it has to hold 64 hexadecimal digits", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// No randomness.
    #[error("the operating system has no randomness for an anchor key")]
    Randomness,
}

impl AnchorKey {
    /// Reads the key in the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn read(path: &Path) -> Result<Self, AnchorKeyFileError> {
        let io = |error| AnchorKeyFileError::Io { path: path.to_owned(), error };
        let mut text = Zeroizing::new(String::new());
        File::open(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text)).map_err(io)?;
        let digits = text.trim();
        let digits = Zeroizing::new(digits.strip_prefix("0x").unwrap_or(digits).to_ascii_lowercase());
        let bytes = HEXLOWER.decode(digits.as_bytes()).ok().map(Zeroizing::new);
        let secret = bytes
            .as_ref()
            .and_then(|bytes| bytes.as_slice().first_chunk::<32>().filter(|_| bytes.len() == 32));
        let not_a_key = || AnchorKeyFileError::NotAKey { path: path.to_owned() };
        secret.and_then(Self::from_secret).ok_or_else(not_a_key)
    }

    /// Makes a key and a new file at `path` with it.
    ///
    /// # Errors
    /// When the file cannot be created, or exists.
    pub fn create(path: &Path) -> Result<Self, AnchorKeyFileError> {
        let key = Self::generate().map_err(|_| AnchorKeyFileError::Randomness)?;
        key.write(path)?;
        Ok(key)
    }

    /// Writes the key to a new file at `path`.
    ///
    /// # Errors
    /// When the file cannot be created, or exists.
    pub fn write(&self, path: &Path) -> Result<(), AnchorKeyFileError> {
        let text = Zeroizing::new(HEXLOWER.encode(self.secret().as_slice()) + "\n");
        let written = durable::create(path, text.as_bytes(), Access::Owner);
        written.map_err(|error| AnchorKeyFileError::Io { path: path.to_owned(), error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_created_key_and_refuses_other_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchor.key");
        let key = AnchorKey::create(&path).unwrap();
        assert_eq!(AnchorKey::read(&path).unwrap().address(), key.address());
        assert!(AnchorKey::create(&path).is_err(), "the first key would be lost");
        for text in ["", "12", "zz", &"0".repeat(64), &"1".repeat(66)] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(AnchorKey::read(&path), Err(AnchorKeyFileError::NotAKey { .. })), "{text}");
        }
        std::fs::write(&path, format!("0x{}\n", "AB".repeat(32))).unwrap();
        AnchorKey::read(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchor.key");
        AnchorKey::create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
    }
}
