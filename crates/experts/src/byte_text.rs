//! Text written byte by byte from distributions of the next byte, and the constants that byte-level experts share.
//!
//! A byte-level expert continues text with [`Continuation`]. A router that mixes the distributions of several experts
//! uses the same code, so that both treat temperature, top-p, seeds and stop strings alike.

mod continuation;
mod exp;
mod replay;
mod sampler;
mod utf8;

pub use continuation::{Continuation, ContinuationStep, PIECE_BYTES};
pub use exp::exp_negative;
pub use replay::ReplaySampler;

/// How [`Continuation`] draws bytes, in a model's identity: the likeliest bytes up to top-p, in falling order of
/// probability, and a point in their sum from ChaCha8.
pub const SAMPLER: &str = "inverse-cdf/chacha8";

/// Bytes that a byte-level model sees at most.
pub const CONTEXT_BYTES: usize = 256;
/// Bytes of a full window that stay visible when it slides.
pub const RETAINED_BYTES: usize = 192;
/// Longest answer of a byte-level expert, in bytes.
pub const MAX_OUTPUT_BYTES: u32 = 4096;
/// The byte that opens a document: each document of the training text follows one.
pub const DOCUMENT_START: u8 = 0;
