//! libFuzzer on [`nervure_fuzz::epoch_proof`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::epoch_proof(data));
