//! Measurements against baselines.
//!
//! | function | measures | against |
//! | --- | --- | --- |
//! | [`query`] | the query plane: what frames, limits and counters cost | bare quinn |
//! | [`gateway`] | a query through a gateway | the same query straight to the miner; nginx |
//! | [`discover`] | finding experts through the directory alone | all experts there are |
//! | [`finality`] | how long validators take to commit a block | |
//! | [`kills`] | validators that are killed: what is lost, how soon they sign again | every block once final |
//! | [`flood`] | a miner that strangers flood: what askers with stake get | the same without the flood; a stranger |
//! | [`failover`] | miners that are killed while they stream | what the model writes undisturbed |
//!
//! Everything runs on this machine. A baseline is measured in the same run and in turns, so that a busy machine slows
//! both: ratios count, not times. [`serve`] is what the server processes run, which are this program again.

mod discovery;
mod failover;
mod finality;
mod flood;
mod gateway;
mod http_answer;
mod kills;
mod process;
mod query;
mod server;
mod stats;

pub use discovery::{DiscoveryNode, DiscoveryReport, DiscoveryScale, discover};
pub use failover::{FailoverPlan, FailoverReport, failover};
pub use finality::{FinalityReport, finality};
pub use flood::{AskerFigures, FloodReport, FloodedMiner, Outcomes, ProcessFigures, flood};
pub use gateway::{GatewayReport, PathFigures, gateway};
pub use kills::{KillsPlan, KillsReport, kills};
pub use query::{QueryEffort, QueryFigures, QueryReport, Ratio, Throughput, query};
pub use server::{ServerKind, serve};

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
