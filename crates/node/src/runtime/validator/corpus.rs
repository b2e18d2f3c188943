//! A validator's private texts: a directory, or, in a mesh on one machine, some of this program's own.
//!
//! Private matters: texts that miners may have seen measure memory. The texts that come with the program are for local
//! meshes; the built-in models were not trained on them.

use std::{io, path::Path, sync::Arc};

use nervure_primitives::Capability;
use nervure_subnet::mechanism::{Corpus, Document, MAX_CORPUS, MAX_DOCUMENTS};

/// Rust, Python and prose of this repository.
const BUILTIN_TEXTS: &[(&str, &[u8])] = &[
    ("text.generate.rust", include_bytes!("../../../../ledger/src/state.rs")),
    ("text.generate.rust", include_bytes!("../../../../store/src/database.rs")),
    ("text.generate.rust", include_bytes!("../../../../ledger/src/mempool.rs")),
    ("text.generate.rust", include_bytes!("../../../../consensus/src/yuma/median.rs")),
    ("text.generate.rust", include_bytes!("../../../../p2p/src/query/client.rs")),
    ("text.generate.rust", include_bytes!("../../../../subnet/src/index.rs")),
    ("text.generate.python", include_bytes!("../../../../byte-lm/examples/corpus.py")),
    ("text.generate.prose", include_bytes!("../../../../../docs/architecture.md")),
    ("text.generate.prose", include_bytes!("../../../../../docs/ledger.md")),
    ("text.generate.prose", include_bytes!("../../../../../docs/mechanisms.md")),
    ("text.generate.prose", include_bytes!("../../../../../docs/consensus.md")),
    ("text.generate.prose", include_bytes!("../../../../../docs/experts.md")),
    ("text.generate.prose", include_bytes!("../../../../../docs/operating.md")),
];

/// Why a directory holds no corpus.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The path.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// A directory in it has a name that is not a capability.
    #[error(
        "{0} is not a valid capability: name each directory after what its texts test, as in text.generate.rust"
    )]
    Capability(String),
    /// There are too many texts, or too much of them.
    #[error("more than {MAX_DOCUMENTS} texts or {MAX_CORPUS} bytes")]
    TooMuch,
    /// Nothing is there.
    #[error(
        "{0} holds no texts: put them into directories named after capabilities, as in text.generate.rust/a.txt"
    )]
    Empty(String),
}

/// Texts that come with the program.
pub(super) fn own() -> Corpus {
    let document = |(capability, text): &(&str, &[u8])| {
        Some(Document { capability: capability.parse().ok()?, text: Arc::from(*text) })
    };
    Corpus::new(BUILTIN_TEXTS.iter().filter_map(document))
}

/// The texts in `dir`: a directory for each capability, a file for each text.
pub(super) fn read(dir: &Path) -> Result<Corpus, CorpusError> {
    let mut documents = Vec::new();
    let mut room = MAX_CORPUS;
    for of in entries(dir)? {
        let name = of.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let capability: Capability = name.parse().map_err(|_| CorpusError::Capability(name.clone()))?;
        for file in entries(&of)? {
            let size = std::fs::metadata(&file).map_err(|source| failed(&file, source))?.len();
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            room = room.checked_sub(size).ok_or(CorpusError::TooMuch)?;
            let text = std::fs::read(&file).map_err(|source| failed(&file, source))?;
            documents.push(Document { capability: capability.clone(), text: text.into() });
        }
    }
    match documents.len() {
        0 => Err(CorpusError::Empty(dir.display().to_string())),
        1..=MAX_DOCUMENTS => Ok(Corpus::new(documents)),
        _ => Err(CorpusError::TooMuch),
    }
}

/// The entries of a directory, in order of name.
fn entries(dir: &Path) -> Result<Vec<std::path::PathBuf>, CorpusError> {
    let listed = std::fs::read_dir(dir).map_err(|source| failed(dir, source))?;
    let paths: io::Result<Vec<_>> = listed.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(|source| failed(dir, source))?;
    paths.sort();
    Ok(paths)
}

fn failed(path: &Path, source: io::Error) -> CorpusError {
    CorpusError::Read { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_capabilities_and_files_are_texts() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read(dir.path()), Err(CorpusError::Empty(_))));
        let rust = dir.path().join("text.generate.rust");
        std::fs::create_dir(&rust).unwrap();
        std::fs::write(rust.join("a.rs"), "fn main() {}").unwrap();
        let corpus = read(dir.path()).unwrap();
        assert_eq!(corpus.documents()[0].text.as_ref(), b"fn main() {}");
        std::fs::create_dir(dir.path().join("Not one")).unwrap();
        assert!(matches!(read(dir.path()), Err(CorpusError::Capability(_))));
        assert!(matches!(read(&dir.path().join("nowhere")), Err(CorpusError::Read { .. })));
    }

    #[test]
    fn the_own_texts_suffice_for_many_tasks() {
        let bytes: usize = own().documents().iter().map(|document| document.text.len()).sum();
        assert!(own().documents().len() == BUILTIN_TEXTS.len() && bytes > 100_000, "{bytes}");
    }
}
