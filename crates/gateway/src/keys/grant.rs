//! A named key and what it may do, and the file that has them.
//!
//! The file has digests alone, so that a reader of it gets no access. The command line writes it; a running node reads it
//! again when it changes.

use std::{
    collections::BTreeSet,
    fs, io,
    num::{NonZeroU32, NonZeroU64},
    path::{Path, PathBuf},
};

use nervure_api::QueryTarget;
use nervure_primitives::{
    Amount, Capability,
    durable::{self, Access},
};
use serde::{Deserialize, Serialize};

use crate::key::{ApiKey, ApiKeyError};

/// Name of the file in the node's directory.
const KEYS_FILE: &str = "api-keys.json";

/// Most named keys.
pub const MAX_NAMED_KEYS: usize = 1000;

/// Longest file, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Longest name of a key, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Most models and most capabilities that a key is bound to.
const MAX_SCOPES: usize = 64;

/// Largest share of a key.
const MAX_SHARE: u32 = 1000;

/// A named key, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyGrant {
    /// Its name: 1 to 64 letters, digits, dots, hyphens and underscores.
    pub name: String,
    /// `sha256:` and the digest of the key.
    pub digest: String,
    /// Whether it sees the use of all keys.
    #[serde(default)]
    pub operator: bool,
    /// The models that it may ask, besides experts with `capabilities`; without either, all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub models: BTreeSet<String>,
    /// The capabilities that it may ask, with those below them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub capabilities: BTreeSet<Capability>,
    /// Most tokens, read and written, a day (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<NonZeroU64>,
    /// The most that its questions may cost a day (UTC), in base units. Zero reaches free experts only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_per_day: Option<Amount>,
    /// Most questions a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<NonZeroU32>,
    /// Its share of the places where several keys wait, relative to that of the others; 1 to 1000.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub share: NonZeroU32,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(share: &NonZeroU32) -> bool {
    *share == NonZeroU32::MIN
}

impl KeyGrant {
    /// A key that may do everything but see the use of others.
    ///
    /// # Errors
    /// [`ApiKeyError`] for a secret that is no key.
    pub fn new(name: impl Into<String>, secret: &str) -> Result<Self, ApiKeyError> {
        Ok(Self {
            name: name.into(),
            digest: ApiKey::from_secret(secret)?.digest(),
            operator: false,
            models: BTreeSet::new(),
            capabilities: BTreeSet::new(),
            tokens_per_day: None,
            budget_per_day: None,
            requests_per_minute: None,
            share: NonZeroU32::MIN,
        })
    }

    /// The target as this key may ask it; none where it may not. A name that may mean a model is taken for the capability
    /// that the key is bound to, so that no other model of that name is asked.
    pub(super) fn permit(&self, target: QueryTarget) -> Option<QueryTarget> {
        if self.models.is_empty() && self.capabilities.is_empty() {
            return Some(target);
        }
        let within = |wanted: &Capability| self.capabilities.iter().any(|own| own.covers(wanted));
        match target {
            QueryTarget::Model(name) if self.models.contains(&name) => Some(QueryTarget::Model(name)),
            QueryTarget::Named(name) if self.models.contains(&name) => Some(QueryTarget::Model(name)),
            QueryTarget::Named(name) => {
                let wanted = name.parse().ok().filter(within)?;
                Some(QueryTarget::Capability(wanted))
            }
            QueryTarget::Capability(wanted) => within(&wanted).then_some(QueryTarget::Capability(wanted)),
            QueryTarget::Model(_) => None,
        }
    }

    fn check(&self) -> Result<(), ApiKeyFileProblem> {
        let is_name = (1..=MAX_NAME_BYTES).contains(&self.name.len())
            && self.name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        let scopes = self.models.len().max(self.capabilities.len());
        match () {
            () if !is_name => Err(ApiKeyFileProblem::Name),
            () if scopes > MAX_SCOPES => Err(ApiKeyFileProblem::Scopes),
            () if self.share.get() > MAX_SHARE => Err(ApiKeyFileProblem::Share),
            () => ApiKey::parse(&self.digest).map(drop).map_err(ApiKeyFileProblem::Digest),
        }
    }
}

/// The named keys of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyFile {
    /// The keys, in the order in which they were added.
    pub keys: Vec<KeyGrant>,
}

/// What is wrong with a list of named keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyFileProblem {
    /// Too many keys.
    #[error("there are more than {MAX_NAMED_KEYS} keys")]
    Count,
    /// A name that is none.
    #[error("the name of a key has 1 to {MAX_NAME_BYTES} letters, digits, dots, hyphens or underscores")]
    Name,
    /// Two keys with one name or one digest.
    #[error("there is a key '{0}' already")]
    Twice(String),
    /// Too many models or capabilities.
    #[error("a key is bound to at most {MAX_SCOPES} models and {MAX_SCOPES} capabilities")]
    Scopes,
    /// A share out of bounds.
    #[error("the share of a key is from 1 to {MAX_SHARE}")]
    Share,
    /// A digest that is none.
    #[error(transparent)]
    Digest(ApiKeyError),
    /// Larger than any list that this program writes.
    #[error("it has more than {MAX_FILE_BYTES} bytes")]
    Size,
    /// Not the JSON of a list.
    #[error("{0}")]
    Json(String),
}

/// A file of named keys, or of their use, cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the file {} cannot be used: {why}", path.display())]
pub struct ApiKeyFileError {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub why: ApiKeyFileCause,
}

/// Why such a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyFileCause {
    /// What the disk says.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// Its content.
    #[error(transparent)]
    Content(#[from] ApiKeyFileProblem),
}

impl ApiKeyFile {
    /// Where the named keys of the node in `dir` are.
    #[must_use]
    pub fn path(dir: &Path) -> PathBuf {
        dir.join(KEYS_FILE)
    }

    /// Reads the named keys of the node in `dir`; none where there is no file.
    ///
    /// # Errors
    /// What the disk says, or what is wrong with the content.
    pub fn read(dir: &Path) -> Result<Self, ApiKeyFileError> {
        let path = Self::path(dir);
        let read = || -> Result<Self, ApiKeyFileCause> {
            let file: Self = read_json(&path)?;
            file.check()?;
            Ok(file)
        };
        read().map_err(|why| ApiKeyFileError { path: path.clone(), why })
    }

    /// Replaces the named keys of the node in `dir`.
    ///
    /// # Errors
    /// What the disk says, or what is wrong with the list.
    pub fn write(&self, dir: &Path) -> Result<(), ApiKeyFileError> {
        let path = Self::path(dir);
        let write = || -> Result<(), ApiKeyFileCause> {
            self.check()?;
            write_json(&path, self)
        };
        write().map_err(|why| ApiKeyFileError { path: path.clone(), why })
    }

    fn check(&self) -> Result<(), ApiKeyFileProblem> {
        if self.keys.len() > MAX_NAMED_KEYS {
            return Err(ApiKeyFileProblem::Count);
        }
        let (mut names, mut digests) = (BTreeSet::new(), BTreeSet::new());
        for key in &self.keys {
            key.check()?;
            if !names.insert(&key.name) || !digests.insert(key.digest.to_ascii_lowercase()) {
                return Err(ApiKeyFileProblem::Twice(key.name.clone()));
            }
        }
        Ok(())
    }
}

/// Reads a file of JSON within [`MAX_FILE_BYTES`]; a missing one is the default.
pub(super) fn read_json<T: Default + for<'de> Deserialize<'de>>(path: &Path) -> Result<T, ApiKeyFileCause> {
    use io::Read as _;

    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(ApiKeyFileProblem::Size.into());
    }
    serde_json::from_slice(&bytes).map_err(|error| ApiKeyFileProblem::Json(error.to_string()).into())
}

/// Writes a file of JSON that only its user reads.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), ApiKeyFileCause> {
    let bytes = serde_json::to_vec_pretty(value).map_err(io::Error::from)?;
    Ok(durable::replace(path, &bytes, Access::Owner)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(name: &str) -> KeyGrant {
        KeyGrant::new(name, &format!("{name}-is-a-secret-of-mine")).unwrap()
    }

    #[test]
    fn a_file_has_digests_and_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(ApiKeyFile::read(dir.path()).unwrap(), ApiKeyFile::default(), "no file");
        let limited =
            KeyGrant { budget_per_day: "1.5".parse().ok(), share: 3.try_into().unwrap(), ..grant("b") };
        let file = ApiKeyFile { keys: vec![grant("a"), limited] };
        file.write(dir.path()).unwrap();
        assert_eq!(ApiKeyFile::read(dir.path()).unwrap(), file);
        let text = fs::read_to_string(ApiKeyFile::path(dir.path())).unwrap();
        assert!(!text.contains("secret") && text.contains("sha256:"), "{text}");
    }

    #[test]
    fn a_list_that_breaks_a_rule_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |keys: Vec<KeyGrant>| ApiKeyFile { keys }.write(dir.path()).unwrap_err().to_string();
        assert!(refused(vec![grant("a"), grant("a")]).contains("already"));
        assert!(refused(vec![KeyGrant { name: "a b".into(), ..grant("a") }]).contains("letters"));
        assert!(refused(vec![KeyGrant { digest: "sha256:1".into(), ..grant("a") }]).contains("64"));
        assert!(refused(vec![KeyGrant { share: 1001.try_into().unwrap(), ..grant("a") }]).contains("1000"));
        fs::write(ApiKeyFile::path(dir.path()), "{\"keys\": [], \"x\": 1}").unwrap();
        assert!(ApiKeyFile::read(dir.path()).unwrap_err().to_string().contains("api-keys.json"));
    }

    #[test]
    fn a_key_asks_what_it_is_bound_to() {
        let named = |name: &str| QueryTarget::Named(name.into());
        let capability = |name: &str| QueryTarget::Capability(name.parse().unwrap());
        let free = grant("a");
        assert_eq!(free.permit(named("anything")), Some(named("anything")));
        let bound = KeyGrant {
            models: BTreeSet::from(["Llama 9".into()]),
            capabilities: BTreeSet::from(["text.chat".parse().unwrap()]),
            ..free
        };
        assert_eq!(bound.permit(named("Llama 9")), Some(QueryTarget::Model("Llama 9".into())));
        assert_eq!(bound.permit(named("text.chat.german")), Some(capability("text.chat.german")));
        assert_eq!(bound.permit(capability("text.chat")), Some(capability("text.chat")));
        for other in [
            named("text"),
            named("Llama 8"),
            capability("text.embed"),
            QueryTarget::Model("text.chat".into()),
        ] {
            assert_eq!(bound.permit(other), None);
        }
    }
}
