//! libFuzzer on [`nervure_fuzz::reach_request`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::reach_request(data));
