//! A network of validators in one thread on simulated time, with faults.
//!
//! [`run`] executes one [`Plan`]: real engines, real signatures, any
//! [`Application`](super::Application), links that lose, delay, duplicate and reorder packets,
//! partitions, crashes between any two effects that lose unsynced writes, and Byzantine validators
//! below a third of the power. A plan and all its random choices come from a seed: the same seed
//! gives the same trace, whose hash is in the [`Outcome`].
//!
//! Invariants that are checked at every step ([`Violation`]): no two honest nodes commit different blocks or reach
//! different states; no honest node ever sends two conflicting statements, is accused of it, or is
//! blamed for what it forwards; and once the faults end, every honest node reaches the target
//! height within [`RECOVERY_TIMEOUT`] of simulated time.
//!
//! Not covered: real disks, sockets and threads. Their crates test them.

mod application;
mod byzantine;
mod events;
mod faults;
mod instance;
mod invariants;
mod machine;
mod plan;
mod world;

pub use application::Tally;
pub use faults::{FaultKind, Faults};
pub use invariants::Violation;
pub use plan::{
    Behaviour, Genesis, Incident, Links, MILLISECOND, Micros, Plan, RECOVERY_TIMEOUT, SimulatedValidator,
};
pub use world::{Outcome, START, run};

/// Runs the plan of `seed` on the built-in application.
pub fn run_seed(seed: u64) -> Outcome {
    run_tally(&Plan::draw(seed))
}

/// Runs `plan` on the built-in application.
pub fn run_tally(plan: &Plan) -> Outcome {
    run(plan, Tally::new)
}
