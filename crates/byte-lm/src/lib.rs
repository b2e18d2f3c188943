//! The built-in byte-level language models.
//!
//! [`ByteModel`] is the network, [`Session`] is one text that a model continues, [`ByteExpert`] serves a model on worker
//! threads, and [`builtin`] has the weights that ship with the code. Everything runs on the CPU, one thread per worker:
//! loading a model tells `gemm` not to split a product over threads, which costs far more than it saves for products
//! this small on a busy machine.
//!
//! These are base models with fewer than a million parameters. They continue text; they do not converse, know facts or
//! follow instructions.

pub mod builtin;
mod error;
mod evaluation;
mod expert;
mod generate;
mod model;
mod ops;
mod queue;
mod replay;
mod session;
mod session_cache;
mod weights;

pub use error::ModelError;
pub use evaluation::{bits_per_byte, byte_probabilities};
pub use expert::{ByteExpert, ServeOptions};
pub use model::{ByteModel, Pass, parameter_shapes};
pub use replay::ByteReplay;
pub use session::{Session, next_distribution};
pub use weights::{load, weights_digest};

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
