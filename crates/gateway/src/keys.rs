//! Named keys: each has a digest, scopes, limits and a share, and what it used is counted.
//!
//! [`NamedKeys`] is the handle. The keys come from a file of the node's directory that the command line writes
//! ([`ApiKeyFile`]); what they used is kept in a second file. Both are looked at once a second, so that a key that is added or
//! revoked counts without a restart.
//!
//! **Hazard.** A gateway stays closed when the last key is revoked: an operator who takes access away must not open the API
//! to all. A node with a file of keys needs one, even if the file names none.

mod book;
mod charge;
mod grant;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nervure_api::KeyUsageView;
use parking_lot::{Mutex, RwLock};

use crate::key::ApiKey;
use book::UsageBook;
use grant::{read_json, write_json};

pub(super) use charge::KeyCharge;
pub use grant::{ApiKeyFile, ApiKeyFileCause, ApiKeyFileError, ApiKeyFileProblem, KeyGrant, MAX_NAMED_KEYS};

/// Name of the file that has what the keys used.
const USAGE_FILE: &str = "api-usage.json";

/// How often the files are looked at.
const TICK: Duration = Duration::from_secs(1);

/// The named keys of a node, and what they used. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct NamedKeys(Arc<SharedKeys>);

#[derive(Debug, Default)]
struct SharedKeys {
    /// The node's directory; none where keys are not kept.
    dir: Option<PathBuf>,
    grants: RwLock<Grants>,
    book: Mutex<UsageBook>,
    /// Whether there was ever a file of keys.
    required: AtomicBool,
}

#[derive(Debug, Default)]
struct Grants {
    keys: Vec<ApiKey>,
    /// In the order of `keys`.
    grants: Vec<Arc<KeyGrant>>,
    /// The length and the time of the file that they are from.
    file: Option<(u64, SystemTime)>,
}

impl NamedKeys {
    /// Reads the named keys of the node in `dir`, and what they used.
    ///
    /// # Errors
    /// A file that cannot be read: without the counters of a day its limits would begin again.
    pub fn open(dir: &Path) -> Result<Self, ApiKeyFileError> {
        let path = dir.join(USAGE_FILE);
        let book = read_json(&path).map_err(|why| ApiKeyFileError { path, why })?;
        let shared = SharedKeys { dir: Some(dir.into()), book: Mutex::new(book), ..SharedKeys::default() };
        let keys = Self(Arc::new(shared));
        keys.reload()?;
        Ok(keys)
    }

    /// Whether a request needs a key.
    pub(super) fn required(&self) -> bool {
        self.0.required.load(Ordering::Relaxed)
    }

    /// The key with the secret `shown`.
    pub(super) fn find(&self, shown: &[u8]) -> Option<Arc<KeyGrant>> {
        let grants = self.0.grants.read();
        ApiKey::which_opens(&grants.keys, shown).and_then(|number| grants.grants.get(number).cloned())
    }

    /// What keys used today: this one, or all.
    pub(super) fn usage(&self, only: Option<&KeyGrant>) -> Vec<KeyUsageView> {
        let now = unix_seconds();
        let grants = self.0.grants.read();
        let shown = grants.grants.iter().filter(|grant| only.is_none_or(|only| only.name == grant.name));
        let book = self.0.book.lock();
        shown.map(|grant| view(grant, &book, now)).collect()
    }

    /// Reads the keys again if their file has changed.
    fn reload(&self) -> Result<(), ApiKeyFileError> {
        let Some(dir) = &self.0.dir else { return Ok(()) };
        let stamp = fs::metadata(ApiKeyFile::path(dir)).ok();
        let stamp = stamp.and_then(|file| Some((file.len(), file.modified().ok()?)));
        if stamp == self.0.grants.read().file {
            return Ok(());
        }
        let read = ApiKeyFile::read(dir);
        let mut grants = self.0.grants.write();
        // An invalid file is reported once, and the keys stay as they were.
        grants.file = stamp;
        let list = read?.keys;
        grants.keys = list.iter().filter_map(|grant| ApiKey::parse(&grant.digest).ok()).collect();
        grants.grants = list.into_iter().map(Arc::new).collect();
        self.0.required.fetch_or(stamp.is_some(), Ordering::Relaxed);
        let names: BTreeSet<&str> = grants.grants.iter().map(|grant| grant.name.as_str()).collect();
        self.0.book.lock().retain(&names);
        Ok(())
    }

    /// Writes what the keys used, if it has changed.
    fn flush(&self) -> Result<(), ApiKeyFileError> {
        let Some(dir) = &self.0.dir else { return Ok(()) };
        let copy = {
            let mut book = self.0.book.lock();
            if !std::mem::take(&mut book.is_changed) {
                return Ok(());
            }
            serde_json::to_value(&*book)
        };
        let path = dir.join(USAGE_FILE);
        let written = copy.map_err(|error| std::io::Error::from(error).into());
        written.and_then(|copy| write_json(&path, &copy)).map_err(|why| {
            self.0.book.lock().is_changed = true;
            ApiKeyFileError { path, why }
        })
    }

    /// Keeps both files and this handle the same, for as long as it is polled.
    pub(super) async fn maintain(&self) {
        loop {
            tokio::time::sleep(TICK).await;
            self.tick().await;
        }
    }

    /// Looks at both files.
    pub(super) async fn tick(&self) {
        let keys = self.clone();
        let work = move || [keys.reload(), keys.flush()];
        for error in tokio::task::spawn_blocking(work).await.into_iter().flatten().filter_map(Result::err) {
            tracing::warn!(%error, "API keys");
        }
    }
}

/// What the keys of the node in `dir` used today, from its files. A running node is up to a second ahead of them.
///
/// # Errors
/// A file that cannot be read.
pub fn key_usage(dir: &Path) -> Result<Vec<KeyUsageView>, ApiKeyFileError> {
    NamedKeys::open(dir).map(|keys| keys.usage(None))
}

fn view(grant: &KeyGrant, book: &UsageBook, now: u64) -> KeyUsageView {
    let used = book.of(&grant.name, now);
    KeyUsageView {
        name: grant.name.clone(),
        operator: grant.operator,
        share: grant.share,
        requests: used.requests,
        refused: used.refused,
        requests_per_minute: grant.requests_per_minute,
        tokens: used.tokens,
        tokens_per_day: grant.tokens_per_day,
        spent: used.spent,
        budget_per_day: grant.budget_per_day,
        resets_in_seconds: book::until_next_day(now).as_secs(),
    }
}

/// Seconds since 1970.
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a-secret-of-the-tests";

    fn write(dir: &Path, names: &[&str]) {
        let key = |name: &&str| KeyGrant::new(*name, &format!("{name}-secret-of-the-tests")).unwrap();
        ApiKeyFile { keys: names.iter().map(key).collect() }.write(dir).unwrap();
    }

    #[tokio::test]
    async fn keys_come_and_go_without_a_restart_and_the_api_stays_closed() {
        let dir = tempfile::tempdir().unwrap();
        let keys = NamedKeys::open(dir.path()).unwrap();
        assert!(!keys.required());
        write(dir.path(), &["a"]);
        keys.tick().await;
        assert!(keys.required() && keys.find(SECRET).is_some_and(|grant| grant.name == "a"));
        // A file of another length, because the clock of a file system may be coarse.
        write(dir.path(), &["another"]);
        keys.tick().await;
        assert!(keys.find(SECRET).is_none() && keys.find(b"another-secret-of-the-tests").is_some());
        write(dir.path(), &[]);
        keys.tick().await;
        assert!(keys.required() && keys.find(b"another-secret-of-the-tests").is_none());
        assert!(NamedKeys::open(dir.path()).unwrap().required(), "after a restart, too");
    }

    #[tokio::test]
    async fn an_invalid_file_stops_a_start_and_changes_nothing_later() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &["a"]);
        let keys = NamedKeys::open(dir.path()).unwrap();
        fs::write(ApiKeyFile::path(dir.path()), "{").unwrap();
        keys.tick().await;
        assert!(keys.find(SECRET).is_some());
        assert!(NamedKeys::open(dir.path()).is_err());
    }
}
