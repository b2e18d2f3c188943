//! x
mod contract;
pub use contract::CheckpointAnchor;
