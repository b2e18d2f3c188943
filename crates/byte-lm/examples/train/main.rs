//! Trains the built-in models. Reproducible: the same seed and step counts, on one thread, give the same weights.
//!
//! ```text
//! python3 crates/byte-lm/examples/corpus.py /tmp/corpus
//! export RAYON_NUM_THREADS=1
//! cargo run --release -p nervure-byte-lm --example train -- \
//!     --corpus /tmp/corpus --domains rust,python,prose,manual --out /tmp/base.safetensors --minutes 12 --no-decay
//! cargo run --release -p nervure-byte-lm --example train -- \
//!     --corpus /tmp/corpus --domains rust --from /tmp/base.safetensors --out crates/byte-lm/weights/rust.safetensors --minutes 12
//! cargo run --release -p nervure-byte-lm --example train -- --corpus /tmp/corpus --order2 crates/byte-lm/data/order2.json
//! ```
//!
//! Design: the learning rate warms up, is held, and then falls to zero along a cosine over the last fifth. With
//! `--minutes` the clock decides how many steps are held. The run prints the `--steps HELD,DECAY` that repeats it exactly,
//! so that a busy machine costs quality but not reproducibility. The decay is counted in steps, so that it always completes.

// A training run prints its progress.
#![allow(clippy::print_stdout)]

mod order2;
mod schedule;
mod trainer;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use trainer::{Options, Trainer};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const DOMAINS: [&str; 4] = ["rust", "python", "prose", "manual"];

fn main() -> Result<()> {
    let mut flags = BTreeMap::new();
    let mut args = std::env::args().skip(1).peekable();
    while let Some(flag) = args.next() {
        let name = flag.strip_prefix("--").ok_or(format!("unexpected argument {flag}"))?.to_owned();
        let value = args.next_if(|next| !next.starts_with("--")).unwrap_or_default();
        flags.insert(name, value);
    }
    let corpus = PathBuf::from(flags.get("corpus").ok_or("--corpus DIR is needed")?);
    if let Some(path) = flags.get("order2") {
        return order2(&corpus, Path::new(path));
    }
    let domains = flags.get("domains").ok_or("--domains a,b,c is needed")?;
    let texts = domains.split(',').map(|d| read(&corpus, d, "train")).collect::<Result<Vec<_>>>()?;
    let heldout = domains.split(',').map(|d| read(&corpus, d, "heldout")).collect::<Result<_>>()?;
    let options = Options::parse(&flags)?;
    let out = flags.get("out").ok_or("--out FILE is needed")?;
    Trainer::new(options, texts, heldout)?.run(Path::new(out))
}

fn read(corpus: &Path, domain: &str, split: &str) -> Result<Vec<u8>> {
    let path = corpus.join(format!("{domain}.{split}"));
    Ok(std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?)
}

/// Records the bits per byte of an order-2 model of each training text on each held-out text.
fn order2(corpus: &Path, out: &Path) -> Result<()> {
    let mut table = BTreeMap::new();
    for trained in DOMAINS {
        let text = read(corpus, trained, "train")?;
        eprintln!("{trained}: {} bytes, {} contexts", text.len(), order2::distinct_contexts(&text));
        let model = order2::Order2::train(&text);
        let mut row = BTreeMap::new();
        for domain in DOMAINS {
            let bits = model.bits_per_byte(&read(corpus, domain, "heldout")?);
            row.insert(domain, (bits * 1000.0).round() / 1000.0);
        }
        table.insert(trained, row);
    }
    std::fs::write(out, serde_json::to_string_pretty(&table)? + "\n")?;
    Ok(())
}
