//! A network of validators in one thread on simulated time, with everything going wrong.
//!
//! [`run`] plays one [`Plan`]: real engines, real signatures, any [`Application`](super::Application), links that lose,
//! delay, duplicate and reorder, partitions, crashes between any two effects that lose what was not
//! synced, and Byzantine validators below a third of the power. A plan is drawn from a seed, and so
//! is everything in it: the same seed gives the same trace, whose hash is in the [`Outcome`].
//!
//! Watched throughout ([`Violation`]): no two honest nodes commit different blocks or reach
//! different states; no honest node ever sends two conflicting statements, is accused of it, or is
//! blamed for what it forwards; and once the faults end, every honest node reaches the target
//! height within [`PATIENCE`] of simulated time.
//!
//! What it does not show: real disks, real sockets, and threads. Those are tested where they are.

mod application;
mod byzantine;
mod events;
mod faults;
mod instance;
mod machine;
mod plan;
mod watch;
mod world;

pub use application::Tally;
pub use faults::{FaultKind, Faults};
pub use plan::{Behaviour, Genesis, Links, Micros, Plan, Seat};
pub use watch::Violation;
pub use world::{Outcome, PATIENCE, run};

/// Runs the plan of `seed` on the built-in application.
pub fn run_seed(seed: u64) -> Outcome {
    run_tally(&Plan::draw(seed))
}

/// Runs `plan` on the built-in application.
pub fn run_tally(plan: &Plan) -> Outcome {
    run(plan, Tally::new)
}
