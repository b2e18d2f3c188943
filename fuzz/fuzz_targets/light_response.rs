//! libFuzzer on [`nervure_fuzz::light_response`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::light_response(data));
