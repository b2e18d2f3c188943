//! Entry points of the fuzz targets: decoders of outside bytes.

/// Reads `data` as the streamed answer of an upstream, in two pieces.
pub fn upstream(data: &[u8]) {
    crate::openai::fuzz(data);
}
