//! The built-in experts: byte-level language models small enough to ship with the code.
//!
//! [`ByteModel`] is the network, [`Session`] one text being continued, [`ByteExpert`] a model served on its own
//! threads, [`builtin`] the shipped weights. Everything runs on the CPU, one thread per worker: loading a model
//! tells `gemm` never to split a product over threads, which for products this small costs far more than it
//! saves on a busy machine.
//!
//! These are base models of under a million parameters. They continue text; they do not converse, know
//! facts or follow instructions.

pub mod builtin;
mod contexts;
mod continuation;
mod evaluation;
mod expert;
mod generate;
mod model;
mod ops;
mod queue;
mod sampler;
mod session;
mod weights;

pub use continuation::{Continuation, Written};
pub use evaluation::{bits_per_byte, byte_probabilities};
pub use expert::{ByteExpert, ServeOptions};
pub use model::{ByteModel, CONTEXT, DOCUMENT_START, Pass, parameter_shapes};
pub use session::{KEEP, Session, next_distribution};
pub use weights::load;
