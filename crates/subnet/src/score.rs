//! Scores: what an answer was worth, as an integer.

mod value;

pub use value::Score;
