//! The key with which programs that may read a node's directory open its HTTP API: the command line of the same user.
//!
//! A node makes a new one at each start. The keys of clients may be in the configuration as digests only, so that a command
//! could not show one of them.

use std::{io, path::Path};

use data_encoding::HEXLOWER;
use nervure_primitives::durable::{self, Access};

/// The file's name in the node's directory; only its owner may read it.
pub(crate) const NAME: &str = "api.token";

/// Bytes of randomness in a token.
const BYTES: usize = 32;

/// Makes the token of a node that starts in `dir`.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn create(dir: &Path) -> io::Result<String> {
    let token = HEXLOWER.encode(&rand::random::<[u8; BYTES]>());
    durable::replace(&dir.join(NAME), token.as_bytes(), Access::Owner)?;
    Ok(token)
}

/// The token of the node in `dir`, if this user may read it.
pub(crate) fn read(dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(dir.join(NAME)).ok()?;
    // What is no token is not sent anywhere.
    (text.len() == 2 * BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn each_start_has_a_token_of_its_own_that_others_cannot_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), None);
        let first = create(dir.path()).unwrap();
        assert_eq!(read(dir.path()), Some(first.clone()));
        assert_ne!(create(dir.path()).unwrap(), first);
        let path = dir.path().join(NAME);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "not a token").unwrap();
        assert_eq!(read(dir.path()), None);
    }
}
