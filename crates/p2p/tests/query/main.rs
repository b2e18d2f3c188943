//! The query plane over real sockets on loopback. One scenario per file.
//!
//! [`mesh`] has the honest sides, [`bare`] the same protocol without our client or server, for hostile sides.
//! Every wait is for an event or a bounded poll of some state; deadlines are short only in tests of the
//! deadline itself, and no test asserts how long anything took.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod bare;
mod mesh;

mod answers;
mod broken_answers;
mod cancel;
mod classes;
mod hostile_asker;
mod identity;
mod limits;
mod loss;
mod observed;
mod swarm;
