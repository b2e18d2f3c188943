//! Doors for the fuzzer: readers of outside bytes, as it calls them.

/// Reads `data` as the stream of an upstream's answer, in two pieces.
pub fn upstream(data: &[u8]) {
    crate::openai::fuzz(data);
}

/// Asks the stand-in `data`, and has it make a vector of it.
pub fn stand_in(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for quality in [100, 0] {
        let _ = crate::stand_in::StandIn::chat(quality).answer(&text);
    }
    let _ = crate::stand_in::StandIn::embedding(50).embed(&text);
}
