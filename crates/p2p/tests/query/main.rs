//! The query plane over real sockets on loopback. One scenario a file.
//!
//! [`mesh`] has the honest sides, [`bare`] the same protocol without our client or server, for whoever lies.
//! Every wait is for an event or a bounded poll of some state; deadlines are short only where their passing is
//! what is tested, and no test says how long anything took.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod bare;
mod mesh;

mod answers;
mod broken_answers;
mod cancel;
mod hostile_asker;
mod identity;
mod limits;
mod loss;
mod swarm;
