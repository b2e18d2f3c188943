//! Doors for the fuzzer: decoders of outside bytes that nothing else needs from outside this crate.

/// Reads `data` as the stream of an upstream's answer, in two pieces.
pub fn upstream(data: &[u8]) {
    crate::openai::fuzz(data);
}
