//! The types that all other Nervure crates share.
//!
//! Identifiers ([`NodeId`], [`MeshId`], [`Netuid`], [`Uid`]), quantities ([`Amount`],
//! [`BlockHeight`], [`UnixMillis`]), [`struct@Hash`]es, dotted [`Capability`] paths, canonical CBOR
//! ([`cbor`]), keys and their files ([`NodeKey`], [`key_file`]), the signed [`Envelope`] of
//! statements between nodes, and text that others wrote ([`UntrustedText`]).
//!
//! No type here opens a socket or reads a clock; only [`key_file`] uses the disk.

/// The last version of the rules of blocks that this program knows: what the ledger's headers say, and what nodes tell
/// each other when they connect.
pub const PROTOCOL_VERSION: u32 = if cfg!(feature = "next-version") { 2 } else { 1 };

mod amount;
mod capability;
pub mod cbor;
pub mod durable;
mod envelope;
mod hash;
mod id;
mod key;
#[cfg(not(target_family = "wasm"))]
pub mod key_file;
mod mechanism;
mod node_id;
mod time;
mod untrusted_text;

pub use amount::{Amount, AmountError, BASE_UNITS_PER_TOKEN};
pub use capability::{Capability, CapabilityError, MAX_CAPABILITY_LEN, MAX_CAPABILITY_SEGMENTS};
pub use envelope::{DetachedStatement, Domain, Envelope, EnvelopeError, MAX_DOMAIN_LEN};
pub use hash::{Hash, Hasher};
pub use id::{BlockHeight, MeshId, Netuid, ParseIdError, Uid};
pub use key::{NodeKey, Signature, SignatureError};
pub use libp2p_identity::PeerId;
pub use mechanism::{MAX_PARAMETERS, MechanismSpec};
pub use node_id::{NodeId, NodeIdError};
pub use time::UnixMillis;
pub use untrusted_text::{Escaped, Excerpt, TextTooLong, UntrustedText};

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
