//! libFuzzer on [`nervure_fuzz::state_proof`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::state_proof(data));
