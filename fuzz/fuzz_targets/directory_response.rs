//! libFuzzer on [`nervure_fuzz::directory_response`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::directory_response(data));
