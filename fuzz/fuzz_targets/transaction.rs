//! libFuzzer on [`nervure_fuzz::transaction`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nervure_fuzz::transaction(data));
