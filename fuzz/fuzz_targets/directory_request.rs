//! libFuzzer on [`nervure_fuzz::directory_request`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::directory_request(data));
