//! A Nervure node as a library: configured with a builder, started inside your program.
//!
//! ```no_run
//! use nervure::{CancellationToken, Node, Preset};
//!
//! # async fn embed() -> Result<(), nervure::StartError> {
//! let stop = CancellationToken::new();
//! let node = Node::builder(Preset::Local).dir("/var/lib/my-node").start(stop.clone()).await?;
//! println!("node {} answers at http://{}", node.id(), node.http_addr());
//!
//! stop.cancel();
//! node.wait().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Preset`] says what a builder starts from, [`NodeBuilder`] what it can set. `examples/embed-node.rs` runs.
//! [`cli`] is the program `nervure`, which is built on the same API.
//!
//! # Modules
//! The command line ([`cli`]) talks to running nodes over their HTTP API (`local`) or becomes one
//! (`runtime`). `config` holds a node's settings.

pub mod cli;

mod api_token;
mod builder;
mod config;
mod local;
mod runtime;

pub use builder::NodeBuilder;
pub use config::{
    Beginning, ExpertSource, ExpertSpec, ExpertSpecError, HistorySetting, NodeConfig, NodeRole, Preset,
};
pub use nervure_ledger::spec::{MeshSpec, Role};
pub use nervure_light::TrustedBlock;
pub use nervure_primitives::{Amount, NodeId, NodeKey};
pub use nervure_store::History;
pub use nervure_subnet::mechanism::Mechanisms;
pub use nervure_testnet::NodeFile;
pub use runtime::{Node, StartError};
pub use tokio_util::sync::CancellationToken;

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
