//! Key files: PKCS#8 PEM, mode 0600, encrypted where a passphrase is given.
//!
//! The directory may be one that others can enter, as a home directory often is: the mode of the file keeps its content
//! private. It may not be one that others can write to, because they could put another key in its place.
//!
//! A file or directory that others can read is refused, not repaired: the key may already have been
//! copied, and only its owner can judge that. Encryption is PBES2 with scrypt
//! (RFC 7914), so OpenSSL reads these files too.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding},
};
use zeroize::Zeroizing;

use crate::{
    NodeKey,
    durable::{self, Access},
};

/// The largest key file that is read, in bytes. Key files have about 500.
const MAX_FILE_BYTES: u64 = 8 * 1024;

/// The permission bits of group and others.
const GROUP_AND_OTHERS_MODE: u32 = 0o077;

/// The bits with which group and others may write.
const OTHERS_WRITE_MODE: u32 = 0o022;

/// In a directory with this bit, others may add files and neither remove nor replace those of another user.
const STICKY_MODE: u32 = 0o1000;

/// First line of an encrypted key file.
const ENCRYPTED_LABEL: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// A passphrase: zeroised on drop, never printed.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Wraps a passphrase.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(secret)")
    }
}

/// Why a key file was not written or read. Each message names the next step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file exists already; a key is never overwritten.
    #[error("{0} already exists, and a key is never overwritten: move it or choose another path")]
    Exists(PathBuf),
    /// There is no such file.
    #[error("there is no key file {0}: create one with `nervure key new --out {0}`")]
    Missing(PathBuf),
    /// Others may read the file.
    #[error(
        "{path} has mode {mode:04o}, so others on this machine may have read the key: \
         if you trust them, `chmod 600 {path}`; otherwise make a new key"
    )]
    FileMode {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others may write to the directory.
    #[error(
        "the directory {path} of the key file has mode {mode:04o}, so others on this machine may replace the key: `chmod \
         go-w {path}` first"
    )]
    DirectoryMode {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Encrypted, and no passphrase was given.
    #[error(
        "{0} is encrypted: give its passphrase in the environment variable NERVURE_KEY_PASSPHRASE, that of an \
         owner key in NERVURE_OWNER_PASSPHRASE"
    )]
    PassphraseNeeded(PathBuf),
    /// The passphrase does not open it.
    #[error("the passphrase does not open {0}")]
    WrongPassphrase(PathBuf),
    /// Not an ed25519 key in PKCS#8 PEM.
    #[error("{0} is not an ed25519 key in PKCS#8 PEM form")]
    NotAKey(PathBuf),
    /// A file operation failed.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// The operation.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Writes `key` to a new file at `path`, mode 0600, creating its directory with mode 0700 if needed.
///
/// # Errors
/// When the file exists, when others may write to the directory, or on a disk error.
pub fn create(path: &Path, key: &NodeKey, passphrase: Option<&Passphrase>) -> Result<(), KeyFileError> {
    let directory = parent(path);
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|source| KeyFileError::Io {
        action: "create",
        path: directory.into(),
        source,
    })?;
    check_directory(directory)?;
    let pem = match passphrase {
        None => key.signing_key().to_pkcs8_pem(LineEnding::LF),
        Some(passphrase) => key.signing_key().to_pkcs8_encrypted_pem(passphrase.0.as_bytes(), LineEnding::LF),
    };
    let pem = pem.map_err(|_| KeyFileError::NotAKey(path.into()))?;
    durable::create(path, pem.as_bytes(), Access::Owner).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.into()),
        _ => KeyFileError::Io { action: "create", path: path.into(), source },
    })
}

/// Reads the key in `path`.
///
/// # Errors
/// When others may read it, when it is encrypted and `passphrase` is missing or wrong, or when it
/// is not a key.
pub fn read(path: &Path, passphrase: Option<&Passphrase>) -> Result<NodeKey, KeyFileError> {
    let pem = read_private(path)?;
    let not_a_key = || KeyFileError::NotAKey(path.into());
    let key = if pem.starts_with(ENCRYPTED_LABEL) {
        let passphrase = passphrase.ok_or_else(|| KeyFileError::PassphraseNeeded(path.into()))?;
        SigningKey::from_pkcs8_encrypted_pem(&pem, passphrase.0.as_bytes())
            .map_err(|_| KeyFileError::WrongPassphrase(path.into()))?
    } else {
        SigningKey::from_pkcs8_pem(&pem).map_err(|_| not_a_key())?
    };
    Ok(NodeKey::from_signing_key(key))
}

/// Reads a small text file that only its owner may read.
fn read_private(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let metadata = fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing(path.into()),
        _ => KeyFileError::Io { action: "read", path: path.into(), source },
    })?;
    if metadata.mode() & GROUP_AND_OTHERS_MODE != 0 {
        return Err(KeyFileError::FileMode { path: path.into(), mode: metadata.mode() & 0o7777 });
    }
    check_directory(parent(path))?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(KeyFileError::NotAKey(path.into()));
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => KeyFileError::NotAKey(path.into()),
        _ => KeyFileError::Io { action: "read", path: path.into(), source },
    })
}

fn check_directory(path: &Path) -> Result<(), KeyFileError> {
    let metadata = fs::metadata(path).map_err(|source| KeyFileError::Io {
        action: "inspect",
        path: path.into(),
        source,
    })?;
    match metadata.mode() & (OTHERS_WRITE_MODE | STICKY_MODE) {
        bits if bits & OTHERS_WRITE_MODE == 0 || bits & STICKY_MODE != 0 => Ok(()),
        _ => Err(KeyFileError::DirectoryMode { path: path.into(), mode: metadata.mode() & 0o7777 }),
    }
}

/// The directory of `path`; the current one for a bare file name.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn written() -> (tempfile::TempDir, PathBuf, NodeKey) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/node.pem");
        let key = NodeKey::from_seed(&[3; 32]);
        create(&path, &key, None).unwrap();
        (dir, path, key)
    }

    #[test]
    fn a_written_key_is_private_and_reads_back() {
        let (_dir, path, key) = written();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(parent(&path)).unwrap().mode() & 0o777, 0o700);
        assert_eq!(read(&path, None).unwrap().node_id(), key.node_id());
    }

    #[test]
    fn refuses_files_that_others_can_read() {
        let (_dir, path, _) = written();
        set_mode(&path, 0o640);
        assert!(
            matches!(read(&path, None), Err(KeyFileError::FileMode { mode, .. }) if mode & 0o777 == 0o640)
        );
        set_mode(&path, 0o600);
        assert!(read(&path, None).is_ok());
    }

    #[test]
    fn refuses_directories_in_which_others_can_replace_the_file() {
        let (_dir, path, key) = written();
        for (mode, is_safe) in [(0o755, true), (0o1777, true), (0o775, false), (0o757, false), (0o700, true)]
        {
            set_mode(parent(&path), mode);
            match read(&path, None) {
                Ok(_) => assert!(is_safe, "{mode:o}"),
                Err(error) => {
                    assert!(matches!(error, KeyFileError::DirectoryMode { .. }) && !is_safe, "{mode:o}")
                }
            }
            let other = path.with_file_name(format!("{mode:o}.pem"));
            assert_eq!(create(&other, &key, None).is_ok(), is_safe, "{mode:o}");
        }
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let (_dir, path, key) = written();
        assert!(matches!(create(&path, &key, None), Err(KeyFileError::Exists(_))));
    }

    #[test]
    fn a_passphrase_encrypts_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/node.pem");
        let key = NodeKey::from_seed(&[4; 32]);
        let right = Passphrase::new("correct horse".into());
        create(&path, &key, Some(&right)).unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with(ENCRYPTED_LABEL));
        assert_eq!(read(&path, Some(&right)).unwrap().node_id(), key.node_id());
        assert!(matches!(read(&path, None), Err(KeyFileError::PassphraseNeeded(_))));
        let wrong = Passphrase::new("battery staple".into());
        assert!(matches!(read(&path, Some(&wrong)), Err(KeyFileError::WrongPassphrase(_))));
    }

    #[test]
    fn refuses_files_that_are_not_keys() {
        let (_dir, path, _) = written();
        fs::write(&path, "hello").unwrap();
        assert!(matches!(read(&path, None), Err(KeyFileError::NotAKey(_))));
        fs::write(&path, [0xff; 100]).unwrap();
        assert!(matches!(read(&path, None), Err(KeyFileError::NotAKey(_))));
        fs::write(&path, vec![b'a'; 9000]).unwrap();
        assert!(matches!(read(&path, None), Err(KeyFileError::NotAKey(_))));
        assert!(matches!(read(Path::new("/nonexistent/x"), None), Err(KeyFileError::Missing(_))));
    }
}
