//! The economics of a mesh as pure integer functions.
//!
//! [`emission`] says what a block mints and who gets it, [`burn`] what a registration costs, [`lock`]
//! what a subnet costs, [`prune`] who gives way when all places are taken, [`schedule`] when epochs
//! run. No function here knows the state: what it needs is in its arguments, in base units (10^-9
//! token) and blocks. Every division rounds down and says where the remainder goes.

pub mod burn;
pub mod emission;
pub mod lock;
pub mod prune;
pub mod schedule;
