//! Bits per byte on text that changes its domain: every expert alone, their uniform mixture, and a mixture whose weights
//! adapt to the text.
//!
//! Design: the held-out texts are cut into pieces that are laid end to end, no two of a domain beside each other. The
//! models read the result as one text, so that what they see before a change is of the wrong domain. The weights
//! ([`FixedShare`], with its default share) begin equal and are never told where a piece ends.
//!
//! Intervals: the files are drawn again with replacement, eight in each domain ([`RESAMPLES`] times, seeded), with
//! all pieces of a file together, because pieces of one file are no independent samples. The text itself stays as it
//! is: an interval is about which files were held out, and not about the order of the pieces.

use std::fmt::Write;

use anyhow::{Result, ensure};
use nervure_byte_lm::builtin::BUILTIN;
use nervure_byte_lm::byte_probabilities;
use nervure_subnet::mix::FixedShare;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Bytes of each piece, one table row each.
const PIECE_BYTES: [usize; 3] = [128, 512, 2048];
/// Bytes of each held-out file; a whole number of every kind of piece.
const FILE_BYTES: usize = 4096;
/// Draws of a bootstrap.
const RESAMPLES: usize = 2000;
/// The seed of the order of domains and of the draws.
const SEED: u64 = 5;
/// Experts, and as many domains.
const EXPERTS: usize = BUILTIN.len();

/// The whole table.
#[derive(Serialize)]
pub(crate) struct Mixtures(Vec<Row>);

/// One text.
#[derive(Serialize)]
struct Row {
    piece_bytes: usize,
    text_bytes: usize,
    experts: [Interval; EXPERTS],
    best_expert: Interval,
    uniform: Interval,
    fixed_share: Interval,
    own: Interval,
    saved_against_best: Interval,
    saved_against_uniform: Interval,
}

/// A figure and where 95 % of its draws lie.
#[derive(Clone, Copy, Serialize)]
struct Interval {
    value: f64,
    low: f64,
    high: f64,
}

/// Mean bits per byte of a text, or their sum over a file.
#[derive(Clone, Copy, Default)]
struct Bits {
    experts: [f64; EXPERTS],
    uniform: f64,
    fixed_share: f64,
    own: f64,
}

/// The origin of a piece.
#[derive(Clone, Copy)]
struct Piece {
    domain: usize,
    start: usize,
}

pub(crate) fn measure() -> Result<Mixtures> {
    let models = BUILTIN.iter().map(|builtin| builtin.load()).collect::<Result<Vec<_>, _>>()?;
    let texts = BUILTIN.iter().map(|builtin| crate::heldout(builtin.domain())).collect::<Result<Vec<_>>>()?;
    let length = texts[0].len();
    ensure!(length > 0 && length % FILE_BYTES == 0, "held-out texts are made of files of {FILE_BYTES} bytes");
    ensure!(texts.iter().all(|text| text.len() == length), "every domain has as much held-out text");
    let mut rows = Vec::new();
    for piece in PIECE_BYTES {
        let pieces = order(length, piece);
        let text: Vec<u8> =
            pieces.iter().flat_map(|p| &texts[p.domain][p.start..p.start + piece]).copied().collect();
        let scored =
            models.iter().map(|model| byte_probabilities(model, &text)).collect::<Result<Vec<_>, _>>()?;
        rows.push(row(piece, &files(&scored, &pieces, piece, length / FILE_BYTES)?));
    }
    Ok(Mixtures(rows))
}

/// All pieces of all domains: every round has one piece of each domain, in random order.
fn order(length: usize, piece: usize) -> Vec<Piece> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut pieces: Vec<Piece> = Vec::new();
    for start in (0..length).step_by(piece) {
        let mut domains: Vec<usize> = (0..EXPERTS).collect();
        domains.shuffle(&mut rng);
        if pieces.last().is_some_and(|last| last.domain == domains[0]) {
            domains.rotate_left(1);
        }
        pieces.extend(domains.into_iter().map(|domain| Piece { domain, start }));
    }
    pieces
}

/// The bits of each file, by domain and file, from the probability that every model gives to every byte.
fn files(scored: &[Vec<f64>], pieces: &[Piece], piece: usize, each: usize) -> Result<Vec<Vec<Bits>>> {
    let Some(mut weights) = FixedShare::new(&[1.0; EXPERTS]) else { anyhow::bail!("too many experts") };
    let mut files = vec![vec![Bits::default(); each]; EXPERTS];
    for (at, from) in pieces.iter().enumerate() {
        let file = &mut files[from.domain][from.start / FILE_BYTES];
        for byte in at * piece..(at + 1) * piece {
            let given: Vec<f64> = scored.iter().map(|model| model[byte]).collect();
            file.experts.iter_mut().zip(&given).for_each(|(bits, p)| *bits -= p.log2());
            file.uniform -= (given.iter().sum::<f64>() / given.len() as f64).log2();
            let mixed: f64 = weights.weights().iter().zip(&given).map(|(weight, p)| weight * p).sum();
            file.fixed_share -= mixed.log2();
            file.own -= given[from.domain].log2();
            weights.update(&given.into_iter().map(Some).collect::<Vec<_>>());
        }
    }
    Ok(files)
}

fn row(piece: usize, files: &[Vec<Bits>]) -> Row {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let all = mean(files.iter().flatten());
    let draws: Vec<Bits> = (0..RESAMPLES).map(|_| mean(drawn(files, &mut rng))).collect();
    let interval = |figure: &dyn Fn(&Bits) -> f64| Interval::of(figure(&all), draws.iter().map(figure));
    Row {
        piece_bytes: piece,
        text_bytes: files.iter().map(Vec::len).sum::<usize>() * FILE_BYTES,
        experts: std::array::from_fn(|at| interval(&|bits| bits.experts[at])),
        best_expert: interval(&Bits::best_expert),
        uniform: interval(&|bits| bits.uniform),
        fixed_share: interval(&|bits| bits.fixed_share),
        own: interval(&|bits| bits.own),
        saved_against_best: interval(&|bits| bits.best_expert() - bits.fixed_share),
        saved_against_uniform: interval(&|bits| bits.uniform - bits.fixed_share),
    }
}

/// As many files of each domain as there are, drawn with replacement.
fn drawn<'a>(files: &'a [Vec<Bits>], rng: &mut ChaCha8Rng) -> Vec<&'a Bits> {
    let mut drawn = Vec::new();
    for domain in files {
        drawn.extend((0..domain.len()).map(|_| &domain[rng.random_range(0..domain.len())]));
    }
    drawn
}

/// Bits per byte of files of [`FILE_BYTES`] bytes.
fn mean<'a>(files: impl IntoIterator<Item = &'a Bits>) -> Bits {
    let (mut sum, mut bytes) = (Bits::default(), 0.0);
    for file in files {
        sum.experts.iter_mut().zip(file.experts).for_each(|(sum, bits)| *sum += bits);
        sum.uniform += file.uniform;
        sum.fixed_share += file.fixed_share;
        sum.own += file.own;
        bytes += FILE_BYTES as f64;
    }
    Bits {
        experts: sum.experts.map(|bits| bits / bytes),
        uniform: sum.uniform / bytes,
        fixed_share: sum.fixed_share / bytes,
        own: sum.own / bytes,
    }
}

impl Bits {
    /// The bits of the best single expert.
    fn best_expert(&self) -> f64 {
        self.experts.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

impl Interval {
    fn of(value: f64, draws: impl Iterator<Item = f64>) -> Self {
        let mut draws: Vec<f64> = draws.collect();
        draws.sort_by(f64::total_cmp);
        let at = |share: f64| draws[(share * (draws.len() - 1) as f64).round() as usize];
        Self { value, low: at(0.025), high: at(0.975) }
    }

    fn cell(&self) -> String {
        format!(" {:.3} ({:.3} to {:.3}) |", self.value, self.low, self.high)
    }
}

impl Mixtures {
    pub(crate) fn markdown(&self) -> String {
        let mut out = String::from("| bits per byte |");
        let line = |name: &str, cell: &dyn Fn(&Row) -> String| {
            let cells: String = self.0.iter().map(cell).collect();
            format!("| {name} |{cells}\n")
        };
        for row in &self.0 {
            let _ = write!(out, " pieces of {} bytes |", row.piece_bytes);
        }
        out += &format!("\n| --- |{}\n", " --- |".repeat(self.0.len()));
        for (at, builtin) in BUILTIN.iter().enumerate() {
            out += &line(&format!("{} alone", builtin.domain()), &|row| row.experts[at].cell());
        }
        out += &line("the best of these", &|row| row.best_expert.cell());
        out += &line("uniform mixture", &|row| row.uniform.cell());
        out += &line("**Fixed-Share mixture**", &|row| row.fixed_share.cell());
        out += &line("each piece by its own expert", &|row| row.own.cell());
        out += &line("saved against the best of these", &|row| row.saved_against_best.cell());
        out += &line("saved against the uniform mixture", &|row| row.saved_against_uniform.cell());
        out
    }
}
