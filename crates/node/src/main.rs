//! `nervure`: a peer-to-peer mesh of machine-learning subnets, in one program.
//!
//! The command line ([`cli`]) talks to running nodes over their HTTP API ([`local`], [`gateway`]) or becomes one
//! ([`runtime`]). [`service`] is the seam between a node and its HTTP API, [`config`] what a node is told.
//! [`light`] verifies what nodes say about the ledger. [`stand_in`] stands in for a model server. [`mod@bench`] measures the query plane.

mod bench;
mod cli;
mod config;
mod gateway;
mod light;
mod local;
mod runtime;
mod service;
mod stand_in;

fn main() -> std::process::ExitCode {
    cli::run()
}
