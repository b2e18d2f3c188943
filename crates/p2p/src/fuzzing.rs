//! Entry points for the fuzzer: decoders of untrusted bytes that are private otherwise.

use std::sync::Arc;

use futures::io::Cursor;
use libp2p::{StreamProtocol, request_response::Codec as _};

use crate::{NetworkMetrics, ProtocolSpec, peer_store::PeerStore, request::codec::Codec};

const PROTOCOL: &str = "fuzz/1";

fn codec() -> Codec {
    let specs: Arc<[ProtocolSpec]> = Arc::from([ProtocolSpec::new(PROTOCOL)]);
    Codec::new(specs, crate::request::MAX_INBOUND_BYTES, NetworkMetrics::default())
}

/// Runs `read` with the clock that deadlines need.
fn block_on<T>(read: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().ok()?;
    Some(runtime.block_on(read))
}

/// Reads `data` as a request of another node.
pub fn request(data: &[u8]) {
    let protocol = StreamProtocol::new("/fuzz");
    // An error is a valid outcome; only a panic is a finding.
    let _ = block_on(codec().read_request(&protocol, &mut Cursor::new(data)));
}

/// Reads `data` as an answer of another node.
pub fn answer(data: &[u8]) {
    let protocol = StreamProtocol::new("/fuzz");
    // An error is a valid outcome; only a panic is a finding.
    let _ = block_on(codec().read_response(&protocol, &mut Cursor::new(data)));
}

/// Reads `data` as a file of peers.
pub fn peers(data: &[u8]) {
    // An error is a valid outcome; only a panic is a finding.
    let _ = PeerStore::decode(data);
}
