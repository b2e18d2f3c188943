//! Secrets from the environment.

use std::{env, ffi::OsString};

/// The secret in the variable `name`; none if it is not set.
///
/// # Errors
/// When it is set and cannot be used. To go on without it would leave a key unencrypted, or an API open, that its user
/// believes to be protected.
pub(crate) fn from_environment(name: &str) -> anyhow::Result<Option<String>> {
    usable(name, env::var_os(name))
}

fn usable(name: &str, value: Option<OsString>) -> anyhow::Result<Option<String>> {
    let Some(value) = value else { return Ok(None) };
    match value.into_string() {
        Ok(text) if text.is_empty() => {
            anyhow::bail!(
                "{name} is set and empty, as when the file that it should come from is missing\nset it to the secret, or unset {name}"
            )
        }
        Ok(text) => Ok(Some(text)),
        Err(_) => anyhow::bail!(
            "{name} is set to bytes that are not UTF-8\nwrite the secret in UTF-8, or unset {name}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_secret_that_is_set_and_cannot_be_used_does_not_count_as_absent() {
        assert_eq!(usable("S", None).unwrap(), None);
        assert_eq!(usable("S", Some("word".into())).unwrap().as_deref(), Some("word"));
        let refused = |value: OsString| usable("S", Some(value)).unwrap_err().to_string();
        assert!(refused(OsString::new()).contains("S is set and empty"));
        // Latin-1.
        assert!(refused(OsString::from_vec(b"p\xe4ss".to_vec())).contains("not UTF-8"));
    }
}
