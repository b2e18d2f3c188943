//! The economics of a mesh as pure integer functions.
//!
//! [`emission`]: what a block mints and how it is split. [`base_fee`]: the price of a transaction's weight. [`burn`]:
//! the price of a registration. [`lock`]: the lock of a subnet. [`prune`]: which subnet or neuron loses its slot.
//! [`ratio`]: exact ratios of wide integers. [`schedule`]: when epochs run. [`shares`]: how votes share the
//! emission among subnets. No function here knows the state: all inputs are arguments, in base units (10^-9 token) and
//! blocks. Every division rounds down, unless its function says otherwise, and says where the remainder goes.

pub mod base_fee;
pub mod burn;
pub mod emission;
pub mod lock;
pub mod prune;
pub mod ratio;
pub mod schedule;
pub mod shares;
