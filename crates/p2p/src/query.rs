//! The query plane: queries to experts over QUIC, one bidirectional stream for each.
//!
//! # Design
//! The endpoint is separate from the swarm's. TLS 1.3 carries the libp2p certificate on both sides, so that
//! the connection itself proves both PeerIds; the ALPN name carries the mesh id, so that a node of another
//! mesh fails in the handshake. The endpoint runs on a single-threaded runtime in a thread of its own,
//! which needs less than half the CPU of a shared one per query.
//!
//! A stream carries [frames](nervure_protocol::query): one *open* from the asker; then *chunks* from the expert, and
//! one *end* or one *error*. The end contains the number of chunks. A stream that stops without an end, or with another
//! number of chunks, is an error to the asker and never a short answer.
//!
//! # What a hostile peer can do
//! * *Connect in numbers*: connections are bounded in all and per network; over half of the bound, an address
//!   that has not proved itself gets a QUIC Retry. Free keys get at most half of all.
//! * *Stall*: the handshake, the open frame, the first chunk and every later one have deadlines. So have an answer and a
//!   refusal to an asker that grants no window: the server's own, never the asker's.
//! * *Send too much*: lengths are checked before anything is read; windows bound what is buffered, and what follows an
//!   open frame is discarded.
//! * *Ask too much*: queries are bounded per connection (streams), per node (a rate) and for all free keys together. What
//!   an asker gets depends on its [class](nervure_protocol::AskerClass).
//! * *Leave*: a reset or a closed connection drops the expert's work at once.

mod client;
mod clock;
mod config;
mod error;
mod frame_reader;
mod port_mapping;
mod server;
mod stream;
mod tls;

pub use client::{QueryClient, QueryItem, QueryStream};
pub use config::{AskerLimits, ClassLimits, ClientConfig, ServerConfig};
pub use error::{QueryError, StartError};
pub use nervure_protocol::query::{QueryEnd, QueryErrorCode, QueryOpen};
pub use port_mapping::MappedPort;
pub use server::{Gone, InboundQuery, QueryServer, QueryService, Replier, ServerMetrics};
