//! The evidence of mismatches: the latest in memory, each in a file of its own.
//!
//! A file is the document that `nervure audit show --json` prints, so that it can be handed on as it is. The oldest ones
//! are removed.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use nervure_api::{AuditPage, EvidenceView};
use nervure_primitives::{
    Hash,
    durable::{self, Access},
};

/// Name of the directory, in the node's.
const LOG_DIR: &str = "audits";

/// Most mismatches that are kept. With the longest answers they have 24 MiB.
const MAX_EVIDENCE: usize = 64;

/// Longest file that is read: the longest case with each byte escaped.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The mismatches, the oldest first.
pub(super) struct EvidenceLog {
    dir: PathBuf,
    evidence: VecDeque<EvidenceView>,
    audited: u64,
    undecided: u64,
}

impl EvidenceLog {
    /// Opens the log in the directory of a node. A file that is not evidence is left alone.
    pub(super) fn open(node_dir: &Path) -> Self {
        let dir = node_dir.join(LOG_DIR);
        let files = std::fs::read_dir(&dir).into_iter().flatten().flatten();
        let mut found: Vec<EvidenceView> = files.filter_map(|file| read(&file.path())).collect();
        found.sort_by_key(|one| one.summary.audited_at);
        let mut log = Self { dir, evidence: found.into(), audited: 0, undecided: 0 };
        log.shrink();
        log
    }

    /// Keeps one more.
    pub(super) fn add(&mut self, evidence: EvidenceView) {
        let path = self.path(&evidence.summary.query);
        if let Err(error) = write(&path, &evidence) {
            tracing::error!(path = %path.display(), %error, "evidence of a mismatch cannot be stored");
        }
        self.evidence.push_back(evidence);
        self.shrink();
    }

    /// An answer was audited.
    pub(super) const fn count(&mut self) {
        self.audited += 1;
    }

    /// An answer could not be repeated.
    pub(super) const fn count_undecided(&mut self) {
        self.undecided += 1;
    }

    pub(super) fn find(&self, query: &Hash) -> Option<EvidenceView> {
        self.evidence.iter().find(|one| one.summary.query == *query).cloned()
    }

    /// All without their contents, the latest first.
    pub(super) fn page(&self) -> AuditPage {
        let mismatches = self.evidence.iter().rev().map(|one| one.summary.clone()).collect();
        AuditPage { mismatches, audited: self.audited, undecided: self.undecided }
    }

    fn path(&self, query: &Hash) -> PathBuf {
        self.dir.join(format!("{query}.json"))
    }

    fn shrink(&mut self) {
        while self.evidence.len() > MAX_EVIDENCE {
            let Some(oldest) = self.evidence.pop_front() else { return };
            // A file that stays is read at the next start, and removed then.
            let _ = std::fs::remove_file(self.path(&oldest.summary.query));
        }
    }
}

fn read(path: &Path) -> Option<EvidenceView> {
    let length = std::fs::metadata(path).ok()?.len();
    let bytes = (length <= MAX_FILE_BYTES).then(|| std::fs::read(path)).transpose().ok()??;
    serde_json::from_slice(&bytes).ok()
}

fn write(path: &Path, evidence: &EvidenceView) -> std::io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    // A user's question is in it.
    durable::replace(path, &serde_json::to_vec_pretty(evidence)?, Access::Owner)
}
