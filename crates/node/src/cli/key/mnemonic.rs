//! `nervure key mnemonic` and `key restore`: a key as 24 words on paper.
//!
//! The words are the 32 bytes of the key as BIP-39 writes them, in English, with its checksum: not the seed of a hierarchy of
//! keys, so that a wallet of another chain derives other keys from them.

use std::{
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use bip39::{Language, Mnemonic};
use nervure_primitives::{NodeKey, key_file};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Global, KEY_FILE, Purpose, read_owner};
use crate::cli::output;

/// Longest text that is read: 24 words of at most eight letters, with room for spaces.
const MAX_TEXT_BYTES: u64 = 1024;

/// Words of a key of 32 bytes.
const WORDS: usize = 24;

/// Prints a key as 24 words (BIP-39), to be kept on paper; who reads them has the key
#[derive(Debug, clap::Args)]
pub(crate) struct MnemonicArgs {
    /// The key file [default: key.pem in the node's directory]
    file: Option<PathBuf>,
}

/// Writes the key file of 24 words, which are read from standard input
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Words are no argument, because other users of the machine could see them.

Example:
  nervure key restore --out owner.pem --owner")]
pub(crate) struct RestoreArgs {
    /// File to write [default: key.pem in the node's directory]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    purpose: Purpose,
}

#[derive(Serialize)]
struct Words<'a> {
    node: String,
    words: Vec<&'a str>,
}

impl MnemonicArgs {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<()> {
        let file = self.file.map_or_else(|| global.own_node_dir().map(|dir| dir.join(KEY_FILE)), Ok)?;
        let key = read_owner(&file)?;
        let words = words(&key)?;
        output::note(&format!(
            "the 24 words of the key {}: who reads them has the key; the passphrase of the file is not part of them",
            key.node_id()
        ));
        if global.json {
            return output::json(&Words { node: key.node_id().to_string(), words: words.words().collect() });
        }
        let words: Vec<_> = words.words().collect();
        (1..).step_by(4).zip(words.chunks(4)).try_for_each(|(first, four)| {
            let four = (first..).zip(four).map(|(number, word)| format!("{number:>2} {word:<9}"));
            output::line(four.collect::<String>().trim_end())
        })
    }
}

impl RestoreArgs {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<(PathBuf, NodeKey)> {
        let path = self.out.map_or_else(|| global.own_node_dir().map(|dir| dir.join(KEY_FILE)), Ok)?;
        refuse_existing(&path)?;
        if io::stdin().is_terminal() {
            output::note("type the 24 words, then Enter and Ctrl-D:");
        }
        let mut text = Zeroizing::new(String::new());
        let read = io::stdin().take(MAX_TEXT_BYTES).read_to_string(&mut text);
        read.context("cannot read the words from standard input")?;
        let key = key_of(&text)?;
        key_file::create(&path, &key, self.purpose.passphrase()?.as_ref())?;
        output::note(&format!("wrote {}", path.display()));
        Ok((path, key))
    }
}

/// Before words are typed for nothing.
fn refuse_existing(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        bail!(key_file::KeyFileError::Exists(path.into()));
    }
    Ok(())
}

/// The words of a key.
fn words(key: &NodeKey) -> anyhow::Result<Mnemonic> {
    Ok(Mnemonic::from_entropy_in(Language::English, key.seed().as_slice())?)
}

/// The key of some words. Numbers between them, as they are printed, are left out.
fn key_of(text: &str) -> anyhow::Result<NodeKey> {
    let words: Vec<&str> =
        text.split_whitespace().filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit())).collect();
    if words.len() != WORDS {
        bail!("{} words, and a key has {WORDS}\ntype all of them in one line or several", words.len());
    }
    let joined = Zeroizing::new(words.join(" ").to_lowercase());
    let mnemonic = Mnemonic::parse_in_normalized(Language::English, &joined).map_err(|error| match error {
        bip39::Error::UnknownWord(at) => {
            anyhow::anyhow!("word {} is not in the list of BIP-39\ncompare it with the paper", at + 1)
        }
        bip39::Error::InvalidChecksum => anyhow::anyhow!(
            "the words do not fit together: one of them is another word of the list, or two have changed places\ncompare them \
             with the paper"
        ),
        bip39::Error::BadWordCount(_)
        | bip39::Error::BadEntropyBitCount(_)
        | bip39::Error::AmbiguousLanguages(_) => anyhow::anyhow!("these are no words of a key: {error}"),
    })?;
    let entropy = Zeroizing::new(mnemonic.to_entropy());
    let seed: &[u8; 32] = entropy.as_slice().try_into().context("a key has 32 bytes")?;
    Ok(NodeKey::from_seed(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test vectors of BIP-39 for 256 bits. Source: https://github.com/trezor/python-mnemonic, vectors.json.
    const VECTORS: [(u8, &str, &str); 2] = [(0x00, "abandon", "art"), (0x7f, "legal", "title")];

    #[test]
    fn words_are_those_of_the_standard_and_lead_back_to_the_key() {
        for (byte, first, last) in VECTORS {
            let key = NodeKey::from_seed(&[byte; 32]);
            let words = words(&key).unwrap();
            let all: Vec<_> = words.words().collect();
            assert_eq!((all.len(), all[0], all[23]), (WORDS, first, last));
            assert_eq!(key_of(&words.to_string()).unwrap().node_id(), key.node_id());
        }
    }

    #[test]
    fn words_are_read_as_they_are_printed_and_mistakes_are_named() {
        let key = NodeKey::from_seed(&[9; 32]);
        let words: Vec<_> = words(&key).unwrap().words().map(str::to_uppercase).collect();
        let numbered: String = (1..).zip(&words).map(|(at, word)| format!(" {at} {word}\n")).collect();
        assert_eq!(key_of(&numbered).unwrap().node_id(), key.node_id());
        let says = |text: &str| key_of(text).unwrap_err().to_string();
        assert!(says("abandon art").starts_with("2 words"));
        let mut wrong = words.clone();
        wrong[2] = "nervure".into();
        assert!(says(&wrong.join(" ")).starts_with("word 3 "));
        let zeros = ["abandon"; WORDS].join(" ");
        assert!(says(&zeros).starts_with("the words do not fit together"));
    }
}
