//! libFuzzer on [`nervure_fuzz::submit_response`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::submit_response(data));
