//! The local testnet: a whole mesh of real node processes on loopback, with one call.
//!
//! [`up`] plans a [`Shape`] (4 validators, 8 miners, 1 gateway unless told otherwise), writes keys and a
//! mesh spec with three subnets, starts a mock model server unless a real one is named, then starts every node at
//! once as a process of the given program, and watches them until the first query is answered. It reports to a
//! [`Progress`] and returns a [`Testnet`], which is run in the foreground or detached. [`down`], [`kill`], [`start`],
//! [`report`] and [`entry`] work on any running testnet, by its directory (see [`Layout`]).
//!
//! Three things make it robust against mistakes: a lock names the owner of a run, a process is identified by pid *and*
//! start time, and nodes that are not detached end with their owner, even if it crashes.

mod chain;
mod client;
mod control;
mod error;
mod launch;
mod layout;
pub mod logs;
mod mesh;
mod mock_server;
mod node_file;
mod owner;
mod plan;
mod prepare;
mod process;
mod progress;
mod ready;
mod run;
mod state;
mod status;
mod stop;
mod subnets;
mod up;

pub use chain::{CHAIN, ChainState, DeployFuture, DevelopmentChain};
pub use control::{degrade, down, entry, kill, start, start_with};
pub use error::TestnetError;
pub use launch::{PORT_IN_USE_EXIT, STOP_WITH_STDIN_FLAG};
pub use layout::{Layout, NodeLayout, OWNER_KEY};
pub use mock_server::{MOCK_SERVER, MockServerState};
pub use node_file::NodeFile;
pub use plan::{EXPERTS, MAX_NODES, Shape};
pub use process::ProcessRef;
pub use progress::{Event, Phase, Progress, Silent, Timings};
pub use run::{RunEnd, Testnet};
pub use state::{NodeState, Stage, State};
pub use status::{ChainReport, MockServerReport, NodeReport, Report, report};
pub use subnets::{EMBEDDING, ModelServer, TEXT_API, TEXT_GENERATION};
pub use up::{UpOptions, up};

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
